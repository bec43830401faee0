"""Time of each op under LiteRT's own profiler, which sees each op that XNNPACK runs.

The Python interface of ai-edge-litert does not reach the profiler, but its library ``libLiteRt.so`` has it in C: that is
called here. Source: the headers litert_compiled_model.h, litert_profiler.h and litert_profiler_event.h of LiteRT.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from edgevit.backends.litert.graph import family, read_graph
from edgevit.backends.profiled_ops import shortest
from edgevit.errors import OpenShapes, UsageError
from edgevit.results.graph import Graph, Op
from edgevit.results.layer_times import LayerTime
from edgevit.spec.recipe import OpKind

PROFILER = (
    "LiteRT's profiler: each op of XNNPACK and of LiteRT's own kernels, without what hands tensors over between the two;"
    " XNNPACK does not say which op of the file it runs, so that products are told by their order, and other ops have its names"
)
_LIBRARY = "libLiteRt.so"
_CPU = 1
"""Of LiteRtHwAccelerators."""
_OPTIONS = {"runtime_options_string": "enable_profiling = true\n", "xnnpack": "num_threads = {threads}\n"}
"""By the name that the runtime looks for, as TOML."""
_OWN_KERNEL, _OF_DELEGATE = 1 << 1, 1 << 3
"""Of LiteRtProfilerEventType: an op that LiteRT itself runs, and one that a delegate runs and has timed."""
_TENSOR_TYPE_BYTES = 256
"""More than LiteRtRankedTensorType has, which is only handed on."""
_XNNPACK: dict[str, OpKind] = {
    "Fully Connected": "linear",
    "Batch Matrix Multiply": "matmul",
    "Scaled Dot Product Attention": "matmul",
    "Convolution": "conv",
    "Deconvolution": "conv",
    "Softmax": "softmax",
    "GELU": "activation",
    "ApproxGELU": "activation",
    "Sigmoid": "activation",
    "Tanh": "activation",
    "HardSwish": "activation",
    "ELU": "activation",
    "Leaky ReLU": "activation",
    "Clamp": "activation",
    "Mean": "reduction",
    "Mean Squared": "reduction",
    "Sum": "reduction",
    "Reduce": "reduction",
    "Global Average Pooling": "pooling",
    "Average Pooling": "pooling",
    "Max Pooling": "pooling",
    "Static Reshape": "reshape",
    "Copy": "layout",
    "Transpose": "layout",
    "Slice": "layout",
    "Concatenate": "layout",
    "Static Constant Pad": "layout",
    "Constant Pad": "layout",
    "Convert": "quantize",
}
"""Families of XNNPACK's ops by their names, see operator-type-defs.inc of XNNPACK; the others are elementwise."""

_PRODUCTS: tuple[OpKind, ...] = ("conv", "depthwise_conv", "linear", "matmul")
_ARITHMETICS = {"int8": r"\bQ\w*8", "float16": r"\bF16", "float32": r"\bF32"}
"""Patterns of the number formats in names of kernels; that of the weights counts."""


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_size_t), ("in_use", ctypes.c_size_t), ("private", ctypes.c_size_t))


class _Event(ctypes.Structure):
    """ProfiledEventData."""

    _fields_ = (
        ("tag", ctypes.c_char_p), ("type", ctypes.c_int), ("begin_us", ctypes.c_uint64), ("us", ctypes.c_uint64),
        ("begin_memory", _Memory), ("end_memory", _Memory), ("op", ctypes.c_uint64), ("subgraph", ctypes.c_uint64),
        ("source", ctypes.c_int),
    )  # fmt: skip


def op_times(
    path: Path, threads: int, precision: str, feeds: tuple[np.ndarray, ...], inferences: int
) -> tuple[LayerTime, ...]:
    """Runs an artifact under the profiler on arrays of its inputs' shapes, see :meth:`edgevit.backends.Backend.op_times`.

    Raises:
        UsageError: the runtime is installed under its former name, which has no such profiler, or cannot run the file.
    """
    with _compiled(_Library(), path, threads) as model:
        inputs = [model.buffer("Input", place, feed) for place, feed in enumerate(feeds)]
        outputs = [model.buffer("Output", place) for place in range(model.count("Outputs"))]
        for _ in range(inferences):
            model.run(inputs, outputs)
        events = [_ops(model.profile(inputs, outputs)) for _ in range(inferences)]
    graph = _graph(path)
    return shortest([_layers(ops, graph) for ops in events])


@dataclass(frozen=True)
class _Timed:
    """An event that is an op."""

    name: str
    """Such as XNNPACK's "Convolution (NHWC, QS8) DWConv" or LiteRT's "TOPK_V2"."""
    own: bool
    """Whether it is a kernel of LiteRT's, not XNNPACK's."""
    place: int
    """Of the op in the file, or in what XNNPACK runs."""
    ms: float

    @property
    def kind(self) -> OpKind:
        """Family by the name alone."""
        if self.own:
            return family(self.name)
        if self.name.endswith("DWConv"):
            return "depthwise_conv"
        return _XNNPACK.get(self.base, "elementwise")

    @property
    def base(self) -> str:
        """The name without number formats and kernel."""
        return re.sub(r" \(.*", "", self.name)

    @property
    def arithmetic(self) -> str:
        """Number format, where the name of a kernel of XNNPACK has it."""
        return next((name for name, pattern in _ARITHMETICS.items() if re.search(pattern, self.name)), "")


def _ops(events: list[_Event]) -> list[_Timed]:
    return [
        _Timed(name, event.type == _OWN_KERNEL, event.op, event.us / 1000)
        for event in events
        if event.type in (_OWN_KERNEL, _OF_DELEGATE) and (name := event.tag.decode()) != "Invoke"
    ]


def _graph(path: Path) -> Graph | None:
    """The ops of the file; None where shapes are open, so that it does not tell what they do."""
    try:
        return read_graph(path)
    except OpenShapes:
        return None


def _layers(ops: list[_Timed], graph: Graph | None) -> list[LayerTime]:
    of_file = {op.name: op for op in graph.ops} if graph else {}
    products = _products(ops, graph.ops if graph else ())
    found = []
    for at, op in enumerate(ops):
        known = of_file.get(f"{op.name}:{op.place}") if op.own else products.get(at)
        tensors = {*known.inputs, *known.outputs} if known else set()
        found.append(
            LayerTime(
                name=known.name if known else f"{op.base}:{op.place}",
                native=op.name,
                kind=known.kind if known else op.kind,
                ms=op.ms,
                macs=known.macs if known else None if op.kind in _PRODUCTS else 0,
                moved_bytes=sum(graph.tensor[name].size_bytes for name in tensors) if graph and known else None,
                arithmetic=op.arithmetic,
            )
        )
    return found


def _products(ops: list[_Timed], of_file: Sequence[Op]) -> dict[int, Op]:
    """Returns the op of the file that each product of XNNPACK is, by place; none if their order leaves a doubt."""
    places = [at for at, op in enumerate(ops) if not op.own and op.kind in _PRODUCTS]
    own = {f"{op.name}:{op.place}" for op in ops if op.own}
    left = [op for op in of_file if op.macs and op.name not in own]
    alike = len(places) == len(left) and all(
        (op.kind == "depthwise_conv", op.kind == "matmul") == (ran == "depthwise_conv", ran == "matmul")
        or (op.native == "BATCH_MATMUL" and ran == "matmul")
        for op, ran in zip(left, (ops[at].kind for at in places), strict=True)
    )
    return dict(zip(places, left, strict=True)) if alike else {}


class _Library:
    """The library, whose functions return 0 where all went well."""

    def __init__(self) -> None:
        found = find_spec("ai_edge_litert")
        folder = Path(found.origin).parent if found and found.origin else None
        if folder is None or not (folder / _LIBRARY).is_file():
            raise UsageError(f"LiteRT's profiler needs {_LIBRARY}", "install ai-edge-litert 2 or newer")
        self._library = ctypes.CDLL(str(folder / _LIBRARY))

    def call(self, name: str, *arguments: object) -> None:
        """Calls a function by its name without "LiteRt".

        Raises:
            UsageError: it failed.
        """
        status = getattr(self._library, f"LiteRt{name}")(*arguments)
        if status:
            raise UsageError(f"LiteRT's profiler failed in {name} with status {status}", "leave it out for this file")

    def made(self, name: str, *arguments: object) -> ctypes.c_void_p:
        """Calls a function that makes something, and returns that."""
        made = ctypes.c_void_p()
        self.call(name, *arguments, ctypes.byref(made))
        return made

    def destroy(self, name: str, what: ctypes.c_void_p) -> None:
        """Calls a function that destroys something, by the thing's name."""
        getattr(self._library, f"LiteRtDestroy{name}")(what)


class _Model:
    """A model that is ready to run, with the profiler that belongs to it; the first signature is run."""

    def __init__(self, library: _Library, environment: ctypes.c_void_p, model: ctypes.c_void_p, compiled: ctypes.c_void_p) -> None:  # fmt: skip
        self._library, self._environment, self._compiled = library, environment, compiled
        self._signature = library.made("GetModelSignature", model, ctypes.c_size_t(0))
        self._profiler = library.made("CompiledModelGetProfiler", compiled)

    def count(self, which: str) -> int:
        """Returns the number of "Inputs" or "Outputs"."""
        found = ctypes.c_size_t()
        self._library.call(f"GetNumSignature{which}", self._signature, ctypes.byref(found))
        return found.value

    def buffer(self, which: str, place: int, values: np.ndarray | None = None) -> ctypes.c_void_p:
        """Makes the buffer of an "Input" or "Output", filled with an array of its shape and dtype where one is given."""
        at, kind = ctypes.c_size_t(place), ctypes.create_string_buffer(_TENSOR_TYPE_BYTES)
        tensor = self._library.made(f"GetSignature{which}TensorByIndex", self._signature, at)
        self._library.call("GetRankedTensorType", tensor, kind)
        required = self._library.made(
            f"GetCompiledModel{which}BufferRequirements", self._compiled, ctypes.c_size_t(0), at
        )
        made = self._library.made("CreateManagedTensorBufferFromRequirements", self._environment, kind, required)
        if values is not None:
            address = self._library.made("LockTensorBuffer", made)
            given = np.ascontiguousarray(values)
            ctypes.memmove(address, given.ctypes.data, given.nbytes)
            self._library.call("UnlockTensorBuffer", made)
        return made

    def run(self, inputs: list[ctypes.c_void_p], outputs: list[ctypes.c_void_p]) -> None:
        """Runs once."""
        given = ((ctypes.c_void_p * len(every))(*every) for every in (inputs, outputs))
        counted = [part for array in given for part in (ctypes.c_size_t(len(array)), array)]
        self._library.call("RunCompiledModel", self._compiled, ctypes.c_size_t(0), *counted)

    def profile(self, inputs: list[ctypes.c_void_p], outputs: list[ctypes.c_void_p]) -> list[_Event]:
        """Runs once under the profiler, and returns what it recorded."""
        self._library.call("ResetProfiler", self._profiler)
        self._library.call("StartProfiler", self._profiler)
        self.run(inputs, outputs)
        self._library.call("StopProfiler", self._profiler)
        count = ctypes.c_int()
        self._library.call("GetNumProfilerEvents", self._profiler, ctypes.byref(count))
        events = (_Event * count.value)()
        self._library.call("GetProfilerEvents", self._profiler, count, events)
        return list(events)


@contextmanager
def _compiled(library: _Library, path: Path, threads: int) -> Iterator[_Model]:
    environment = library.made("CreateEnvironment", 0, None)
    model = library.made("CreateModelFromFile", environment, str(path).encode())
    options = library.made("CreateOptions")
    library.call("SetOptionsHardwareAccelerators", options, _CPU)
    kept = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda payload: None)  # Python owns the texts
    texts = {
        name: ctypes.create_string_buffer(text.format(threads=threads).encode()) for name, text in _OPTIONS.items()
    }
    for name, text in texts.items():
        library.call("AddOpaqueOptions", options, library.made("CreateOpaqueOptions", name.encode(), text, kept))
    compiled = library.made("CreateCompiledModel", environment, model, options)
    try:
        yield _Model(library, environment, model, compiled)
    finally:
        library.destroy("CompiledModel", compiled)
        library.destroy("Options", options)
        library.destroy("Model", model)
        library.destroy("Environment", environment)
