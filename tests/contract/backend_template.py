"""The contract of backends as checks, none of which names a backend."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.backends import Backend, Session
from edgevit.quantization.policy import Target, first_guess
from edgevit.results.graph import Graph

SAMPLES = 16
"""Images that artifacts are compared on and that quantizers are calibrated with."""
FLOAT_TOLERANCE = 1e-4
LEAST_SNR_DB = {"fp16": 45.0, "bf16": 45.0, "weight_only_wi8_afp32": 30.0, "best": 20.0, "other": 3.0}
"""Half-precision weights; a float file; int8 weights alone; the scheme that "auto" tries first for the architecture; any
other scheme, where the least is that there is more signal than noise."""


@dataclass(frozen=True)
class Network:
    """A captured PyTorch model with known answers."""

    name: str
    program: object
    """``torch.export.ExportedProgram``."""
    transformer: bool
    images: np.ndarray
    """float32 [n, 3, h, w]."""
    logits: np.ndarray
    """PyTorch's, float32 [n, classes]."""
    params: int


def run_all(session: Session, images: np.ndarray) -> np.ndarray:
    """Logits of single images, float32 [n, classes]."""
    return np.concatenate([session.run((np.ascontiguousarray(image[None]),))[0] for image in images])


def snr_db(signal: np.ndarray, other: np.ndarray) -> float:
    noise = float(np.square(signal - other, dtype=np.float64).sum())
    return math.inf if noise == 0 else 10 * math.log10(float(np.square(signal, dtype=np.float64).sum()) / noise)


def digest(main: Path) -> dict[str, str]:
    """Digests of the files of an artifact by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(main.parent.iterdir())}


def check_signature(session: Session, network: Network) -> None:
    """One float32 image in, called input; one float32 row of logits out, called logits; both of static shape."""
    (given,), (out,) = session.inputs, session.outputs
    assert "input" in given.name
    assert "logits" in out.name
    assert given.shape == (1, *network.images.shape[1:])
    assert out.shape == (1, network.logits.shape[1])
    assert (given.dtype, out.dtype) == ("float32", "float32")
    assert (given.layout, out.layout) == ("NCHW", "NC")
    assert (given.scale, given.zero_point) == (None, None)


def check_session(session: Session, network: Network) -> None:
    """A session describes itself, and a run has no side effect."""
    assert session.runtime_version[0].isdigit()
    assert session.delegate
    assert session.precision
    image = np.ascontiguousarray(network.images[:1])
    before = image.copy()
    (first,) = session.run((image,))
    kept = first.copy()
    session.run((np.ascontiguousarray(network.images[1:2]),))
    (again,) = session.run((image,))
    assert (first.dtype, first.shape) == (np.float32, (1, network.logits.shape[1]))
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(first, kept, "an answer changed after it was given")
    np.testing.assert_array_equal(first, again, "the same image got another answer")


def check_parity(session: Session, network: Network) -> None:
    """Float logits are PyTorch's."""
    difference = np.abs(run_all(session, network.images) - network.logits).max()
    assert difference <= FLOAT_TOLERANCE * np.abs(network.logits).max()


def check_float_graph(graph: Graph, backend: Backend, network: Network, macs: int) -> None:
    """The graph reader sees a float model with PyTorch's weights and work."""
    assert graph.format == backend.suffix.removeprefix(".")
    assert graph.int8_mac_share == 0
    assert {op.numerics for op in graph.ops} == {"float"}
    assert graph.macs >= 0.98 * macs
    assert abs(graph.params - network.params) <= 0.02 * network.params
    assert len(graph.inputs) == len(graph.outputs) == 1
    assert graph.tensor[graph.inputs[0]].shape == (1, *network.images.shape[1:])
    assert graph.tensor[graph.outputs[0]].shape == (1, network.logits.shape[1])


def least_snr_db(backend: Backend, scheme: str, transformer: bool) -> float:
    """How good the logits of a scheme have to be on random weights."""
    if scheme in LEAST_SNR_DB:
        return LEAST_SNR_DB[scheme]
    return LEAST_SNR_DB["best" if _first_choice(backend, transformer) == scheme else "other"]


def _first_choice(backend: Backend, transformer: bool) -> str:
    target = Target("transformer" if transformer else "cnn", False, "none", ())
    return first_guess(backend.policy, target).schemes[0]


def check_takes_pixels(session: Session, network: Network) -> None:
    """One image of bytes in, channels last, whose values are its own; logits out as ever."""
    (given,), (out,) = session.inputs, session.outputs
    _, channels, height, width = network.images.shape
    assert "input" in given.name
    assert (given.shape, given.dtype, given.layout) == ((1, height, width, channels), "uint8", "NHWC")
    assert (given.scale, given.zero_point) in ((None, None), (1.0, 0))
    assert "logits" in out.name
    assert (out.shape, out.dtype) == ((1, network.logits.shape[1]), "float32")


def check_embedded(
    plain: Session,
    embedded: Session,
    network: Network,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    *,
    is_float: bool,
) -> None:
    """Pixels give the logits that the plain artifact gives when they are normalized before, least and largest ones too."""
    _, channels, height, width = network.images.shape
    shape, bytes_ = (1, height, width, channels), np.random.default_rng(1)
    flat = [np.full(shape, level, np.uint8) for level in (0, 255)]
    images = [*flat, *(bytes_.integers(0, 256, shape, dtype=np.uint8) for _ in range(6))]
    outside = [((image / 255 - mean) / std).astype(np.float32).transpose(0, 3, 1, 2) for image in images]
    expected = run_all(plain, np.concatenate(outside))
    found = np.concatenate([embedded.run((image,))[0] for image in images])
    if is_float:
        assert np.abs(found - expected).max() <= FLOAT_TOLERANCE * np.abs(expected).max()
        assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()
    else:
        assert snr_db(expected, found) >= LEAST_SNR_DB["best"]
