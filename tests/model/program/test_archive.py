"""An archive of a captured program holds tensors and PyTorch's own operators, or is refused before it is loaded."""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from edgevit.errors import UsageError  # noqa: E402
from edgevit.model.program.archive import check_archive  # noqa: E402
from edgevit.model.program.capture import capture, load_program, save_program  # noqa: E402
from tests.model.program.networks import conv_bn  # noqa: E402

Members = dict[str, bytes]
CONFIG, MODEL = "archive/data/weights/model_weights_config.json", "archive/models/model.json"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "whole.pt2"
    save_program(capture(conv_bn().eval(), (8, 8)), path)
    return path


class Harmful:
    """Writes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (Path.touch, (self.mark,))


def edited(name: str, change: Callable[[Any], None]) -> Callable[[Members], None]:
    def edit(members: Members) -> None:
        document = json.loads(members[name])
        change(document)
        members[name] = json.dumps(document).encode()

    return edit


def first_entry(config: Any) -> Any:
    return next(iter(config["config"].values()))


def first_node(model: Any) -> Any:
    return model["graph_module"]["graph"]["nodes"][0]


def renamed(members: Members) -> None:
    members["serialized_exported_program.json"] = members.pop(MODEL)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edited(CONFIG, lambda config: first_entry(config).update(use_pickle=True)), "is a pickled object"),
        (edited(CONFIG, lambda config: first_entry(config).update(path_name="custom_obj_0")), "is a pickled object"),
        (edited(CONFIG, lambda config: first_entry(config).update(path_name="../x")), "is a pickled object"),
        (edited(MODEL, lambda model: first_node(model).update(target="torch.os.system")), "calls torch.os.system"),
        (edited(MODEL, lambda model: first_node(model).update(target="_operator.methodcaller")), "methodcaller"),
        (edited(MODEL, lambda model: first_node(model).update(target="torch.ops.load_library.a.b")), "load_library"),
        (edited(MODEL, lambda model: first_node(model).update(target="torch.ops.aten._dir.__class__")), "__class__"),
        (edited(MODEL, lambda model: model.update(more=[{"expr_str": "exit()"}])), r"the expression exit\(\)"),
        (lambda members: members.update({"archive/data/aotinductor/model/a.so": b""}), "aotinductor"),
        (lambda members: members.update({"archive/data/constants/../x": b""}), "constants/../x"),
        (lambda members: members.update({"other/models/model.json": b"{}"}), "more than one folder"),
        (lambda members: members.pop("archive/archive_format"), "old format"),
        (renamed, "more than one folder"),
        (lambda members: members.update({MODEL: b"{"}), "cannot be read"),
        (lambda members: members.update({CONFIG: b"[]"}), "cannot be read"),
    ],
)
def test_anything_else_is_refused(whole: Path, tmp_path: Path, change: Callable[[Members], None], message: str) -> None:
    with zipfile.ZipFile(whole) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(tmp_path / "changed.pt2", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UsageError, match=message):
        load_program(tmp_path / "changed.pt2")


def test_a_pickled_payload_is_never_opened(whole: Path, tmp_path: Path) -> None:
    mark, file = tmp_path / "mark", tmp_path / "harmful.pt2"
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(file, "w") as out:
        config = json.loads(archive.read(CONFIG))
        first_entry(config)["use_pickle"] = True
        for name in archive.namelist():
            content = pickle.dumps(Harmful(mark)) if name.endswith("/weight_0") else archive.read(name)
            out.writestr(name, json.dumps(config) if name == CONFIG else content)
    with pytest.raises(Exception, match="."):
        torch.export.load(file)
    assert mark.exists()  # torch itself opens it
    mark.unlink()
    with pytest.raises(UsageError, match="is a pickled object"):
        load_program(file)
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.pt2").write_bytes(content)
    with pytest.raises(UsageError, match="cannot be read"):
        check_archive(tmp_path / "a.pt2")


def test_what_was_captured_is_taken(whole: Path) -> None:
    check_archive(whole)
    assert load_program(whole).graph_signature.user_outputs
