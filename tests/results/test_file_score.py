"""What ``edgevit eval`` finds out, as a document."""

from __future__ import annotations

from edgevit.results.candidate import Accuracy
from edgevit.results.document import to_document
from edgevit.results.file_score import FileScore


def test_it_is_a_document_with_all_it_has_to_tell() -> None:
    document = to_document(FileScore(Accuracy(0.5, None, 4, None), {"rose": 1}, ("3 not read",), "no result"))
    assert (document["accuracy"]["top1"], document["classes"]) == (0.5, {"rose": 1})
    assert (document["notes"], document["stopped"]) == (["3 not read"], "no result")
