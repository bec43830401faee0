"""What training runs on."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from edgevit.distillation.accelerator import find_device  # noqa: E402
from edgevit.errors import UsageError  # noqa: E402


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (find_device("auto"), find_device("cpu")) == ("cpu", "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (find_device("auto"), find_device("cuda"), find_device("cpu")) == ("cuda", "cuda", "cpu")


def test_what_is_not_there_is_refused_with_what_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="there is no cuda device") as caught:
        find_device("cuda")
    assert "mps, cpu" in str(caught.value.hint)
