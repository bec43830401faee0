"""A device as described by its TOML file: every number has its unit in its name, and a source."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from edgevit.devices.runtimes import RUNTIMES, Format, Runtime, RuntimeName
from edgevit.spec.recipe import OpKind
from edgevit.spec.schemes import Numerics
from edgevit.spec.spec import Section
from edgevit.spec.toml_files import find, read_toml, validate

Arithmetic = Literal["float32", "float16", "int16", "int8"]
"""Number format that a unit multiplies in: of the activations, where weights are narrower."""
Instructions = Literal[
    "neon", "fp16", "bf16", "dotprod", "i8mm", "sve2", "avx2", "avx_vnni", "avx512", "avx512_vnni", "amx"
]
"""Vector instructions: "fp16" computes in float16, "dotprod" and the "vnni" ones multiply int8 in dot products."""

UnitKind = Literal["cpu", "gpu", "npu"]

Text = Annotated[str, Field(min_length=3)]
Count = Annotated[int, Field(gt=0)]


def _check_not_empty(value: tuple[object, ...]) -> tuple[object, ...]:
    """Refuses an empty array; pydantic's own limit counts entries with faults as missing, and so tells of one more."""
    if not value:
        raise ValueError("is empty; give at least one")
    return value


_NOT_EMPTY = Field(json_schema_extra={"minItems": 1})


class Quantity(Section):
    """A positive number and its source."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    source: Text
    """Public source, or a calculation from one."""


class Share(Section):
    """A fraction of a peak, in (0, 1], and its source."""

    value: Annotated[float, Field(gt=0, le=1)]
    source: Text


class Cores(Section):
    """Cores of one kind in a unit."""

    architecture: Text
    """Such as "Cortex-A72", "Ampere" or "Hexagon v75"."""
    count: Count | None = None
    matrix_units: Count | None = None
    """Of a GPU: tensor cores."""
    clock_hz: Annotated[float, Field(gt=0)] | None = None
    """Highest clock in the power mode that the device file is for."""
    instructions: tuple[Instructions, ...] = ()
    source: Text


class PowerMode(Section):
    """A power mode that the device can be set to."""

    name: Annotated[str, Field(min_length=1)]
    watts: Annotated[float, Field(gt=0)] | None = None
    source: Text


class Peaks(Section):
    """Dense peak rates in operations per second; one multiply-accumulate is two operations."""

    float32: Quantity | None = None
    float16: Quantity | None = None
    int16: Quantity | None = None
    int8: Quantity | None = None


class Efficiency(Section):
    """Share of the peak rate that ops of each family achieve."""

    conv: Share
    depthwise_conv: Share
    linear: Share
    matmul: Share


class Interval(Section):
    """Interval of the true latency, as factors on the predicted median."""

    low_factor: Annotated[float, Field(gt=0, le=1)]
    high_factor: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    source: Text
    """Reason for the width of the interval."""


class Roofline(Section):
    """What a prediction from the data sheet takes beside peak rates and bandwidth."""

    bandwidth_efficiency: Share
    """Share of the bandwidth that programs achieve."""
    per_op_overhead_ms: Quantity
    """Fixed launch cost of each op."""
    efficiency: dict[Numerics, Efficiency]
    """For each of the numerics that the unit runs."""
    interval: Interval


class OpLimits(Section):
    """What a unit cannot run, number formats aside."""

    supported: tuple[str, ...] | None = None
    """Native names; when given, every other op is unsupported."""
    unsupported: tuple[str, ...] = ()
    """Native names."""
    unsupported_kinds: tuple[OpKind, ...] = ()
    max_rank: Count | None = None
    """Most axes of a computed tensor."""
    max_axis_length: Count | None = None
    """Most elements along an axis of a computed tensor."""
    static_shapes: bool = False
    """Whether every shape has to be fixed in the file."""
    per_tensor_weights: bool = False
    """Whether quantized weights need one scale for the whole tensor, rather than one for each channel."""
    integer_io: bool = False
    """Whether the unit takes and gives integers alone, so that the processor converts a float input or output."""
    source: Text = "nothing is known to be unsupported"


CALIBRATED_FEATURES = 2
"""Version of the features of kernels that a calibration gives costs to: costs of others would be of something else."""


def _check_features(version: int) -> int:
    if version != CALIBRATED_FEATURES:
        raise ValueError(
            f"costs are of features {version}, this edgevit computes {CALIBRATED_FEATURES}: make the file again by edgevit devices calibrate"
        )
    return version


class Calibration(Section):
    """What ``edgevit devices calibrate`` found of one runtime on the machine itself; no other coefficients are in a device file."""

    runtime: RuntimeName
    runtime_version: Annotated[str, Field(min_length=1)]
    threads: Count
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    edgevit_version: Annotated[str, Field(min_length=1)]
    networks: Count
    """Small networks that were timed, each in floats and in int8 where the runtime has both."""
    reference_ms: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Time of the network that each of their times was divided by."""
    reference_drift: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Width of the middle half of its times while the others were timed, as a share of ``reference_ms``."""
    median_error: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Of whole networks, each predicted from the others: relative, median."""
    half_width: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """Of the interval that 80 % of those are in, of the logarithm of a time."""
    features: Annotated[int, AfterValidator(_check_features), Field(validate_default=True)] = 1
    """:data:`CALIBRATED_FEATURES` when it was made."""
    busy: Text | None = None
    """What disturbed the timing; None if nothing did."""
    costs: Annotated[dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)]
    """Of each feature of kernels, in times of the reference network."""


class Unit(Section):
    """One processor of a device together with the runtimes that drive it."""

    name: Text
    title: Text
    """Processor, clock and number of threads, for people."""
    kind: UnitKind
    cores: tuple[Cores, ...] = ()
    """Fastest first."""
    threads: Count | None = None
    """Of a processor: threads that predictions are for."""
    runtimes: Annotated[tuple[RuntimeName, ...], AfterValidator(_check_not_empty), _NOT_EMPTY]
    """In order of preference."""
    numerics: Annotated[dict[Numerics, Arithmetic], Field(min_length=1)]
    """Numerics that the unit runs, and what it multiplies in; ops with others are unsupported."""
    peak_ops_per_second: Peaks = Peaks()
    memory_bandwidth_bytes_per_second: Quantity | None = None
    """Of the memory, or of the link if the unit keeps activations on chip."""
    on_chip_memory_bytes: Quantity | None = None
    """Memory that holds activations, and weights between inferences, so that they need no bandwidth."""
    runtime_memory_bytes: Quantity | None = None
    """Memory that the runtime takes by itself, whatever the network."""
    ops: OpLimits = OpLimits()
    roofline: Roofline | None = None
    """None where too little is published for a prediction from the data sheet."""
    calibrations: tuple[Calibration, ...] = ()
    """One for each runtime that was calibrated on this machine."""

    @field_validator("calibrations")
    @classmethod
    def _of_its_runtimes(cls, value: tuple[Calibration, ...], info: ValidationInfo) -> tuple[Calibration, ...]:
        found = [calibration.runtime for calibration in value]
        if len(set(found)) != len(found):
            raise ValueError("calibrates a runtime twice; keep one of them")
        missing = [name for name in found if name not in info.data.get("runtimes", found)]
        if missing:
            raise ValueError(f"calibrates {', '.join(missing)}, which is none of runtimes")
        return value

    @field_validator("runtimes")
    @classmethod
    def _distinct_runtimes(cls, value: tuple[RuntimeName, ...]) -> tuple[RuntimeName, ...]:
        repeated = [name for name, count in Counter(value).items() if count > 1]
        if repeated:
            raise ValueError(f"{', '.join(repeated)} is given twice; give it once")
        return value

    @field_validator("roofline")
    @classmethod
    def _needs_rates(cls, value: Roofline | None, info: ValidationInfo) -> Roofline | None:
        known = info.data
        if value is None or not {"numerics", "peak_ops_per_second", "memory_bandwidth_bytes_per_second"} <= set(known):
            return value
        missing = [f"efficiency.{name}" for name in known["numerics"] if name not in value.efficiency]
        missing += [
            f"peak_ops_per_second.{arithmetic}"
            for arithmetic in dict.fromkeys(known["numerics"].values())
            if getattr(known["peak_ops_per_second"], arithmetic) is None
        ]
        if known["memory_bandwidth_bytes_per_second"] is None:
            missing.append("memory_bandwidth_bytes_per_second")
        if missing:
            raise ValueError(f"a roofline of these numerics needs {', '.join(missing)}")
        return value

    @property
    def formats(self) -> tuple[Format, ...]:
        """Formats that its runtimes read, in their order."""
        return tuple(dict.fromkeys(format for name in self.runtimes for format in RUNTIMES[name].formats))

    @property
    def requires_static_int8(self) -> bool:
        """Whether only statically quantized int8 runs."""
        return set(self.numerics) == {"int8_static"}

    def runtime_of(self, format: str) -> Runtime | None:
        """Returns the preferred runtime that reads a format, or None."""
        return next((RUNTIMES[name] for name in self.runtimes if format in RUNTIMES[name].formats), None)

    def peak(self, arithmetic: Arithmetic) -> float:
        """Returns the peak rate in operations per second.

        Raises:
            KeyError: the unit does not support that arithmetic, or its rate is not known.
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
    kind: Literal["single-board computer", "gpu module", "phone", "accelerator", "computer"]
    about: str = ""
    """Remarks on the predictions, for people."""
    chip: Text | None = None
    """System on chip, or chip of the accelerator."""
    measured_as: tuple[Text, ...] = ()
    """What published measurements of this device call it; none where there are none."""
    memory_bytes: Quantity | None = None
    """Main memory; None when the host's is used, or products differ."""
    memory_bandwidth_bytes_per_second: Quantity | None = None
    """Of the main memory."""
    power_modes: tuple[PowerMode, ...] = ()
    power_mode: str | None = None
    """The one of ``power_modes`` that clocks and rates are for."""
    units: Annotated[tuple[Unit, ...], AfterValidator(_check_not_empty), _NOT_EMPTY]
    """Compute units, in order of preference."""
    sources: tuple[Text, ...] = ()
    """Pages that the facts were read from."""

    @field_validator("power_mode")
    @classmethod
    def _one_of_the_modes(cls, value: str | None, info: ValidationInfo) -> str | None:
        modes = [mode.name for mode in info.data.get("power_modes", ())]
        if value is not None and "power_modes" in info.data and value not in modes:
            raise ValueError(f"is none of power_modes: {', '.join(modes) or 'there are none'}")
        return value

    @field_validator("units")
    @classmethod
    def _distinct_units(cls, value: tuple[Unit, ...]) -> tuple[Unit, ...]:
        names = [unit.name for unit in value]
        if len(set(names)) != len(names):
            raise ValueError(f"must have distinct names, not {', '.join(names)}")
        return value

    @property
    def needs_static_int8(self) -> bool:
        """Whether the first unit runs int8 only if it is static, as on NPUs and in TensorRT."""
        return "int8_static" in self.units[0].numerics and "int8_dynamic" not in self.units[0].numerics


def load_device(name: str) -> Device:
    """Loads a shipped device by its name, or a device file by its path.

    Raises:
        UsageError: there is no such device, or the file is not valid; every fault is listed with its path.
    """
    path = find("devices", name)
    return validate(Device, read_toml(path), str(path), most_lines=None)
