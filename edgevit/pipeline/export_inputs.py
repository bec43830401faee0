"""What a spec asks to export to: backends, schemes that fit them and this processor, and what artifacts are for."""

from __future__ import annotations

from edgevit.backends import Backend, check_makers, check_scheme, get_backend
from edgevit.devices.device import Device
from edgevit.devices.runtimes import RUNTIMES
from edgevit.errors import UsageError, unknown_name
from edgevit.measure.host import has_precision
from edgevit.model.load import Model
from edgevit.quantization.policy import Target
from edgevit.results.measurement import Host
from edgevit.spec.recipe import IntegerIo
from edgevit.spec.schemes import AUTO as AUTO_SCHEME
from edgevit.spec.schemes import SCHEMES
from edgevit.spec.spec import Spec


def open_backends(spec: Spec, devices: tuple[Device, ...] = ()) -> tuple[Backend, ...]:
    """Returns the backends that a spec names, each once; where it names none, those whose files a device of the run reads.

    Args:
        spec: What to do.
        devices: That artifacts are for.

    Raises:
        UsageError: one does not exist or is not installed, or has no such scheme or integer I/O.
    """
    backends = tuple({backend.name: backend for backend in map(get_backend, _names(spec, devices))}.values())
    if not backends:
        raise UsageError("no backend is asked for", "give --export onnx,openvino,tflite")
    if spec.quantize.integer_io != "none":
        _check_integer_io(spec, backends)
    for backend in backends:
        check_makers(backend)
        for scheme in spec.export.schemes:
            if scheme != AUTO_SCHEME:
                check_scheme(backend, scheme)
    return backends


def _names(spec: Spec, devices: tuple[Device, ...]) -> tuple[str, ...]:
    names = spec.export.backends
    if "backends" in spec.export.model_fields_set:
        return names
    read = {format for device in devices for unit in device.units for format in unit.formats}
    return tuple(name for name in names if get_backend(name).format in read) or names


def check_schemes(spec: Spec, host: Host) -> None:
    """Refuses, before a model is loaded, schemes that this processor cannot compute or that lack calibration images.

    Raises:
        UsageError: names the first, and why.
    """
    for name in spec.export.schemes:
        if name != AUTO_SCHEME and not has_precision(SCHEMES[name].precision, host.isa):
            raise UsageError(
                f"{name} needs a processor with {SCHEMES[name].precision}; {host.cpu} has none",
                "leave it out of --scheme, or run on one that has it",
            )
        if name != AUTO_SCHEME and SCHEMES[name].calibrated and spec.data.calibration is None:
            raise UsageError(
                f"{name} needs images to calibrate with",
                "give --calibration: a source, or a part of --data such as 20%",
            )


def check_float_layers(spec: Spec, model: Model) -> None:
    """Refuses names of modules to keep in float that the model does not have.

    Raises:
        UsageError: names the first, and those that are like it.
    """
    paths = [name.split(".")[:-1] for name, _ in model.module.named_parameters()]
    known = {".".join(path[:length]) for path in paths for length in range(1, len(path) + 1)}
    for name in spec.quantize.float_layers or ():
        if name not in known:
            raise unknown_name("module in quantize.float_layers", name, sorted(known))


def target_of(transformer: bool, devices: tuple[Device, ...], host: Host, integer_io: IntegerIo = "none") -> Target:
    """Returns what artifacts are made for, as far as quantization depends on it.

    Args:
        transformer: Whether the captured model is a transformer.
        devices: That artifacts are for.
        host: That they are made on.
        integer_io: Number format of their input and output.
    """
    symmetric = any(RUNTIMES[name].symmetric for device in devices for unit in device.units for name in unit.runtimes)
    return Target("transformer" if transformer else "cnn", bool(_npus(devices)), integer_io, host.isa, symmetric)


def fits_integer_io(scheme: str) -> bool:
    """Whether artifacts of a scheme can have integers as input and output."""
    return SCHEMES[scheme].numerics == "int8_static"


def _check_integer_io(spec: Spec, backends: tuple[Backend, ...]) -> None:
    for backend in backends:
        if not backend.has_integer_io:
            raise UsageError(
                f"{backend.title} artifacts have float inputs and outputs",
                "integer I/O works only with --export tflite",
            )
    others = [name for name in spec.export.schemes if name != AUTO_SCHEME and not fits_integer_io(name)]
    if others:
        raise UsageError(f"integer I/O needs static int8, not {others[0]}", "give --scheme static_wi8_ai8")


def _npus(devices: tuple[Device, ...]) -> tuple[Device, ...]:
    return tuple(device for device in devices if device.needs_static_int8)
