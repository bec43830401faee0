"""Every backend against the contract in backend_template.py; a new one needs no change here."""

from __future__ import annotations

import importlib
import inspect
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.artifacts.make import check_label  # noqa: E402
from edgevit.backends import (  # noqa: E402
    Backend,
    all_backends,
    backend_names,
    backend_of_file,
    check_makers,
    check_scheme,
    check_size,
    get_backend,
)
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.architecture import is_transformer  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.quantization.policy import Architecture, Target, first_guess, first_recipe  # noqa: E402
from edgevit.spec.recipe import OpKind, RangeMethod  # noqa: E402
from edgevit.spec.schemes import SCHEMES  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402

# isort: split
from tests.contract import backend_template as template  # noqa: E402
from tests.contract.backend_template import Network  # noqa: E402
from tests.factories import make_contract  # noqa: E402

NAMES = backend_names()
NETWORKS = ("test_vit", "test_efficientnet")
PAIRS = [(backend.name, scheme) for backend in all_backends() for scheme in backend.schemes if scheme != "fp32"]


@cache
def network(name: str) -> Network:
    """A small timm model with random weights."""
    torch.manual_seed(0)
    model = load_model(ModelSpec(name=name, random_weights=True))
    program = capture(model.module, model.preprocessing.input_size)
    shape = (template.SAMPLES, 3, *model.preprocessing.input_size)
    images = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with torch.inference_mode():
        logits = model.module(torch.from_numpy(images)).numpy()
    params = sum(parameter.numel() for parameter in model.module.parameters())
    return Network(name, program, is_transformer(program), images, logits, params)


Artifact = Callable[[str, str, str], Path]


def quantized(
    name: str, parent: Path, made: Network, scheme: str, folder: Path, npu: bool = False, **changes: Any
) -> Path:
    """Quantizes with the policy's first guess, changed as a test needs it."""
    backend = get_backend(name)
    target = Target("transformer" if made.transformer else "cnn", npu, "none", ("avx2", "avx512_vnni"))
    recipe = replace(first_recipe(backend.policy, scheme, target), **changes)
    if scheme == "mixed_wi8_ai8":  # any layer will do; the ladder chooses it in a run
        recipe = replace(recipe, float_layers=(backend.read_graph(parent).layers[-2].name,))
    calibration = made.images if SCHEMES[scheme].calibrated or recipe.rounding == "gptq" else None
    return backend.quantize(parent, recipe, calibration, folder)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Makes the artifact of a backend, a network and a scheme, once."""

    @cache
    def make(backend: str, name: str, scheme: str) -> Path:
        folder = tmp_path_factory.mktemp(f"{backend}-{name}-{scheme}")
        made = network(name)
        if scheme == "fp32":
            return get_backend(backend).export(made.program, folder)  # type: ignore[arg-type]
        return quantized(backend, make(backend, name, "fp32"), made, scheme, folder)

    return make


@pytest.mark.parametrize("name", NAMES)
def test_it_is_found_by_name_and_by_format(name: str) -> None:
    backend = get_backend(name)
    assert name == backend.name
    assert get_backend(backend.format) is backend
    assert next(iter(backend.schemes)) == "fp32"
    assert set(backend.schemes) <= set(SCHEMES)
    assert len({other.suffix for other in all_backends()}) == len(NAMES)
    assert set(backend.gptq_schemes) <= set(backend.schemes)
    for kinds in backend.schemes.values():
        assert set(kinds) <= set(get_args(OpKind))


@pytest.mark.parametrize("architecture", ["transformer", "cnn"])
@pytest.mark.parametrize("name", NAMES)
def test_its_policy_has_an_answer_for_every_target(name: str, architecture: Architecture) -> None:
    backend = get_backend(name)
    for npu in (False, True):
        guess = first_guess(backend.policy, Target(architecture, npu, "none", ()))
        assert guess.architecture == architecture
        assert guess.schemes
        assert guess.ranges
        assert set(guess.schemes) <= set(backend.schemes) - {"fp32"}


@pytest.mark.parametrize("name", NAMES)
def test_its_parts_take_what_the_contract_gives_them(name: str) -> None:
    parts = {
        "export": ("export", "export"),
        "quantize": ("quantize", "quantize"),
        "read_graph": ("graph", "read_graph"),
        "open_session": ("session", "RuntimeSession"),
        "embed_normalization": ("embed", "embed_normalization"),
        "loading_lines": ("use", "loading_lines"),
        "output_lines": ("use", "output_lines"),
    }
    for method, (module, part) in parts.items():
        _, *promised = inspect.signature(getattr(Backend, method)).parameters.values()
        found = inspect.signature(getattr(importlib.import_module(f"edgevit.backends.{name}.{module}"), part))
        assert [(each.name, each.kind) for each in found.parameters.values()] == [
            (each.name, each.kind) for each in promised
        ]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_imported_without_torch_or_a_runtime(name: str) -> None:
    program = (
        f"import sys, edgevit.backends.{name}\n"
        "print([m for m in ('torch', 'onnxruntime', 'onnx', 'openvino', 'nncf', 'ai_edge_litert', 'litert_torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", NAMES)
def test_a_scheme_that_it_lacks_is_refused_with_those_it_has(name: str) -> None:
    backend = get_backend(name)
    for scheme in (*SCHEMES, "nonsense"):
        if scheme in backend.schemes:
            check_scheme(backend, scheme)
            continue
        with pytest.raises(UsageError, match=f"{backend.title} has no scheme '{scheme}'") as caught:
            check_scheme(backend, scheme)
        assert caught.value.hint == f"{backend.title} has: {', '.join(backend.schemes)}"


@pytest.mark.parametrize("name", NAMES)
def test_a_package_that_its_files_are_made_with_is_asked_for_by_its_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = get_backend(name)
    check_makers(backend)
    for maker in backend.makers:
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, maker.replace("-", "_"), None)
            with pytest.raises(
                UsageError, match=f"{backend.title} files cannot be made here: {maker} is not"
            ) as caught:
                check_makers(backend)
        assert caught.value.hint is not None
        assert f"edgevit[compress-{backend.format}]" in caught.value.hint


def test_a_platform_without_the_converter_is_told_to_leave_the_format_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litert_torch", None)
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    with pytest.raises(UsageError, match=f"litert-torch has no wheels for {sys.platform} aarch64$") as caught:
        check_makers(get_backend("tflite"))
    assert caught.value.hint == "it has for linux x86_64 and darwin arm64; leave tflite out: --export onnx,openvino"


def test_unknown_backends_get_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown backend: 'onyx'") as caught:
        get_backend("onyx")
    assert caught.value.hint and "onnx" in caught.value.hint


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_float32(name: str, model: str, artifact: Artifact) -> None:
    backend, path, made = get_backend(name), artifact(name, model, "fp32"), network(model)
    assert backend_of_file(path) is backend
    session = backend.open_session(path, 1, "f32")
    template.check_signature(session, made)
    template.check_session(session, made)
    template.check_parity(session, made)
    template.check_float_graph(backend.read_graph(path), backend, made, count_macs(made.program))  # type: ignore[arg-type]


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_every_scheme(name: str, scheme: str, model: str, artifact: Artifact) -> None:
    backend, path, made = get_backend(name), artifact(name, model, scheme), network(model)
    session = backend.open_session(path, 1, "f32")
    template.check_signature(session, made)
    template.check_session(session, made)
    logits = template.run_all(session, made.images)
    assert np.isfinite(logits).all()
    assert template.snr_db(made.logits, logits) >= template.least_snr_db(backend, scheme, made.transformer)
    graph = backend.read_graph(path)
    check_label(scheme, graph)
    assert {op.kind for op in graph.ops if op.macs and op.numerics != "float"} <= set(backend.schemes[scheme])
    float_size = sum(file.stat().st_size for file in artifact(name, model, "fp32").parent.iterdir())
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    assert size < float_size or scheme == "bf16"  # a hint to the runtime; the file is the float32 one


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("name", NAMES)
def test_a_layer_can_be_kept_in_float(name: str, model: str, artifact: Artifact, tmp_path: Path) -> None:
    backend, parent, made = get_backend(name), artifact(name, model, "fp32"), network(model)
    scheme = first_guess(
        backend.policy, Target("transformer" if made.transformer else "cnn", False, "none", ())
    ).schemes[0]
    whole = backend.read_graph(artifact(name, model, scheme))
    quantizable = [op for op in backend.read_graph(parent).layers if op.kind in backend.schemes[scheme]]
    quantizable = [op for op in quantizable if op.name not in whole.float_layers]  # such as OpenVINO's squeeze-excite
    chosen = quantizable[len(quantizable) // 2]
    kept = backend.read_graph(quantized(name, parent, made, scheme, tmp_path, float_layers=(chosen.name,)))
    assert kept.float_layer_count == whole.float_layer_count + 1
    moved = sum(op.macs for op in kept.layers if op.numerics == "float") - sum(
        op.macs for op in whole.layers if op.numerics == "float"
    )
    assert moved == chosen.macs


RANGES = [
    (name, method)
    for name in NAMES
    for method in first_guess(get_backend(name).policy, Target("cnn", False, "none", ())).ranges
]


@pytest.mark.parametrize(("name", "method"), RANGES)
def test_every_calibration_method(name: str, method: RangeMethod, artifact: Artifact, tmp_path: Path) -> None:
    parent, made = artifact(name, "test_efficientnet", "fp32"), network("test_efficientnet")
    path = quantized(name, parent, made, "static_wi8_ai8", tmp_path, ranges=method)
    logits = template.run_all(get_backend(name).open_session(path, 1, "f32"), made.images)
    assert template.snr_db(made.logits, logits) >= template.LEAST_SNR_DB["other"]


GPTQ = [(name, scheme) for name in NAMES for scheme in get_backend(name).gptq_schemes]


@pytest.mark.parametrize(("name", "scheme"), GPTQ)
def test_gptq_changes_the_weights_only(name: str, scheme: str, artifact: Artifact, tmp_path: Path) -> None:
    parent, made, backend = artifact(name, "test_vit", "fp32"), network("test_vit"), get_backend(name)
    path = quantized(name, parent, made, scheme, tmp_path, rounding="gptq")
    nearest = artifact(name, "test_vit", scheme)
    check_label(scheme, backend.read_graph(path))
    assert template.digest(path) != template.digest(nearest)
    assert [op.numerics for op in backend.read_graph(path).layers] == [
        op.numerics for op in backend.read_graph(nearest).layers
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_parent_is_left_as_it_was(name: str, artifact: Artifact, tmp_path: Path) -> None:
    parent = artifact(name, "test_efficientnet", "fp32")
    before = template.digest(parent)
    quantized(name, parent, network("test_efficientnet"), "static_wi8_ai8", tmp_path)
    assert template.digest(parent) == before


@pytest.mark.parametrize("scheme", ["fp32", "static_wi8_ai8"])
@pytest.mark.parametrize("name", NAMES)
def test_a_contract_changes_nothing_that_is_computed(
    name: str, scheme: str, artifact: Artifact, tmp_path: Path
) -> None:
    backend, made = get_backend(name), network("test_efficientnet")
    bare = artifact(name, "test_efficientnet", scheme)
    carrying = shutil.copytree(bare.parent, tmp_path / "carrying") / bare.name
    backend.write_contract(carrying, make_contract())
    assert (backend.read_contract(carrying), backend.read_contract(bare)) == (make_contract(), None)
    sessions = [backend.open_session(path, 1, "f32") for path in (bare, carrying)]
    assert (sessions[0].inputs, sessions[0].outputs) == (sessions[1].inputs, sessions[1].outputs)
    np.testing.assert_array_equal(*(template.run_all(session, made.images[:4]) for session in sessions))
    graphs = [backend.read_graph(path) for path in (bare, carrying)]
    assert graphs[0] == graphs[1]
    once = template.digest(carrying)
    again = shutil.copytree(bare.parent, tmp_path / "again") / bare.name
    backend.write_contract(again, make_contract())
    assert template.digest(again) == once


@pytest.mark.parametrize("name", NAMES)
def test_what_is_quantized_from_a_file_with_a_contract_has_its_own(
    name: str, artifact: Artifact, tmp_path: Path
) -> None:
    backend, made = get_backend(name), network("test_efficientnet")
    bare = artifact(name, "test_efficientnet", "fp32")
    parent = shutil.copytree(bare.parent, tmp_path / "parent") / bare.name
    backend.write_contract(parent, make_contract(scheme="fp32"))
    (tmp_path / "quantized").mkdir()
    path = quantized(name, parent, made, "static_wi8_ai8", tmp_path / "quantized")
    backend.write_contract(path, make_contract())
    assert backend.read_contract(path) == make_contract()
    paths = (artifact(name, "test_efficientnet", "static_wi8_ai8"), path)
    sessions = [backend.open_session(each, 1, "f32") for each in paths]
    np.testing.assert_array_equal(*(template.run_all(session, made.images[:4]) for session in sessions))


@pytest.mark.parametrize("name", NAMES)
def test_the_same_program_gives_the_same_bytes(name: str, artifact: Artifact, tmp_path: Path) -> None:
    again = get_backend(name).export(network("test_efficientnet").program, tmp_path)  # type: ignore[arg-type]
    assert template.digest(again) == template.digest(artifact(name, "test_efficientnet", "fp32"))


@pytest.mark.parametrize(("name", "scheme"), PAIRS)
def test_the_same_parent_and_images_give_the_same_bytes(
    name: str, scheme: str, artifact: Artifact, tmp_path: Path
) -> None:
    parent, made = artifact(name, "test_efficientnet", "fp32"), network("test_efficientnet")
    again = quantized(name, parent, made, scheme, tmp_path)
    assert template.digest(again) == template.digest(artifact(name, "test_efficientnet", scheme))


def damaged(whole: bytes, how: str) -> bytes:
    return {
        "empty": b"",
        "text": b"this is not a model\n" * 20,
        "zeros": bytes(4096),
        "half": whole[: len(whole) // 2],
        "head": whole[:64],
        "noise": np.random.default_rng(0).bytes(5000),
    }[how]


@pytest.mark.parametrize("how", ["empty", "text", "zeros", "half", "head", "noise"])
@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_an_error_that_names_it(name: str, how: str, artifact: Artifact, tmp_path: Path) -> None:
    backend = get_backend(name)
    path = tmp_path / f"broken{backend.suffix}"
    path.write_bytes(damaged(artifact(name, "test_efficientnet", "fp32").read_bytes(), how))
    with pytest.raises(UsageError, match="broken"):
        backend.open_session(path, 1, "f32")
    with pytest.raises(UsageError, match="broken"):
        backend.read_graph(path)


@pytest.mark.parametrize("other", NAMES)
@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_another_format_is_an_error_that_names_it(
    name: str, other: str, artifact: Artifact, tmp_path: Path
) -> None:
    if name == other:
        pytest.skip("its own format")
    backend = get_backend(name)
    path = tmp_path / f"foreign{backend.suffix}"
    path.write_bytes(artifact(other, "test_efficientnet", "fp32").read_bytes())
    with pytest.raises(UsageError, match="foreign"):
        backend.open_session(path, 1, "f32")
    with pytest.raises(UsageError, match="foreign"):
        backend.read_graph(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"nowhere{get_backend(name).suffix}"
    with pytest.raises(UsageError, match="nowhere"):
        get_backend(name).open_session(path, 1, "f32")
    with pytest.raises(UsageError, match="nowhere"):
        get_backend(name).read_graph(path)


def test_the_suffix_tells_the_backend(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file: .*nowhere.onnx"):
        backend_of_file(tmp_path / "nowhere.onnx")
    for name in ("a.pb", "b"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(UsageError, match="no backend reads") as caught:
            backend_of_file(tmp_path / name)
        assert caught.value.hint and ".tflite (LiteRT)" in caught.value.hint


@pytest.mark.parametrize("name", NAMES)
def test_a_model_over_the_limit_of_the_format_is_refused_with_both_sizes(name: str) -> None:
    backend = get_backend(name)
    if backend.most_bytes is None:
        check_size(backend, 10**10)
        return
    check_size(backend, backend.most_bytes // 4)
    with pytest.raises(UsageError, match=r"has 2.1 GB of float32 weights, .* at most 2.1 GB") as caught:
        check_size(backend, backend.most_bytes // 4 + 1)
    assert caught.value.hint == "export it to openvino, or take a smaller model"


MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def embedded(name: str, path: Path, folder: Path) -> Path:
    """A copy of an artifact that takes pixels."""
    copy = shutil.copytree(path.parent, folder) / path.name
    get_backend(name).embed_normalization(copy, MEAN, STD)
    return copy


EMBEDDED = [(name, "fp32", "test_vit") for name in NAMES] + [
    (backend.name, scheme, "test_efficientnet") for backend in all_backends() for scheme in backend.schemes
]


@pytest.mark.parametrize(("name", "scheme", "model"), EMBEDDED)
def test_embedded_preprocessing_is_that_outside(
    name: str, scheme: str, model: str, artifact: Artifact, tmp_path: Path
) -> None:
    backend, plain, made = get_backend(name), artifact(name, model, scheme), network(model)
    path = embedded(name, plain, tmp_path / "embedded")
    sessions = tuple(backend.open_session(each, 1, "f32") for each in (plain, path))
    template.check_takes_pixels(sessions[1], made)
    template.check_embedded(*sessions, made, MEAN, STD, is_float=scheme == "fp32")
    layers = [[(op.native, op.macs, op.numerics) for op in backend.read_graph(each).layers] for each in (plain, path)]
    assert layers[0] == layers[1]
    again = embedded(name, plain, tmp_path / "again")
    assert template.digest(again) == template.digest(path)


@pytest.mark.parametrize("name", NAMES)
def test_preprocessing_is_embedded_once(name: str, artifact: Artifact, tmp_path: Path) -> None:
    path = embedded(name, artifact(name, "test_efficientnet", "fp32"), tmp_path / "embedded")
    before = template.digest(path)
    with pytest.raises(UsageError, match="does not take one float32 image"):
        get_backend(name).embed_normalization(path, MEAN, STD)
    assert template.digest(path) == before
