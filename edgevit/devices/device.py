"""A device as described by its TOML file: every number has its unit in its name, and a source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics
from edgevit.spec.spec import Section
from edgevit.spec.toml_files import find, read_toml, validate

Arithmetic = Literal["float32", "float16", "int8"]
"""Number format that a unit multiplies in."""

Text = Annotated[str, Field(min_length=3)]


class Quantity(Section):
    """A positive number and its source."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    source: Text
    """Public source, or a calculation from one."""


class Share(Section):
    """A fraction of a peak, in (0, 1], and its source."""

    value: Annotated[float, Field(gt=0, le=1)]
    source: Text


class Peaks(Section):
    """Dense peak rates in operations per second; one multiply-accumulate is two operations."""

    float32: Quantity | None = None
    float16: Quantity | None = None
    int8: Quantity | None = None


class Efficiency(Section):
    """Share of the peak rate that ops of each family achieve."""

    conv: Share
    depthwise_conv: Share
    linear: Share
    matmul: Share


class Execution(Section):
    """How a unit runs ops of one kind of numerics."""

    arithmetic: Arithmetic
    efficiency: Efficiency


class Interval(Section):
    """Interval of the true latency, as factors on the predicted median."""

    low_factor: Annotated[float, Field(gt=0, le=1)]
    high_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    source: Text
    """Reason for the width of the interval."""


class OpLimits(Section):
    """Ops that a unit cannot run, number formats aside."""

    supported: tuple[str, ...] | None = None
    """Native names; when given, every other op is unsupported."""
    unsupported: tuple[str, ...] = ()
    """Native names."""
    unsupported_kinds: tuple[OpKind, ...] = ()
    max_rank: Annotated[int, Field(ge=1)] | None = None
    """Most axes of a computed tensor."""
    source: Text = "nothing is known to be unsupported"


class Unit(Section):
    """One processor of a device together with the software that drives it."""

    name: Text
    title: Text
    """Processor, clock and number of threads, for people."""
    formats: tuple[Literal["onnx", "openvino", "tflite"], ...]
    runtime: Text
    """Software that the efficiencies apply to."""
    numerics: dict[Numerics, Execution]
    """Numerics that the unit runs; ops with others are unsupported."""
    peak_ops_per_second: Peaks
    memory_bandwidth_bytes_per_second: Quantity
    """Of the memory, or of the link if the unit keeps activations on chip."""
    bandwidth_efficiency: Share
    """Share of the bandwidth that programs achieve."""
    on_chip_memory_bytes: Quantity | None = None
    """Memory that holds activations, and weights between inferences, so that they need no bandwidth."""
    per_op_overhead_ms: Quantity
    """Fixed launch cost of each op."""
    ops: OpLimits = OpLimits()
    interval: Interval

    @property
    def requires_static_int8(self) -> bool:
        """Whether only statically quantized int8 runs."""
        return set(self.numerics) == {"int8_static"}

    @model_validator(mode="after")
    def _peak_for_each_arithmetic(self) -> Unit:
        for numerics, execution in self.numerics.items():
            if getattr(self.peak_ops_per_second, execution.arithmetic) is None:
                raise ValueError(f"{numerics} runs in {execution.arithmetic}, for which peak_ops_per_second is missing")
        if not self.numerics or not self.formats:
            raise ValueError("numerics and formats must not be empty")
        return self

    def peak(self, arithmetic: Arithmetic) -> float:
        """Returns the peak rate in operations per second.

        Raises:
            KeyError: the unit does not support that arithmetic.
        """
        quantity: Quantity | None = getattr(self.peak_ops_per_second, arithmetic)
        if quantity is None:
            raise KeyError(arithmetic)
        return quantity.value


class Device(Section):
    """A target device of artifacts."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    title: Text
    """Product and power mode, for people."""
    kind: Literal["single-board computer", "gpu module", "phone", "accelerator"]
    about: str = ""
    """Remarks on the predictions, for people."""
    memory_bytes: Quantity | None = None
    """Main memory; None when the host's is used."""
    units: Annotated[tuple[Unit, ...], Field(min_length=1)]
    """Compute units, in order of preference."""

    @property
    def needs_static_int8(self) -> bool:
        """Whether the first unit runs int8 only if it is static, as on NPUs and in TensorRT."""
        return "int8_static" in self.units[0].numerics and "int8_dynamic" not in self.units[0].numerics

    @model_validator(mode="after")
    def _distinct_units(self) -> Device:
        names = [unit.name for unit in self.units]
        if len(set(names)) != len(names):
            raise ValueError(f"units must have distinct names, not {', '.join(names)}")
        return self


def load_device(name: str) -> Device:
    """Loads a shipped device by its name, or a device file by its path.

    Raises:
        UsageError: there is no such device, or the file is not valid.
    """
    path = find("devices", name)
    return validate(Device, read_toml(path), str(path))
