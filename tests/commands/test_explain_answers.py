"""What models and artifacts take an image for, as one class and its probability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from edgevit.artifacts.usage import usage_of
from edgevit.commands.explain_answers import AnswerJob, answer_in_child, model_answer
from edgevit.spec.spec import PreprocessingOverrides


def test_the_most_probable_class_by_its_name() -> None:
    logits = torch.tensor([[0.0, np.log(3.0), 0.0]])
    found = model_answer("dense", logits, ("a", "b", "c"))
    assert (found.label, found.probability) == ("b", pytest.approx(0.6))
    assert model_answer("reduced", logits, ()).label == "class 1"
    assert model_answer("dense", torch.tensor([[-1e4, 1e4]]), ()).probability == 1


def test_a_single_logit_decides_by_its_sign() -> None:
    found = model_answer("dense", torch.tensor([[-np.log(4.0)]]), ("no", "yes"))
    assert (found.label, found.probability) == ("no", pytest.approx(0.8))


def test_an_artifact_answers_as_its_model_does(digits_files: dict[str, Path]) -> None:
    path = digits_files["onnxruntime"]
    job = AnswerJob(path, usage_of(path, PreprocessingOverrides()), ("digits-0010", "digits-0024"))
    first, second = answer_in_child(job).answers
    assert (first.model, second.model) == ("compressed", "compressed")
    assert first.probability > 0.5 and second.probability > 0.5
