"""Fixtures that many tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback import Loopback, loopback_board


def pytest_configure() -> None:
    """Lets signals be tested where a shell has these tests, and so all processes that they start, ignore them: Ctrl-C in the
    background, a hangup under nohup; and forgets the width of the terminal."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.environ.pop("COLUMNS", None)  # the width of whoever runs the tests


@pytest.fixture
def shared_data() -> Path:
    """Folder of third-party models and images: $EDGEVIT_DATA, or ../shared/data beside the checkout; else skips."""
    given = os.environ.get("EDGEVIT_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set EDGEVIT_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def digits_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Float artifacts of the bundled CNN, as a run makes them, by backend; away from any run."""
    pytest.importorskip("torch")
    from edgevit.artifacts.use_script import USE_SCRIPT, use_script
    from edgevit.backends import all_backends
    from edgevit.model.load import load_model
    from edgevit.model.program.capture import capture
    from edgevit.results.contract import Contract
    from edgevit.spec.spec import ModelSpec

    model, files = load_model(ModelSpec(name="digits_cnn")), {}
    contract = Contract(model.preprocessing, "NCHW", model.class_names, "fp32", "ab" * 32, "0.1.0")
    program = capture(model.module, model.preprocessing.input_size)
    for backend in all_backends():
        path = backend.export(program, tmp_path_factory.mktemp(backend.name))
        backend.write_contract(path, contract)
        path.with_name(USE_SCRIPT).write_text(use_script(backend, path.name, contract), encoding="utf-8")
        files[backend.name] = path
    return files


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Has PyTorch run in one thread: small models are faster so."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loopback]:
    """A board that is this machine, reached as ``board``; skips where there is no sshd."""
    with loopback_board(tmp_path_factory.mktemp("board")) as board, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", board.path)
        yield board
