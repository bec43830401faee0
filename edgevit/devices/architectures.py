"""Processor architectures and runtime families: what devices and runtimes of published measurements have in common."""

from __future__ import annotations

_CPU = {
    "Cortex-A7": (
        "BCM2836", "Zynq-7020", "i.MX7D", "Allwinner H2+", "STM32MP157", "S805", "MT8168X", "AX620A",
    ),
    "ARM11": ("BCM2835",),
    "Cortex-A53": (
        "BCM2837", "BCM2710", "RK3328", "RK3228H", "MSM8916", "Allwinner H616", "X3M", "E2000X", "AX630C",
        "Snapdragon 625", "i.MX 8M (4x", "i.MX 8M Plus", "QRB2210", "MT8168", "UNO", "Sunrise X3",
    ),
    "Cortex-A55": ("RK3566", "RK3568", "Allwinner T527", "RZ/G2L", "Horizon X5"),
    "Cortex-A17": ("RK3288",),
    "Cortex-A57": ("Tegra X1", "MSM8994", "Tegra X2", "Snapdragon 810"),
    "Cortex-A72": ("BCM2711", "RK3399", "Kirin 950", "E2000"),
    "Cortex-A73": (
        "A311D", "S922X", "Kirin 960", "Kirin 970", "SDM660", "MSM8998", "Snapdragon 835", "Snapdragon 660",
    ),
    "Kryo": ("MSM8996", "Snapdragon 821", "Snapdragon 820"),
    "Cortex-A75": ("Snapdragon 845", "Snapdragon 670", "Snapdragon 710"),
    "Cortex-A76": (
        "BCM2712", "RK3588", "Snapdragon 855", "SM8150", "SM6150", "SM7250", "Kirin 980", "Kirin 990", "Kirin 810",
        "Snapdragon 765", "QCS8250", "Snapdragon 865", "Snapdragon 675",
    ),
    "Carmel": ("Tegra Xavier",),
    "Cortex-A78": (
        "Tegra Orin", "QCS6490", "Tensor G1", "Tensor G2", "SM8350", "Snapdragon 888",
    ),
    "Armv9 Cortex": (
        "SM8450", "Snapdragon 8 Gen", "SM8550", "SM8650", "Snapdragon 7 Gen", "MT6985", "MT6989", "CIX P1", "Dimensity 9",
        "QCM6690", "Exynos 2400", "Tensor G3", "Tensor G4",
    ),
    "Oryon": ("X1E78100", "Snapdragon X Elite", "SM8750"),
    "Atom": ("Atom", "Celeron N", "Intel Atom"),
    "Core": ("Core i7", "Core Ultra", "6305E"),
    "RISC-V": ("JH7110", "TH1520", "SpacemiT"),
    "Apple": ("A7", "A12"),
}  # fmt: skip
_NPU = {
    "Hexagon v65": ("Snapdragon 845",),
    "Hexagon v66": ("Snapdragon 855", "SM8150", "Snapdragon 865", "QCS8250"),
    "Hexagon v68": (
        "QCS6490", "Snapdragon 8cx", "Snapdragon 7 Gen 1", "Snapdragon 7 Gen 3", "QCM6690", "Snapdragon 888",
    ),
    "Hexagon v69": (
        "Snapdragon 8 Gen 1", "Snapdragon 8+ Gen 1", "QCS8450", "Snapdragon 7+ Gen 2",
    ),
    "Hexagon v81": ("Elite Gen 5",),
    "Hexagon v73": (
        "Snapdragon 8 Gen 2", "SM8550", "QCS9075", "Snapdragon X Elite", "Snapdragon 7 Gen 4", "Snapdragon 7s",
        "Snapdragon 7 Gen 5",
    ),
    "Hexagon v75": ("Snapdragon 8 Gen 3", "SM8650", "Snapdragon 8s Gen 3"),
    "Hexagon v79": ("Snapdragon 8 Elite (SM8750)", "Snapdragon 8 Elite"),
    "Apple Neural Engine": ("A14", "A15", "A16", "A17"),
    "Hailo": ("Hailo",),
    "Horizon BPU": ("BPU", "Sunrise"),
    "Axera": ("AX",),
    "TI C7x": ("AM6", "TDA4"),
    "Rockchip NPU": ("RK", "RV"),
    "VeriSilicon": ("A311D", "i.MX 8M Plus", "S905D3", "STM32"),
    "Ethos-U": ("Ethos-U", "Ensemble", "i.MX 93"),
    "Da Vinci": ("Ascend", "Kirin 990", "Kirin 810"),
    "Exynos": ("Exynos",),
    "Cloud AI 100": ("Cloud AI 100",),
}  # fmt: skip
_TPU = {
    "Edge TPU": ("Edge TPU",),
    "Google Tensor": ("Tensor G", "Pixel Neural Core"),
    "Sophgo": ("BM168", "CV186"),
}
_GPU = {
    "Mali Valhall": ("RK3588", "Tensor G"),
    "Mali 5th generation": ("MT6989", "Dimensity 93", "CIX P1"),
    "Mali Bifrost": (
        "RK3566", "RK3568", "S922X", "A311D", "Kirin 98", "Kirin 990", "Kirin 970", "Kirin 960",
    ),
    "Mali Midgard": ("RK3399", "RK3288", "Kirin 950"),
    "PowerVR": ("JH7110", "TH1520", "SpacemiT"),
    "Adreno": ("Snapdragon", "SM8", "SM7", "MSM", "SDM", "QCS", "X1E"),
    "Maxwell": ("Tegra X1",),
    "Pascal": ("Tegra X2",),
    "Volta": ("Tegra Xavier",),
    "Ampere": ("Tegra Orin",),
    "VideoCore": ("BCM",),
    "Intel": ("Atom", "Celeron", "Core"),
}  # fmt: skip
_BY_UNIT = {"cpu": _CPU, "gpu": _GPU, "npu": _NPU, "tpu": _TPU}

_RUNTIME_FAMILIES = {
    "TFLite": "tflite",
    "XNNPACK": "tflite",
    "ExecuTorch + XNNPACK": "tflite",
    "ExecuTorch + XNNPACK (KleidiAI)": "tflite",
    "TFLite + XNNPACK": "tflite",
    "TFLite 2.11.0": "tflite",
    "LiteRT": "tflite",
    "TFLite (ruy)": "ruy",
    "Arm NN (Neon)": "armnn",
    "Arm NN (OpenCL/Mali)": "armnn-opencl",
    "QNN": "qnn",
    "TFLite + QNN delegate": "qnn",
    "ONNX Runtime + QNN EP": "qnn",
    "QNN/SNPE (MLPerf Mobile QTI back end)": "qnn",
    "ONNX Runtime (MLAS)": "ONNX Runtime",
    "TFLite GPU": "tflite-gpu",
    "TFLite GPU delegate": "tflite-gpu",
    "TensorRT": "tensorrt",
    "TensorRT (torch2trt)": "tensorrt",
    "TensorRT + Triton": "tensorrt",
    "TF-TRT": "tensorrt",
    "OpenCV DNN (CUDA-FP32)": "opencv-cuda",
    "OpenCV DNN (CUDA-FP16)": "opencv-cuda",
    "ncnn": "ncnn",
    "ncnn (Vulkan)": "ncnn-vulkan",
    "Tengine-Lite": "tengine",
    "Paddle Lite": "paddle",
    "Paddle Lite (OpenCL)": "paddle-opencl",
    "TVM (AutoTVM)": "TVM",
    "HailoRT": "hailo",
    "Core ML (ANE)": "Core ML",
    "AXEngine": "axera",
    "axcl_run_model": "axera",
    **dict.fromkeys(("TIDL", "TIDL dlr-py", "TIDL dlr-cpp", "TIDL tfl-py", "TIDL tfl-cpp"), "tidl"),
    **dict.fromkeys(("TIDL ort-py", "TIDL ort-cpp"), "tidl"),
    **dict.fromkeys(("edgetpu BasicEngine", "edgetpu Python API", "libedgetpu (TFLite)"), "edgetpu"),
    **dict.fromkeys(("pycoral 2.0 / libedgetpu 16.0", "TFLite (Edge TPU)"), "edgetpu"),
}


def architecture(unit: str, system: str) -> str:
    """Returns the architecture of a unit, or ``system`` itself where it is not known.

    Args:
        unit: "cpu", "gpu", "npu" or "tpu".
        system: System on chip and device, such as "BCM2711 Raspberry Pi 4B".
    """
    for name, parts in _BY_UNIT.get(unit, {}).items():
        if any(part in system for part in parts):
            return name
    return system


def runtime_family(runtime: str) -> str:
    """Returns the name that runtimes with the same kernels share, or ``runtime`` itself."""
    return _RUNTIME_FAMILIES.get(runtime, runtime)
