"""Documents of other commands: each is known by its keys, and nothing else is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgevit.errors import UsageError
from edgevit.report.evidence import ArtifactLayers, load_evidence
from edgevit.results.document import to_json
from edgevit.results.explanation import AttentionDistance, ExplainedImage, Explanation
from edgevit.results.layer_times import LayerTime, LayerTimes
from tests.factories import make_layer, make_sensitivity_report

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
TIMES = LayerTimes(
    "host", "cpu", "measured", 2.0, 1.9, "a profiler", (LayerTime("a", "MatMul", "linear", 1.5, 100, 10, "int8"),)
)


def explanation(*pictures: str) -> Explanation:
    images = tuple(ExplainedImage(f"image {picture}", picture) for picture in pictures)
    return Explanation("1.0", "m", False, None, (), images, AttentionDistance("distance.png", (), 1.0))


def written(tmp_path: Path, name: str, value: object) -> Path:
    path = tmp_path / name
    path.write_bytes(to_json(value))
    return path


def test_each_document_is_known_by_its_keys(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    report = make_sensitivity_report(make_layer(0))
    files = [
        written(tmp_path, "1.json", report),
        written(tmp_path, "2.json", TIMES),
        written(tmp_path, "3.json", explanation("elsewhere/a.png")),
    ]
    found = load_evidence(files)
    assert found.sensitivities == (report,)
    assert found.layer_times == (ArtifactLayers("", TIMES),)
    assert [(picture.title, picture.png) for picture in found.pictures] == [("image elsewhere/a.png", PNG)]
    assert load_evidence(()).pictures == ()


def test_pictures_that_would_make_the_page_too_large_are_counted(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG + bytes(600_000))
    found = load_evidence([written(tmp_path, "e.json", explanation("a.png", "b.png"))])
    assert (len(found.pictures), found.left_out) == (1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [("{", "not JSON"), ("[]", "not a document"), ('{"run": 1}', "not a document"), (json.dumps({"layers": [], "recipe": {}, "scheme": "x"}), "missing|required|Missing")],
)  # fmt: skip
def test_anything_else_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=said):
        load_evidence([file])


def test_a_missing_file_or_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere.json"):
        load_evidence([tmp_path / "nowhere.json"])
    with pytest.raises(UsageError, match=r"a\.png"):
        load_evidence([written(tmp_path, "e.json", explanation("a.png"))])


def test_a_document_cannot_show_a_file_that_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_text("password")
    with pytest.raises(UsageError, match="no PNG"):
        load_evidence([written(tmp_path, "e.json", explanation("secret.png"))])
