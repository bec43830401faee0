"""Which ops of an artifact fall off a compute unit, into how many parts that cuts the graph, and what to change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgevit.devices.device import Unit
from edgevit.devices.runtimes import RUNTIMES, Runtime
from edgevit.results.graph import Graph, Op
from edgevit.results.op_support import Fallback, FallbackReason, UnitSupport
from edgevit.spec.recipe import LAYER_KINDS, OpKind

CAPTURED = "aten"
"""Format of a graph that was captured from PyTorch. Its ops have other names than those of files, so that of a unit's limits
only kinds of ops and numerics are checked."""
_FORMAT_OF_SUFFIX = {"xml": "openvino"}
_FORMAT_WORDS = {"onnx": "ONNX", "openvino": "OpenVINO", "tflite": "TFLite"}
_WORDS = {
    "float": "float",
    "int8_static": "static int8",
    "int8_dynamic": "dynamic int8",
    "int16_static": "static int16",
    "int8_weights": "int8 weights with wider activations",
}
_CHANGE_OF_KIND: dict[OpKind, str] = {
    "topk": "--form arithmetic selects tokens without it",
    "gather": "--form arithmetic, where a token plan made it",
}
Lack = tuple[str, FallbackReason, str, str]
"""Native name of an op, reason, detail, and what to change."""

_MOSTLY = 0.5
"""Share of the MACs in static int8 from which a graph is meant to be all static."""
_SYMMETRIC = (
    "quantize for the device: --profile jetson-orin, or `edgevit quantize --device`, writes what TensorRT reads"
)
_OTHER_NETWORK = "take a network without it, or another unit"


def accepts(graph: Graph, unit: Unit) -> bool:
    """Returns whether a runtime of the unit reads the format of the artifact."""
    return runtime_of(graph, unit) is not None


def runtime_of(graph: Graph, unit: Unit) -> Runtime | None:
    """Returns the unit's preferred runtime that reads the format of the artifact; None where none does.

    A graph that was captured from PyTorch is in no format yet: it is for the runtime that the unit prefers of all.
    """
    if graph.format == CAPTURED:
        return RUNTIMES[unit.runtimes[0]]
    return unit.runtime_of(_FORMAT_OF_SUFFIX.get(graph.format, graph.format))


def check_support(graph: Graph, unit: Unit) -> UnitSupport:
    """Finds what of an artifact a unit runs.

    A conversion of the number format of an input or output of the graph is left to the processor and cuts nothing.
    Where the runtime hands ops that it lacks to the processor, the graph is cut as partitioners of delegates do: as many
    ops of one side as are ready, then of the other.

    Args:
        graph: Ops of the artifact, in execution order.
        unit: Of a device.
    """
    runtime = runtime_of(graph, unit)
    if runtime is None:
        return _nothing(unit, _wrong_format(graph, unit))
    checked = _Check(graph, unit)
    lacking = [checked.missing(op) for op in graph.ops]
    on_unit = [lack is None and not checked.converts_io(op) for op, lack in zip(graph.ops, lacking, strict=True)]
    blocked = any(lacking)
    if blocked and runtime.fallback == "none":
        on_unit = [False] * len(on_unit)
    if blocked and runtime.fallback == "rest":
        first = next(index for index, lack in enumerate(lacking) if lack)
        on_unit = [there and index < first for index, there in enumerate(on_unit)]
    macs = sum(op.macs for op, there in zip(graph.ops, on_unit, strict=True) if there)
    return UnitSupport(
        unit=unit.name,
        runtime=runtime.name,
        fallbacks=(*_counted(lacking), *checked.float_io()),
        partitions=_partitions(graph, on_unit) if blocked else int(any(on_unit)),
        mac_share=macs / graph.macs if graph.macs else float(not blocked),
    )


def unsupported_ops(graph: Graph, unit: Unit) -> tuple[str, ...]:
    """Returns what a unit cannot run, most frequent first.

    Returns:
        One entry per native op and reason, with the number of such ops, such as "GELU (12 x)", "CONV_2D in float (3 x)"
        or "TRANSPOSE with 5 axes (12 x)"; empty when the unit runs every op.
    """
    return check_support(graph, unit).unsupported_ops


def open_shapes(unit: Unit, tensor: str) -> UnitSupport:
    """Returns the support of an artifact with a tensor whose shape is not fixed: nothing runs anywhere.

    Args:
        unit: Of a device.
        tensor: Name of the tensor, and what makes it.
    """
    change = "export it with static shapes"
    return _nothing(unit, Fallback(f"the open shape of {tensor}", "dynamic_shape", "", 1, change))


def not_symmetric(graph: Graph) -> tuple[Fallback, ...]:
    """Returns what of a file's quantization a runtime that takes symmetric int8 alone, as TensorRT, refuses; most frequent first.

    Args:
        graph: Of an ONNX file.
    """
    return _counted([_asymmetry(graph, op) for op in graph.ops])


def _wrong_format(graph: Graph, unit: Unit) -> Fallback:
    readable = " or ".join(sorted(_FORMAT_WORDS[format] for format in unit.formats))
    return Fallback(f"the format of .{graph.format} files", "format", "", 1, f"export {readable}")


def _nothing(unit: Unit, fallback: Fallback) -> UnitSupport:
    return UnitSupport(unit.name, "", (fallback,), partitions=0, mac_share=0.0)


@dataclass(frozen=True)
class _Check:
    """An artifact against the limits of a unit."""

    graph: Graph
    unit: Unit

    @cached_property
    def ends(self) -> frozenset[str]:
        """Inputs and outputs of the graph."""
        return frozenset((*self.graph.inputs, *self.graph.outputs))

    def float_io(self) -> tuple[Fallback, ...]:
        """Returns that the processor converts float inputs and outputs, where the unit takes integers alone."""
        floats = sum(self.graph.tensor[name].dtype.startswith(("float", "bfloat")) for name in self.ends)
        if not floats or not self.unit.ops.integer_io:
            return ()
        io = "float inputs and outputs, which the processor converts"
        return (Fallback(io, "float_io", "", floats, "--integer-io int8"),)

    @cached_property
    def symmetric(self) -> bool:
        """Whether the runtime takes symmetric int8 alone."""
        runtime = runtime_of(self.graph, self.unit)
        return runtime is not None and runtime.symmetric and self.graph.format != CAPTURED

    def missing(self, op: Op) -> Lack | None:
        """Returns why the unit lacks an op; None where it has it."""
        if self.symmetric and (lack := _asymmetry(self.graph, op)):
            return lack
        if self.converts_io(op):
            return None
        if op.foreign:
            return (
                op.native,
                "foreign_op",
                ", which is none of the runtime's own ops",
                "export without Flex and custom ops",
            )
        if op.kind == "other":
            return op.native, "unknown_op", ", of which it is not known what it takes", _OTHER_NETWORK
        limits = self.unit.ops
        if self.graph.format == CAPTURED:
            lacks = op.kind in limits.unsupported_kinds
            return (op.native, "op", "", self._change_of_op(op)) if lacks else self._numerics_problem(op)
        listed = limits.supported is None or op.native in limits.supported
        if not listed or op.native in limits.unsupported or op.kind in limits.unsupported_kinds:
            return op.native, "op", "", self._change_of_op(op)
        return self._shape_problem(op) or self._number_problem(op)

    def converts_io(self, op: Op) -> bool:
        """Whether an op converts an input or output of the graph between number formats."""
        return op.kind == "quantize" and not self.ends.isdisjoint((*op.inputs, *op.outputs))

    def _shape_problem(self, op: Op) -> Lack | None:
        limits = self.unit.ops
        if limits.max_rank is None and limits.max_axis_length is None:
            return None
        tensors = (self.graph.tensor[name] for name in (*op.inputs, *op.outputs))
        shapes = [tensor.shape for tensor in tensors if not tensor.constant]
        rank = max(map(len, shapes), default=0)
        if limits.max_rank is not None and rank > limits.max_rank:
            return op.native, "rank", f"with {rank} axes", f"keep its tensors to {limits.max_rank} axes"
        length = max((max(shape, default=0) for shape in shapes), default=0)
        if limits.max_axis_length is not None and length > limits.max_axis_length:
            return op.native, "axis_length", f"with {length} elements along an axis", "a smaller image or batch"
        return None

    def _numerics_problem(self, op: Op) -> Lack | None:
        if op.kind in ("quantize", "constant") or op.numerics in self.unit.numerics:
            return None
        native = "ops" if self.graph.format == CAPTURED else op.native  # all of one are in the same numbers
        return native, "numerics", f"in {_WORDS[op.numerics]}", self._change_of_numbers(op)

    def _number_problem(self, op: Op) -> Lack | None:
        problem = self._numerics_problem(op)
        if problem or op.kind in ("quantize", "constant"):
            return problem
        weights = (self.graph.tensor[name] for name in op.inputs)
        if self.unit.ops.per_tensor_weights and any(tensor.constant and tensor.scales > 1 for tensor in weights):
            change = "quantize its weights with one scale, by the vendor's converter"
            return op.native, "per_channel_weights", "with a scale for each channel", change
        return None

    def _change_of_op(self, op: Op) -> str:
        if op.kind == "quantize" or op.numerics not in self.unit.numerics:
            return self._change_of_numbers(op)
        return _CHANGE_OF_KIND.get(op.kind, _OTHER_NETWORK)

    def _change_of_numbers(self, op: Op) -> str:
        if op.numerics == "int8_dynamic" and self.graph.layer_share("int8_static") > _MOSTLY:
            return "--integer-io int8, which makes the last layer static too"
        schemes = {"int8_static": "static_wi8_ai8", "float": "fp32", "int16_static": "static_wi8_ai16"}
        return "--scheme " + " or ".join(name for numerics, name in schemes.items() if numerics in self.unit.numerics)


def _asymmetry(graph: Graph, op: Op) -> Lack | None:
    """Returns what TensorRT does not take of how an op's tensors are quantized."""
    tensors = [graph.tensor[name] for name in (*op.inputs, *op.outputs)]
    found = next((each for each in tensors if each.asymmetric and (op.kind == "quantize" or each.constant)), None)
    if found is not None:
        unsigned = found.dtype.startswith("uint")
        detail = "with unsigned integers" if unsigned else "with a zero point other than 0"
        return op.native, "asymmetric", detail, _SYMMETRIC
    if op.kind == "quantize" and any(tensor.scales > 1 and not tensor.constant for tensor in tensors):
        return op.native, "activation_scales", "with a scale for each channel of an activation", _SYMMETRIC
    biases = (graph.tensor[name] for name in op.inputs[2:])
    if op.kind in LAYER_KINDS and any(tensor.constant and tensor.dtype == "int32" for tensor in biases):
        return op.native, "int32_bias", "with biases in int32", _SYMMETRIC
    return None


def _counted(lacking: Sequence[Lack | None]) -> tuple[Fallback, ...]:
    """Returns one entry for each op and reason, most frequent first."""
    counts = Counter(lack for lack in lacking if lack)
    return tuple(Fallback(op, reason, detail, n, change) for (op, reason, detail, change), n in counts.most_common())


def _partitions(graph: Graph, on_unit: Sequence[bool]) -> int:
    """Returns how many parts run on the unit: in turn as many ops of the unit, and of the processor, as are ready."""
    maker = {name: index for index, op in enumerate(graph.ops) for name in op.outputs}
    makers = [{maker[name] for name in op.inputs if name in maker} for op in graph.ops]
    readers: list[list[int]] = [[] for _ in graph.ops]
    for index, needed in enumerate(makers):
        for other in needed:
            readers[other].append(index)
    missing = [len(needed) for needed in makers]
    ready: dict[bool, list[int]] = {True: [], False: []}
    for index, count in enumerate(missing):
        if count == 0:
            ready[on_unit[index]].append(index)
    parts, side = 0, True
    while ready[True] or ready[False]:
        parts += side and bool(ready[side])
        while ready[side]:
            for reader in readers[ready[side].pop()]:
                missing[reader] -= 1
                if missing[reader] == 0:
                    ready[on_unit[reader]].append(reader)
        side = not side
    return parts
