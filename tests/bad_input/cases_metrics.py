"""Metrics that are nowhere, cannot be called, or do not fit the model or the labels; several sets."""

from __future__ import annotations

import numpy as np

from tests.bad_input.case import Case, case, slow_case
from tests.bad_input.contents import classifier_onnx, image, npz, pictures

_GOOD = "def score(outputs, labels):\n    return 1.0\n"
_RUN = "compress digits_cnn --export onnx --scheme fp32"


def _own(text: str, *words: str, options: str = "--max-drop 0.1") -> Case:
    """A module ``mine`` whose metric ``score`` is named; it is refused before anything is scored."""
    return case(f"{_RUN} --data digits --metric mine:score {options}", *words, files={"mine.py": text})


def _called(text: str, *words: str) -> Case:
    """A metric that is called, and then gives no score: the file is run first."""
    command = "eval model.onnx --data digits --samples 20 --mean 0.5 --std 0.5 --metric mine:score"
    return slow_case(command, *words, files={"mine.py": text, "model.onnx": classifier_onnx()})


_HEAD = "import sys, numpy as np\ndef score(outputs, labels):\n    "
_FORM = "def metric(outputs, labels)"
_ARRAYS = npz(images=pictures(), labels=[0, 1])

CASES = (
    _own("", "'mine' has no function 'score'"),
    _own("def scores(outputs, labels): return 1.0\n", "did you mean scores"),
    _own("score = 3\n", "no function 'score'"),
    _own("def score(:\n", "mine.py", "line 1"),
    _own("import nowhere_to_be_found\n", "nowhere_to_be_found"),
    _own("raise KeyError('depth')\n", "KeyError", "mine.py, line 1"),
    _own("import sys\nsys.exit(0)\n", "sys.exit", "mine.py"),
    _own("import os\nos._exit(0)\n", "mine cannot be imported", "do nothing but define functions"),
    _own("import os\nos.abort()\n", "mine cannot be imported", "do nothing but define functions"),
    _own("def score(outputs): return 1.0\n", "mine:score(outputs, labels) cannot be called", "def metric(outputs, labels)"),
    _own("def score(outputs, labels, images): return 1.0\n", "missing a required argument: 'images'"),
    _own("def score(*, outputs, labels): return 1.0\n", "cannot be called"),
    _own(_GOOD, "the largest drop is not said", "--max-drop", options=""),
    _own(_GOOD, "max_drop", options="--max-drop -1"),
    _own(_GOOD, "max_drop", options="--max-drop nan"),
    case(f"{_RUN} --data digits --metric top-1", "unknown metric: 'top-1'", "did you mean top1", "package.module:function"),
    case(f"{_RUN} --data digits --metric mine:", "mine: is not package.module:function"),
    case(f"{_RUN} --data digits --metric a/b.py:score --max-drop 1", "a/b.py:score is not package.module:function"),
    case(f"{_RUN} --data digits --metric nowhere.at.all:score --max-drop 1", "cannot import 'nowhere.at.all'"),
    case(f"{_RUN} --data digits --metric value --max-drop 1", "10 outputs", "package.module:function"),
    case(f"{_RUN} --data digits --metric multilabel", "the labels are of another kind", "class_indices"),
    case(f"{_RUN} --data digits --metric multilabel --max-drop 101", "in percent"),
    case(f"{_RUN} --metric agreement", "no effect without images", "--data"),
    case(f"{_RUN} --data data --metric top1", "needs labels", files={"data/a.png": image(), "data/b.png": image(shade=9)}),
    case(f"{_RUN} --data a.npz", "are numbers", "--metric value", files={"a.npz": npz(images=pictures(), labels=[0.5, 1.0])}),
    case(f"{_RUN} --data a.npz", "are sets of classes", "--metric multilabel", files={"a.npz": npz(images=pictures(), labels=np.eye(2, dtype=int))}),
    case(f"{_RUN} --data a.npz --metric multilabel", '"labels" must be 2', files={"a.npz": npz(images=pictures(), labels=[[0, 2], [1, 0]])}),
    case(f"{_RUN} --data digits --data digits", "digits is given twice"),
    case(f"{_RUN} --data digits --data nowhere", "no such image source: nowhere"),
    case(f"{_RUN} --data digits --data b", "b has no labels", files={"b/a.png": image(), "b/b.png": image(shade=9)}),
    case(f"{_RUN} --data digits --data a.npz --calibration b.npz", "calibration images of", "a.npz", files={"a.npz": _ARRAYS, "b.npz": _ARRAYS}),
    _called(_HEAD + "raise KeyError('depth')\n", "calling mine:score: KeyError: 'depth'", "mine.py, line 3", "correct that line"),
    _called(_HEAD + "raise ValueError\n", "calling mine:score: ValueError", "mine.py, line 3"),
    _called(_HEAD + "return outputs[0][10]\n", "IndexError", "mine.py, line 3"),
    _called(_HEAD + "sys.exit(0)\n", "it calls sys.exit(0)", "mine.py, line 3", "do nothing but define functions"),
    _called(_HEAD + "input()\n", "EOFError", "mine.py, line 3"),
    _called(_HEAD + "return float('nan')\n", "mine:score gives nan", "let the metric give a finite number"),
    _called(_HEAD + "return np.float32('-inf')\n", "mine:score gives -inf", "finite number"),
    _called(_HEAD + "return np.full(len(labels), np.nan)\n", "mine:score gives nan", "finite number"),
    _called(_HEAD + "return None\n", "mine:score returned None, not a float", _FORM),
    _called(_HEAD + "return '0.5'\n", "mine:score returned str, not a float", _FORM),
    _called(_HEAD + "return True\n", "mine:score returned bool, not a float", _FORM),
    _called(_HEAD + "return {'top1': 0.5}\n", "mine:score returned dict, not a float", _FORM),
    _called(_HEAD + "return outputs\n", "mine:score returned an array float32 [20, 10], not a float", _FORM),
    _called(_HEAD + "return labels[:3]\n", "mine:score returned an array int64 [3], not a float", _FORM),
    case(f"{_RUN} --set 'data.also_evaluate=[\"digits\"]'", "no effect without data.evaluation"),
)  # fmt: skip
