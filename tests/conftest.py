"""Fixtures that many tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Lets signals be tested where a shell has these tests, and so all processes that they start, ignore them: Ctrl-C in the
    background, a hangup under nohup."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def shared_data() -> Path:
    """Folder of third-party models and images: $EDGEVIT_DATA, or ../shared/data beside the checkout; else skips."""
    given = os.environ.get("EDGEVIT_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set EDGEVIT_DATA to its folder")
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Has PyTorch run in one thread: small models are faster so."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
