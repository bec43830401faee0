"""Token reduction alone: what the report says is what the program does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")

from edgevit.artifacts.accuracy import score  # noqa: E402
from edgevit.commands.reduce_tokens import reduce_model  # noqa: E402
from edgevit.data.images import open_images  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.load import load_model  # noqa: E402
from edgevit.model.program.capture import capture, count_macs  # noqa: E402
from edgevit.results.document import to_json  # noqa: E402
from edgevit.results.reduction import ReductionReport  # noqa: E402
from edgevit.run.progress import Silent  # noqa: E402
from edgevit.spec.spec import Spec  # noqa: E402
from edgevit.spec.token_plan import Form, ResizePlan, Site, parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402
from edgevit.tokens.resize import resize  # noqa: E402

VIT = {"name": "digits_vit"}


def spec(tokens: str, model: dict[str, Any] | None = None, **others: Any) -> Spec:
    document = {"model": model or VIT, **others}
    return Spec.model_validate({**document, "passes": {**others.get("passes", {}), "tokens": tokens}})


def image(size: int = 32) -> Any:
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))


def logits(module: Any, pixels: Any) -> Any:
    with torch.inference_mode():
        return module(pixels)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["gather", "arithmetic"])
def test_the_program_is_the_reduced_model(form: Form, tmp_path: Path) -> None:
    plan, out = "squeeze:0.5@2,4", tmp_path / "reduced.pt2"
    report = reduce_model(spec(plan, passes={"form": form}), out, Silent())
    model = load_model(spec("none").model).module
    program = torch.export.load(out)
    expected = logits(reduce_tokens(model, parse_plan(plan), form), image())
    torch.testing.assert_close(logits(program.module(), image()), expected, rtol=1e-5, atol=1e-5)
    assert report == ReductionReport(
        model="digits_vit",
        plan=plan,
        form=form,
        program=str(out),
        input_size=(32, 32),
        patches=256,
        sites=(Site(2, 128), Site(4, 64)),
        macs_before=count_macs(capture(model, (32, 32))),
        macs_after=count_macs(program),
    )
    assert report.macs_after < 0.7 * report.macs_before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reduced.pt2"]


def test_auto_form_is_gather_for_no_runtime_is_asked(tmp_path: Path) -> None:
    report = reduce_model(spec("tome:2=200"), tmp_path / "a.pt2", Silent())
    assert report.form == "gather"
    assert any("topk" in str(node.target) for node in torch.export.load(tmp_path / "a.pt2").graph.nodes)


@pytest.mark.parametrize(
    ("plan", "size", "patches"), [(ResizePlan("resolution", 24), 24, 144), (ResizePlan("patch", 4), 32, 64)]
)
def test_resizing_has_no_form_and_no_sites(plan: ResizePlan, size: int, patches: int, tmp_path: Path) -> None:
    report = reduce_model(spec(str(plan)), tmp_path / "r.pt2", Silent())
    assert (report.form, report.sites, report.input_size, report.patches) == (None, (), (size, size), patches)
    model = load_model(spec("none").model).module
    expected = resize(model, plan, (32, 32)).module
    program = torch.export.load(tmp_path / "r.pt2").module()
    torch.testing.assert_close(logits(program, image(size)), logits(expected, image(size)), rtol=1e-5, atol=1e-5)


def test_a_convolutional_network_can_have_smaller_images(tmp_path: Path) -> None:
    report = reduce_model(spec("resolution:24", {"name": "digits_cnn"}), tmp_path / "r.pt2", Silent())
    assert (report.patches, report.input_size) == (None, (24, 24))
    assert report.macs_after == pytest.approx((24 / 32) ** 2 * report.macs_before, rel=0.01)


@pytest.mark.parametrize("source", ["digits", "unlabelled"])
@pytest.mark.slow
def test_with_images_it_tells_what_the_plan_costs(source: str, tmp_path: Path) -> None:
    """The same as scored here, of the images that the seed chooses; without labels only the agreement."""
    plan = "evit:0.3@1"
    labelled = source == "digits"
    if not labelled:
        source = _folder(tmp_path / "images")
    given = spec(plan, data={"evaluation": source, "samples": 30})
    report = reduce_model(given, tmp_path / "reduced.pt2", Silent())
    assert report.samples == 30
    model, images = load_model(given.model), _chosen(given)
    pixels = torch.from_numpy(PreparedImages(images.samples, model.preprocessing).array())
    before, after = logits(model.module, pixels), logits(reduce_tokens(model.module, parse_plan(plan)), pixels)
    assert report.agreement == pytest.approx(float((before.argmax(1) == after.argmax(1)).float().mean()))
    if labelled:
        found = [score(each.numpy(), images.labels, None).top1 for each in (before, after)]
        assert [report.top1_before, report.top1_after] == found
        assert report.top1_before == 1.0 or report.top1_before != report.top1_after
    else:
        assert (report.top1_before, report.top1_after) == (None, None)


def _chosen(given: Spec) -> Any:
    from edgevit.data.sampling import sample_images

    assert given.data.evaluation is not None
    return sample_images(open_images(given.data.evaluation), 30, given.seed, "evaluation")


def _folder(folder: Path) -> str:
    from PIL import Image

    folder.mkdir()
    digits = open_images("digits")
    for number, image_id in enumerate(digits.ids[:40]):
        picture: Any = digits.image(image_id)
        made = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        made.save(folder / f"{number:02d}.png")
    return str(folder)


@pytest.mark.slow
def test_the_document_has_the_numbers_of_the_report(tmp_path: Path) -> None:
    report = reduce_model(spec("evit:0.5@2"), tmp_path / "reduced.pt2", Silent())
    document = json.loads(to_json(report))
    assert document["sites"] == [{"block": 2, "tokens": 128}]
    assert (document["macs_before"], document["macs_after"]) == (report.macs_before, report.macs_after)
    assert (document["top1_before"], document["samples"], document["input_size"]) == (None, 0, [32, 32])


@pytest.mark.parametrize(
    ("tokens", "model", "out", "message"),
    [
        ("auto", VIT, "a.pt2", "--tokens auto searches for one runtime"),
        ("none", VIT, "a.pt2", "give exactly one plan"),
        ("evit:0.5,tome:8", VIT, "a.pt2", "give exactly one plan"),
        ("evit:0.5", VIT, "a.onnx", "is not a .pt2 file"),
        ("evit:0.5", VIT, ".", "is not a .pt2 file"),
        ("evit:0.5", {"name": "digits_cnn"}, "a.pt2", "needs an encoder of softmax-attention blocks"),
        ("evit:0.5@7", VIT, "a.pt2", "names block 7, the model has 6"),
        ("resolution:25", VIT, "a.pt2", "25"),
        ("resolution:32", VIT, "a.pt2", "is what the model has"),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    tokens: str, model: dict[str, Any], out: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        reduce_model(spec(tokens, model), tmp_path / out, Silent())
    assert list(tmp_path.iterdir()) == []


def test_images_of_another_task_are_refused(tmp_path: Path) -> None:
    """Eleven classes; the digits are ten."""
    for number in range(11):
        folder = tmp_path / "images" / f"{number:02d}"
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "a.png")
    given = spec("evit:0.5@2", VIT, data={"evaluation": str(tmp_path / "images")})
    with pytest.raises(UsageError, match="class"):
        reduce_model(given, tmp_path / "a.pt2", Silent())
    assert not (tmp_path / "a.pt2").exists()


def test_accuracy_of_random_weights_is_not_reported(tmp_path: Path) -> None:
    model = {"name": "test_vit", "random_weights": True, "num_classes": 10}
    with pytest.raises(UsageError, match="accuracy of random weights is not reported"):
        reduce_model(spec("evit:0.5@2", model, data={"evaluation": "digits"}), tmp_path / "a.pt2", Silent())
    assert list(tmp_path.iterdir()) == []
