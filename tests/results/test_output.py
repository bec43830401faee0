"""What a model gives, as values."""

from __future__ import annotations

from edgevit.results.output import Output, classifier_outputs, is_classifier, outputs_line


def test_only_a_row_of_logits_is_a_classifiers() -> None:
    assert is_classifier(classifier_outputs(5))
    assert not is_classifier((Output("embedding", (5,)),))
    assert not is_classifier((Output("logits", (5, 4, 4)),))
    assert not is_classifier((*classifier_outputs(5), Output("features", (8,))))


def test_sizes_and_the_line_for_people() -> None:
    outputs = (Output("embedding", (384,)), Output("map", (21, 3, 2)), Output("score", ()))
    assert [output.size for output in outputs] == [384, 126, 1]
    assert outputs_line(outputs) == "embedding [384], map [21, 3, 2], score []"
