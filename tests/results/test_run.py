"""``run.json`` is read back as it was written, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edgevit.errors import UsageError
from edgevit.results.run import SCHEMA_VERSION, Run, load_run, run_json_schema, run_to_json
from edgevit.run.files import write_atomically
from tests.factories import make_candidate, make_realistic_run, make_run


def save(run: Run, folder: Path) -> Path:
    write_atomically(folder / "run.json", run_to_json(run))
    return folder / "run.json"


@pytest.mark.parametrize(
    "run", [make_run(), make_realistic_run(), make_realistic_run(labels=False), make_run(selected=None)]
)
def test_round_trip(run: Run, tmp_path: Path) -> None:
    file = save(run, tmp_path)
    assert load_run(file) == load_run(tmp_path) == load_run(str(tmp_path)) == run


def test_the_keys_that_other_programs_rely_on(tmp_path: Path) -> None:
    document = json.loads(run_to_json(make_realistic_run()))
    assert document["schema_version"] == SCHEMA_VERSION == 1
    assert {"edgevit_version", "created_at", "seed", "spec", "spec_sha256", "host", "tool_versions", "baseline",
            "candidates", "selected", "stages"} <= set(document)  # fmt: skip
    candidate = document["candidates"][0]
    assert {"id", "backend", "format", "scheme", "passes", "artifact", "verification", "accuracy", "measurements",
            "predictions", "status", "reasons"} <= set(candidate)  # fmt: skip
    assert candidate["measurements"][0]["source"] == "measured"
    assert candidate["predictions"][0]["source"] == "predicted"
    assert set(candidate["measurements"][0]["latency_ms"]) == {"min", "p50", "p90", "p99"}


def test_the_schema_names_every_key() -> None:
    schema = run_json_schema()
    assert set(json.loads(run_to_json(make_run()))) == set(schema["properties"])


def test_a_calibration_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    document = json.loads(run_to_json(make_run()))
    for key in ("images_sha256", "count", "warnings"):
        del document["calibration"][key]
    (tmp_path / "run.json").write_text(json.dumps(document))
    record = load_run(tmp_path).calibration
    assert record is not None
    assert (len(record.ids), record.images_sha256, record.count, record.warnings) == (128, (), None, ())


def test_a_missing_run_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read a run") as error:
        load_run(tmp_path)
    assert "edgevit compress" in str(error.value.hint)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_cut_file_is_refused(tmp_path: Path, share: float) -> None:
    file = save(make_run(), tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UsageError, match="is not a run of schema version 1"):
        load_run(file)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [({"schema_version": 2}, "schema_version"), ({"host": {}}, "host"), ({"candidates": None}, "candidates")],
)
def test_another_schema_is_refused_with_the_key(tmp_path: Path, changes: dict[str, Any], complaint: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(json.dumps({**json.loads(run_to_json(make_run())), **changes}))
    with pytest.raises(UsageError, match=complaint):
        load_run(file)


def test_a_quick_run_is_one_that_was_asked_for_as_such() -> None:
    assert make_run(spec={"quick": True}).is_quick
    assert not make_run(spec={"quick": False}).is_quick
    assert not make_run().is_quick


def test_a_run_without_choices_for_devices_has_one_for_this_host() -> None:
    assert make_run(selected=None).choices == {"host": None}
    assert make_run(selected_for={"raspberry-pi-5": None}, selected=None).choices == {"raspberry-pi-5": None}


def test_a_candidate_is_found_by_its_id() -> None:
    run = make_run(make_candidate("litert/fp32"), make_candidate("openvino/fp32"), selected="openvino/fp32")
    assert run.chosen == run.candidate("openvino/fp32")
    assert make_run(selected=None).chosen is None
    with pytest.raises(KeyError):
        run.candidate("nope")


def change(document: Any, path: tuple[str | int, ...], value: Any) -> None:
    for part in path[:-1]:
        document = document[part]
    document[path[-1]] = value


CANDIDATE = ("candidates", 0)


def every_key(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every key of a document but those of the spec and other free tables."""
    free = ("spec", "tool_versions", "selected_for", "tied")
    if isinstance(value, dict):
        inside = [place for key in value if key not in free for place in every_key(value[key], (*path, key))]
        return [*((*path, key) for key in value), *inside]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in every_key(item, (*path, index))]
    return []


OLD = json.loads(Path(__file__).with_name("old_run.json").read_bytes())


@pytest.mark.parametrize("path", every_key({**OLD, "candidates": OLD["candidates"][-1:]}), ids=str)
def test_nothing_has_a_default_when_read(tmp_path: Path, path: tuple[str | int, ...]) -> None:
    """Every key that documents of the first version have is required, wherever it is."""
    if path[0] in ("spec", "tool_versions") and len(path) > 1:
        pytest.skip("a free table")
    if path[:2] == ("calibration", "images_sha256") or path[-1] in ("count", "warnings"):
        pytest.skip("newer than the first version")
    document = json.loads(json.dumps({**OLD, "candidates": OLD["candidates"][-1:]}))
    parent: Any = document
    for part in path[:-1]:
        parent = parent[part]
    del parent[path[-1]]
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=f"{path[-1]}.*(is missing|Field required|unexpected|required)"):
        load_run(tmp_path)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ((*CANDIDATE, "status"), "fine", "status"),
        ((*CANDIDATE, "status"), None, "status"),
        (("schema_version",), "1", "schema_version"),
        (("schema_version",), True, "schema_version"),
        ((*CANDIDATE, "accuracy", "top1"), "0.8", "top1"),
        ((*CANDIDATE, "accuracy", "top1"), True, "top1"),
        ((*CANDIDATE, "artifact", "size_bytes"), 6e6, "size_bytes"),
        ((*CANDIDATE, "artifact", "size_bytes"), 10**400, "64 bits|size_bytes"),
        ((*CANDIDATE, "verification", "passed"), 1, "passed"),
        (("selected",), "litert/none", "selected"),
        (("selected_for",), {"host": "litert/none"}, "selected_for"),
        ((*CANDIDATE, "accuracy", "top1"), float("nan"), "NaN"),
    ],
)
def test_what_is_not_of_the_type_is_refused(
    tmp_path: Path, path: tuple[str | int, ...], value: Any, complaint: str
) -> None:
    document = json.loads(run_to_json(make_run()))
    change(document, path, value)
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match=complaint) as error:
        load_run(tmp_path)
    assert error.value.hint


def test_two_candidates_of_one_id_are_refused(tmp_path: Path) -> None:
    document = json.loads(run_to_json(make_run()))
    document["candidates"] *= 2
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(UsageError, match="two have the id 'litert/dynamic_wi8_afp32'"):
        load_run(tmp_path)


def test_a_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    text = run_to_json(make_run()).decode()
    (tmp_path / "run.json").write_text(text.replace('"seed": 0', '"seed": 1, "seed": 0', 1))
    with pytest.raises(UsageError, match="seed: is given twice"):
        load_run(tmp_path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "run.json").write_text(
        run_to_json(make_run()).decode().replace('"seed": 0', f'"x": {deep}, "seed": 0', 1)
    )
    with pytest.raises(UsageError, match="is not a run"):
        load_run(tmp_path)
