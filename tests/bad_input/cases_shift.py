"""Loss under shift of what has no float parent, corruptions that are none; comparisons and cards of what is no run."""

from __future__ import annotations

from tests.bad_input.case import case, slow_case
from tests.bad_input.contents import RUN, classifier_onnx, image, npz, pictures, run_with

_FILES = {"m.onnx": b"", "f.onnx": b""}
_EVAL = "eval m.onnx --data digits --mean 0.5 --std 0.5"

CASES = (
    case(f"{_EVAL} --corruptions nois", "unknown corruption: 'nois'", "did you mean noise", files=_FILES),
    case(f"{_EVAL} --corruptions noise,noise", "the corruption noise is given twice", files=_FILES),
    case(f"{_EVAL} --corruptions noise,none", "unknown corruption: 'none'", files=_FILES),
    case(f"{_EVAL} --corruptions noise,", "unknown corruption: ''", files=_FILES),
    case(f"{_EVAL} --corruptions noise --masks masks", "--masks has no effect with --corruptions", files=_FILES),
    case(f"{_EVAL} --corruptions noise --metric value", "--metric has no effect with --corruptions", files=_FILES),
    case(f"{_EVAL} --record", "--record has no effect without --corruptions", files=_FILES),
    case(f"{_EVAL} --seed 1", "--seed has no effect without --corruptions", files=_FILES),
    case(f"{_EVAL} --corruptions noise --seed -1", "--seed", files=_FILES),
    case(f"{_EVAL} --corruptions noise", "its float parent is not known", "--reference FLOAT_FILE", files=_FILES),
    case(f"{_EVAL} --corruptions noise --record", "--record: m.onnx is not a file of a run", "leave out --record", files=_FILES),
    case(f"{_EVAL} --corruptions noise --reference m.onnx", "is the file itself", files=_FILES),
    case(f"{_EVAL} --corruptions noise --reference nowhere.onnx", "nowhere.onnx", files=_FILES),
    case(
        "eval m.onnx --data plain --mean 0.5 --std 0.5 --corruptions noise --reference f.onnx",
        "plain has no labels",
        files={**_FILES, "plain/a.png": image()},
    ),
    slow_case(
        "eval m.onnx --data a.npz --input array --corruptions noise --reference f.onnx --class-offset 0",
        "arrays",
        files={
            "m.onnx": classifier_onnx(),
            "f.onnx": classifier_onnx(),
            "a.npz": npz(images=pictures().astype("float32"), labels=[0, 1]),
        },
    ),
    case("compare run", "missing argument"),
    case("compare nowhere elsewhere", "cannot read a run at nowhere", "edgevit compress --out"),
    case("compare a.onnx b.onnx", "b.onnx", files={"a.onnx": b""}),
    case("compare a.onnx a.onnx", "compared with itself", files={"a.onnx": b""}),
    case("compare run run", "compared with itself", "--other", files={"run/run.json": RUN}),
    case("compare run run --candidate nope", "unknown candidate", "nope", files={"run/run.json": RUN}),
    case("compare run a.onnx --candidate 1", "is a file, not a run", files={"run/run.json": RUN, "a.onnx": b""}),
    case("compare a b", "chose nothing", "--candidate 1", files={"a/run.json": run_with("selected", value=None), "b/run.json": RUN}),
    case("compare a b --samples 5", "--samples has no effect without --data", files={"a/run.json": RUN, "b/run.json": RUN}),
    case("compare a b --threads 2", "--threads has no effect without --data or --measure", files={"a/run.json": RUN, "b/run.json": RUN}),
    case("compare a b --data digits", "--data needs the files of both", files={"a/run.json": RUN, "b/run.json": RUN}),
    case("compare a b --measure", "--measure needs the files of both", files={"a/run.json": RUN, "b/run.json": RUN}),
    case("compare a b", "is not a run", files={"a/run.json": RUN, "b/run.json": "{}"}),
    case("card nowhere", "cannot read a run at nowhere"),
    case("card a.onnx", "a file of no run", files={"a.onnx": b""}),
    case("card run --candidate nope", "unknown candidate", files={"run/run.json": RUN}),
    case("card run --license ''", "is empty", files={"run/run.json": RUN}),
    case("card run --license 'a\x1bb'", "--license is not a line", files={"run/run.json": RUN}),
    case("card run --out here.md", "here.md exists", files={"run/run.json": RUN, "here.md": "mine"}),
    case("card run --out no/here.md", "there is no folder no", files={"run/run.json": RUN}),
)  # fmt: skip
