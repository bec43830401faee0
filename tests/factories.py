"""Makes runs and their parts from the few values that a test cares about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Literal

import numpy as np

from edgevit.artifacts.result_set import ResultSet
from edgevit.results.artifact import Artifact, PassRecord, Preprocessing, TensorSpec
from edgevit.results.board import BoardRecord
from edgevit.results.candidate import Accuracy, Candidate, ChangedClass, Verification
from edgevit.results.contract import Contract
from edgevit.results.finetune import Finetune, FinetunePoint
from edgevit.results.layer_times import LayerTime, LayerTimes, Peak, Roofs
from edgevit.results.machine_state import (
    ClockRange,
    CpuCluster,
    MachineConditions,
    MachineState,
    MachineWhile,
    Temperature,
)
from edgevit.results.measurement import (
    HOST,
    Conditions,
    Host,
    Interval,
    LatencyInterval,
    LatencyMs,
    Measurement,
    Prediction,
    RoundLatency,
)
from edgevit.results.parity import ResultOrigin
from edgevit.results.run import Baseline, CalibrationRecord, Run, Stage
from edgevit.results.search import (
    AdditivityRecord,
    Estimate,
    Forecasts,
    LayerSingle,
    PlanSingle,
    PointSettings,
    Search,
    SearchBudget,
    SearchedModel,
    SearchPoint,
)
from edgevit.results.sensitivity import ComparedImages, LayerSensitivity, SensitivityReport
from edgevit.results.statistics import median_interval
from edgevit.run.progress import RunPlan
from edgevit.spec.recipe import Recipe

_SUFFIX = {"litert": "tflite", "onnxruntime": "onnx", "openvino": "xml"}
_FORMAT = {"litert": "tflite", "onnxruntime": "onnx", "openvino": "openvino"}


def make_artifact(
    path: str = "artifacts/model.tflite", size_bytes: int = 6_000_000, int8_mac_share: float = 0.0
) -> Artifact:
    """An artifact of a 1,000-class image model."""
    return Artifact(
        path=path,
        files=(path,),
        sha256="ab" * 32,
        size_bytes=size_bytes,
        inputs=(TensorSpec("input", (1, 3, 224, 224), "float32", "NCHW"),),
        outputs=(TensorSpec("logits", (1, 1000), "float32", "NC"),),
        preprocessing=Preprocessing((224, 224), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        int8_mac_share=int8_mac_share,
        macs=1_250_000_000,
        params=5_700_000,
    )


def make_contract(**changes: Any) -> Contract:
    """The contract of a model of three classes, one of which has no plain name."""
    preprocessing = Preprocessing((32, 48), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "bilinear", 0.875)
    contract = Contract(
        preprocessing, "NCHW", ("daisy", 'a "rose" & <é>', "tulip"), "static_wi8_ai8", "cd" * 32, "0.1.0"
    )
    return replace(contract, **changes)


def make_measurement(p50_ms: float = 12.0, *, device: str = HOST, peak_rss_bytes: int = 120_000_000) -> Measurement:
    """A measurement whose other statistics follow from its median."""
    return Measurement(
        device=device,
        latency_ms=LatencyMs(min=0.95 * p50_ms, p50=p50_ms, p90=1.1 * p50_ms, p99=1.3 * p50_ms),
        samples_ms=(0.95 * p50_ms, p50_ms, 1.3 * p50_ms),
        load_ms=80.0,
        first_run_ms=2 * p50_ms,
        peak_rss_bytes=peak_rss_bytes,
        rss_delta_bytes=40_000_000,
        threads=1,
        conditions=Conditions("litert", "2.3.0", "f32", "XNNPACK, 1 partition", 10, 200, 1, "performance", 0.2),
    )


def make_machine_state(**changes: Any) -> MachineState:
    """A small board that nothing is the matter with."""
    state = MachineState(
        clusters=(CpuCluster("0-3", "ondemand", 1500.0, 600.0, 1500.0, 1500.0),),
        temperatures=(Temperature("cpu-thermal", 48.3),),
        cooling=(),
        throttling=(),
        throttled_since_boot=(),
        events=(),
        power_supply=(),
        power_mode="unknown",
        clocks_fixed=None,
        gpu_mhz=None,
        memory_available_bytes=3_100_000_000,
        load_average=0.4,
        affinity="0-3",
        unknown=(),
    )
    return replace(state, **changes)


def make_machine_while(**changes: Any) -> MachineWhile:
    """The same board at work."""
    during = MachineWhile(
        looks=3,
        busy_mhz=(1500.0, 1500.0, 1500.0),
        clocks=(ClockRange("0-3", 1500.0, 1500.0),),
        hottest=(Temperature("cpu-thermal", 61.8),),
        throttling=(),
    )
    return replace(during, **changes)


def make_machine(**changes: Any) -> MachineConditions:
    """The conditions of a measurement there."""
    machine = MachineConditions(
        cpu="Cortex-A72",
        before=make_machine_state(),
        during=make_machine_while(),
        after=make_machine_state(),
        other_cores=0.1,
        energy=None,
        energy_unknown="this machine reports no energy counter (RAPL) and no power sensor (INA3221)",
        throttled=(),
        changed=(),
    )
    return replace(machine, **changes)


def make_latency(*bursts_ms: float, repeated_bursts: int = 0, unstable: str = "") -> RoundLatency:
    """The latency of a final round with these medians of bursts."""
    return RoundLatency(median(bursts_ms), median_interval(bursts_ms), bursts_ms, repeated_bursts, unstable)


def make_prediction(low: float, high: float, *, device: str = "raspberry-pi-5", **changes: Any) -> Prediction:
    """A prediction with the middle of its interval as median."""
    prediction = Prediction(
        device=device,
        unit="cpu",
        latency_ms=LatencyInterval(p50=(low + high) / 2, low=low, high=high),
        peak_memory_bytes=30_000_000,
        basis="data sheet only",
        unsupported_ops=(),
    )
    return replace(prediction, **changes)


def make_verification(top1_agreement: float = 1.0, *, passed: bool = True, reference: str = "pytorch") -> Verification:
    """A verification on 64 images."""
    return Verification(reference, 1.2e-5, 1.6e-6, 98.0, top1_agreement, 64, passed)


def make_candidate(
    candidate_id: str = "litert/dynamic_wi8_afp32", *, p50_ms: float | None = 12.0, **changes: Any
) -> Candidate:
    """A verified, evaluated and measured candidate.

    Args:
        candidate_id: Backend, scheme and token plan.
        p50_ms: None for a candidate that was not measured.
        changes: Fields of Candidate to replace; ``top1`` and ``size_bytes`` set those parts.
    """
    backend, scheme, *_ = candidate_id.split("/")
    is_int8 = "i8" in scheme
    top1, size_bytes = changes.pop("top1", 0.825), changes.pop("size_bytes", 6_000_000 if is_int8 else 22_900_000)
    path = f"artifacts/{candidate_id.replace('/', '-')}.{_SUFFIX.get(backend, 'bin')}"
    values: dict[str, Any] = {
        "id": candidate_id,
        "backend": backend,
        "format": _FORMAT.get(backend, backend),
        "scheme": scheme,
        "parent": f"{backend}/fp32" if scheme != "fp32" else None,
        "artifact": replace(
            make_artifact(path, size_bytes, 0.97 if is_int8 else 0.0),
            numerics=f"{scheme.split('_')[0]} int8" if is_int8 else "float",
        ),
        "verification": make_verification(
            0.98 if is_int8 else 1.0, reference=f"{backend}/fp32" if is_int8 else "pytorch"
        ),
        "accuracy": Accuracy(top1, 0.96, 855, 100 * (0.827 - top1))
        if top1 is not None
        else Accuracy(None, None, 0, None),
        "measurements": (make_measurement(p50_ms),) if p50_ms is not None else (),
    }
    return Candidate(**{**values, **changes})


def make_finetune(variant: str = "tome-8-gather", rung: str = "quick", after: float = 0.07, **changes: Any) -> Finetune:
    """Fine-tuning of a variant that diverged by 0.1 nats; better unless ``after`` is as large."""
    change = Interval(after - 0.1 - 0.01, after - 0.1 + 0.01)
    curve = (FinetunePoint(0, 0.1), FinetunePoint(1600, 0.08), FinetunePoint(3200, after))
    better = change.high < 0
    weights = f"finetuned/{variant}-{rung}.safetensors" if better else None
    made = Finetune(variant, rung, 96, 32, 3200 if better else 0, 61.0, 0.1, after, change, weights, curve)
    return replace(made, **changes)


def make_run(*candidates: Candidate, selected: str | None = "first", **changes: Any) -> Run:
    """A run of ViT-Tiny.

    Args:
        candidates: One int8 candidate when none is given.
        selected: Id; "first" selects the first candidate.
        changes: Fields of Run to replace.
    """
    made = candidates or (make_candidate(),)
    run = Run(
        edgevit_version="0.1.0",
        created_at="2026-01-02T03:04:05Z",
        seed=0,
        spec={"model": {"name": "vit_tiny_patch16_224"}, "budget": {"max_drop": 1.0}},
        spec_sha256="cd" * 32,
        host=Host("Example CPU", 2, ("avx2", "avx512_vnni"), 8_000_000_000, "Example OS 1", "3.11.7", "performance", 1),
        tool_versions={"numpy": "2.4.6", "onnxruntime": "1.31.1"},
        baseline=Baseline(0.827, 0.96, 855, 5_700_000, 1_250_000_000, LatencyMs(28.0, 29.0, 31.0, 35.0)),
        candidates=made,
        selected=made[0].id if selected == "first" else selected,
        stages=(Stage("export", 12.3, "done"), Stage("measure", 123.0, "done")),
        calibration=CalibrationRecord("images/", tuple(f"{n:05d}.jpg" for n in range(128)), "ef" * 32, 0),
    )
    return replace(run, **changes)


def make_realistic_run(*, labels: bool = True) -> Run:
    """A run as ViT-Tiny gives it on three backends, with rejected, collapsed and failed candidates.

    Args:
        labels: Whether the images had labels.
    """
    rows: list[tuple[str, float | None, float, str, tuple[str, ...]]] = [
        ("litert/fp32", 25.7, 0.827, "ok", ()),
        ("litert/dynamic_wi8_afp32", 11.5, 0.829, "ok", ()),
        ("litert/static_wi8_ai8", 43.5, 0.002, "rejected", ("slower than litert/fp32: 43.5 ms against 25.7 ms",)),
        ("onnxruntime/fp32", 26.1, 0.827, "ok", ()),
        ("onnxruntime/dynamic_wi8_afp32", 14.4, 0.818, "ok", ()),
        ("onnxruntime/static_wi8_ai8", 16.2, 0.725, "rejected", ("accuracy drop 10.2 pt is over 1.0 pt",)),
        ("openvino/fp32", 25.4, 0.827, "ok", ()),
        ("openvino/fp16", 25.2, 0.827, "ok", ()),
        ("openvino/static_wi8_ai8", 10.6, 0.822, "ok", ()),
        ("openvino/dynamic_wi8_afp32", None, 0.0, "failed", ("export crashed: signal 11 | after 3.2 s",)),
    ]
    made = []
    for candidate_id, p50_ms, top1, status, reasons in rows:
        candidate = make_candidate(candidate_id, p50_ms=p50_ms, top1=top1, status=status, reasons=reasons)
        if p50_ms is None:
            candidate = replace(candidate, artifact=None, verification=None, accuracy=None)
        elif not labels:
            candidate = replace(candidate, accuracy=None, verification=make_verification(min(1.0, top1 / 0.827)))
        if status == "ok":
            candidate = replace(candidate, predictions=(make_prediction(0.9 * p50_ms, 4.0 * p50_ms),))  # type: ignore[operator]
        made.append(candidate)
    baseline = Baseline(0.827 if labels else None, 0.96 if labels else None, 855, 5_700_000, 1_250_000_000, None)
    return make_run(*made, selected="openvino/static_wi8_ai8", baseline=baseline)


BOARD = "pi4"


def make_board_run(emulated: str = "") -> Run:
    """:func:`make_timed_run`, measured on a board too: there the float one is faster than OpenVINO's, and LiteRT's did not run."""
    run = make_timed_run()
    bursts = {"litert/fp32": (60.0, 62.0, 61.0), "openvino/static_wi8_ai8": (80.0, 81.0, 82.0)}
    candidates = tuple(
        replace(each, on_boards={BOARD: make_latency(*bursts[each.id])} if each.id in bursts else {})
        for each in run.candidates
    )
    failures = {"litert/dynamic_wi8_afp32": "the runtime there has no op X"}
    board = BoardRecord(BOARD, replace(run.host, cpu="Cortex-A72"), emulated, failures)
    return replace(
        run, candidates=candidates, boards=(board,), selected="litert/fp32", selected_for={BOARD: "litert/fp32"}, tied={BOARD: ()}
    )  # fmt: skip


def make_timed_run(*devices: str) -> Run:
    """A run with a final round of three candidates, one of them unstable, and a fourth that was rejected before.

    The two of int8 tie on this host. On each device OpenVINO's does not run, and LiteRT's is the fastest.

    Args:
        devices: What the choice is for; this host where there are none.
    """
    float32 = make_latency(24.0, 26.0, 25.0)
    accuracy = Accuracy(
        0.822, 0.96, 855, 0.5, 0.97, Interval(0.795, 0.846), Interval(-0.4, 1.4), 0.031, (ChangedClass(7, 4, 1.0, 0.5),)
    )
    cannot: dict[str, Any] = {"latency_ms": None, "unsupported_ops": ("the format of .xml files",)}
    openvino, litert = "openvino/static_wi8_ai8", "litert/dynamic_wi8_afp32"
    here: dict[str, Any] = {
        "accuracy": accuracy,
        "top1_file": f"top1/{openvino}.csv",
        "speed_up_interval": Interval(1.9, 2.1),
    }
    return make_run(
        make_candidate(
            "litert/fp32", p50_ms=40.0, latency=float32, predictions=tuple(make_prediction(40, 120, device=d) for d in devices)
        ),
        make_candidate(
            openvino, p50_ms=20.0, parent="litert/fp32", latency=make_latency(12.0, 13.0, 12.6), speed_up=2.0, **here,
            predictions=tuple(make_prediction(1, 1, device=device, **cannot) for device in devices),
        ),
        make_candidate(
            litert, p50_ms=9.0, latency=make_latency(12.1, 12.9, 12.7, unstable="steal time 12 % in 2 of 3 bursts"),
            speed_up=1.98, speed_up_interval=Interval(1.9, 2.1), predictions=tuple(
                make_prediction(20, 60, device=device, peak_rss_bytes=Interval(40e6, 121e6)) for device in devices
            ),
        ),
        make_candidate(
            "litert/static_wi8_ai8", p50_ms=43.5, speed_up=0.57, status="rejected",
            reasons=("slower than litert/fp32: 43.5 ms against 24.8 ms (0.57 ×, interleaved)",),
        ),
        selected=litert if devices else openvino,
        selected_for=dict.fromkeys(devices, litert) if devices else {HOST: openvino},
        tied=dict.fromkeys(devices, ()) if devices else {HOST: (litert,)},
    )  # fmt: skip


def make_wide_run(candidates: int = 50, *, device: str = "raspberry-pi-5") -> Run:
    """A run of many candidates on three runtimes, each with a final round, intervals, a prediction, and every tenth rejected.

    Args:
        candidates: How many.
        device: That they are predicted for; the choice is for it.
    """
    made = []
    for number in range(candidates):
        backend = ("litert", "onnxruntime", "openvino")[number % 3]
        scheme = ("fp32", "dynamic_wi8_afp32", "static_wi8_ai8")[number // 3 % 3]
        plan = number // 9
        p50_ms = 8.0 + 0.9 * number % 23 + 6 * (scheme == "fp32")
        drop = 0.02 * (number * 7 % 50)
        is_rejected = number % 10 == 9
        made.append(
            make_candidate(
                f"{backend}/{scheme}/evit-0.{plan + 3}-4-7-10",
                p50_ms=p50_ms,
                parent=None if scheme == "fp32" else f"{backend}/fp32/evit-0.{plan + 3}-4-7-10",
                latency=make_latency(0.99 * p50_ms, p50_ms, 1.02 * p50_ms),
                accuracy=Accuracy(
                    0.827 - drop / 100,
                    0.96,
                    855,
                    drop,
                    0.97,
                    Interval(0.80 - drop / 100, 0.85 - drop / 100),
                    Interval(drop - 0.9, drop + 0.9),
                ),
                passes=(
                    PassRecord("reduce_tokens", f"evit:0.{plan + 3}@4,7,10", 1_250_000_000, 900_000_000, 0.827, 0.82),
                ),
                predictions=(make_prediction(2 * p50_ms, 5 * p50_ms, device=device),),
                status="rejected" if is_rejected else "ok",
                reasons=("accuracy drop 1.2 pt is over 1.0 pt",) if is_rejected else (),
            )
        )
    fastest = min((each for each in made if each.status == "ok"), key=lambda each: each.p50_ms or 0.0)
    return make_run(*made, selected=fastest.id, selected_for={device: fastest.id}, tied={device: ()})


def make_layer(position: int, snr_db: float | None = 40.0, agreement: float = 1.0, **more: str) -> LayerSensitivity:
    """A linear layer."""
    known = {"name": f"op_{position}", "kind": "linear", "module": f"blocks.{position}.fc"} | more
    return LayerSensitivity(macs=1_000_000, snr_db=snr_db, agreement=agreement, position=position, **known)


def make_sensitivity_report(*layers: LayerSensitivity, notes: tuple[str, ...] = ()) -> SensitivityReport:
    """A report with these layers, worst first as given."""
    return SensitivityReport(
        edgevit_version="1.0.0",
        created_at="2026-01-01T00:00:00+00:00",
        model="digits_vit",
        backend="litert",
        scheme="static_wi8_ai8",
        recipe=Recipe("static_wi8_ai8"),
        spec={"model": {"name": "digits_vit"}},
        images=ComparedImages("digits", ("a", "b"), "ab" * 32, ("only 2 calibration images",)),
        host=make_run().host,
        tool_versions={},
        layers=layers,
        notes=notes,
    )


class KeptProgress:
    """Progress that a test looks at afterwards."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int, int]] = []
        self.messages: list[str] = []
        self.plans: list[RunPlan] = []
        self.failures: list[str] = []
        self.candidates: list[str] = []
        self.details: list[str] = []

    def begin(self, plan: RunPlan) -> None:
        self.plans.append(plan)

    def stage(self, name: str, done: int, total: int, note: str = "") -> None:
        self.stages.append((name, done, total))

    def failed(self, name: str) -> None:
        self.failures.append(name)

    def candidate(self, text: str) -> None:
        self.candidates.append(text)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def detail(self, text: str) -> None:
        self.details.append(text)


def make_layer_times(layers: int = 40, source: Literal["measured", "predicted"] = "predicted") -> LayerTimes:
    """Returns the times of a transformer's layers on a made-up processor, whose roofs are known."""
    kinds = ("linear", "matmul", "softmax", "normalization", "activation", "elementwise", "layout", "conv")
    made = tuple(
        LayerTime(
            name=f"blocks.{place}.{kinds[place % len(kinds)]}",
            native=f"Op{place % len(kinds)}",
            kind=kinds[place % len(kinds)],
            ms=1.0 + place % 7,
            macs=(place + 1) * 1_000_000 if kinds[place % len(kinds)] in ("linear", "matmul", "conv") else 0,
            moved_bytes=500_000,
            arithmetic="int8" if place % 2 else "float32",
        )
        for place in range(layers)
    )
    whole = 1.25 * sum(layer.ms for layer in made)
    measured = source == "measured"
    return LayerTimes(
        device="host" if measured else "raspberry-pi-5",
        unit="ONNX Runtime, 1 thread, f32" if measured else "cpu",
        source=source,
        p50_ms=whole,
        fastest_ms=0.9 * whole if measured else None,
        basis="a profiler" if measured else "data sheet only",
        layers=made,
        roofs=None if measured else Roofs("4x Cortex-A76", (Peak("float32", 154e9), Peak("int8", 614e9)), 17.1e9),
    )


def make_result_set(
    names: Sequence[str], logits: Sequence[Sequence[float]], labels: Sequence[int] | None = None
) -> ResultSet:
    """Outputs for images whose contents are their names."""
    return ResultSet(
        logits=np.array(logits, np.float32),
        names=tuple(names),
        sha256=tuple(hashlib.sha256(name.encode()).hexdigest() for name in names),
        labels=None if labels is None else np.array(labels, np.int64),
        origin=ResultOrigin(
            artifact="model.onnx",
            artifact_sha256="a" * 64,
            images="digits",
            preprocessing=Preprocessing((32, 32), (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
            classes=(),
            runtime="ONNX Runtime 1.20",
            delegate="CPUExecutionProvider",
            precision="f32",
            threads=1,
            host="Cortex-A76",
            edgevit_version="0.2",
        ),
    )


def make_search_point(
    scheme: str = "fp32",
    tokens: str = "none",
    *,
    model: str = "digits_vit",
    drop: float = 0.0,
    ms: float = 16.0,
    size: float = 22e6,
    **changes: Any,
) -> SearchPoint:
    """A point of a search, measured unless ``status`` says otherwise."""
    form = "none" if tokens.startswith(("none", "resolution")) else "gather"
    settings = changes.pop("settings", PointSettings(model, "openvino", scheme, tokens, form))
    source: Literal["measured", "predicted"] = (
        "measured" if changes.get("status", "measured") in ("measured", "rejected") else "predicted"
    )

    def estimate(value: float, spread: float) -> Estimate:
        return Estimate(value, value - spread, value + spread, source)

    given = {
        "id": f"{model}/{settings.id}",
        "settings": settings,
        "status": "measured",
        "value": estimate(0.98 - drop / 100, 0.01),
        "drop_points": estimate(drop, 0.5),
        "p50_ms": estimate(ms, 0.2),
        "size_bytes": estimate(size, 0.0),
        "divergence": estimate(drop / 20, 0.001),
        "on_front": False,
        "candidate": settings.id if source == "measured" else None,
        **changes,
    }
    return SearchPoint(**given)


def make_search(*points: SearchPoint, **changes: Any) -> Search:
    """A search on this host of one model; three of its points are the front unless others are given."""
    points = points or (
        make_search_point("static_wi8_ai8", "tome:8", drop=0.9, ms=6.0, size=6e6, on_front=True, order=3),
        make_search_point("static_wi8_ai8", drop=0.4, ms=8.0, size=6e6, on_front=True, order=2),
        make_search_point(on_front=True, order=1),
        make_search_point("static_wi8_ai8", "evit:0.7", drop=1.5, ms=5.5, size=6e6, status="predicted"),
        make_search_point("dynamic_wi8_afp32", "evit:0.7", drop=1.4, ms=9.0, size=6e6, status="not run"),
    )
    run = make_run()
    model = SearchedModel(
        name="digits_vit",
        spec={"model": {"name": "digits_vit"}},
        run="digits_vit",
        baseline=0.98,
        metric="top1",
        samples=360,
        max_drop=1.0,
        space=58,
        layers=16,
        struck=(),
        additivity=AdditivityRecord(20, 0.97, 1.08, holds=True),
        singles=(PlanSingle("tome:8", 0.02, 0.7),),
        layer_singles=(LayerSingle("blocks.0.mlp.fc1", 0.001, measured=True, fisher=0.0008, macs=1000, weights=400),),
    )
    given = {
        "edgevit_version": "0.0",
        "created_at": "2026-11-27T10:00:00+00:00",
        "seed": 0,
        "method": "proxy",
        "objectives": ("top1", "p50_ms", "size"),
        "target": HOST,
        "models": (model,),
        "points": points,
        "front": tuple(point.id for point in points if point.on_front),
        "hypervolume": 0.6,
        "reference": {"top1": 5.0, "p50_ms": 16.0, "size": 22e6},
        "forecasts": Forecasts(6, 0.83, 0.94, 0.91),
        "budget": SearchBudget(30.0, None, 12.0, 3),
        "ended": "no other point is expected to add to the front",
        "infeasible": None,
        "host": run.host,
        "tool_versions": run.tool_versions,
        **changes,
    }
    return Search(**given)
