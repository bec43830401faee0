"""The contract with shells and CI: exit codes, and who speaks on stdout and stderr."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
import typer

import edgevit
from edgevit.cli import app as app_module
from edgevit.cli import models
from edgevit.commands import doctor
from edgevit.errors import CheckFailed, ExitCode, UsageError
from edgevit.measure.host import host_fingerprint
from edgevit.results.run import Run, run_to_json
from edgevit.spec.toml_files import names
from tests.factories import (
    make_candidate,
    make_latency,
    make_machine,
    make_machine_state,
    make_prediction,
    make_realistic_run,
    make_run,
)

COMMANDS = [name for name, _ in app_module.COMMANDS]


def edgevit_command(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the real command in a child process."""
    return subprocess.run(
        [sys.executable, "-m", "edgevit", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs the command in this process; returns its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = app_module.run([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def save(tmp_path: Path) -> Callable[[Run], Path]:
    """Writes a run folder."""

    def write(run: Run) -> Path:
        (tmp_path / "run.json").write_bytes(run_to_json(run))
        return tmp_path

    return write


@pytest.fixture
def budget(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a budget."""

    def write(text: str) -> Path:
        (tmp_path / "budget.toml").write_text(text)
        return tmp_path / "budget.toml"

    return write


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Callable[[], None]], int]:
    """Runs a function as a command inside the error edge and returns its exit code."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(function: Callable[[], None]) -> int:
        def make() -> typer.Typer:
            made = typer.Typer()
            made.command()(function)
            return made

        monkeypatch.setattr(app_module, "make_app", make)
        return app_module.run([])

    return run


def raiser(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_exit_0_within_budget(save: Callable[[Run], Path], budget: Callable[[str], Path]) -> None:
    done = edgevit_command("gate", save(make_run()), "--budget", budget("[devices.host]\nlatency_p50_ms = 15"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "pass: litert/dynamic_wi8_afp32, 1 of 1 checks passed"


def test_the_gate_says_that_a_run_was_quick(save: Callable[[Run], Path], budget: Callable[[str], Path]) -> None:
    run, limits = save(make_run(spec={"quick": True})), budget("[devices.host]\nlatency_p50_ms = 15")
    assert (
        edgevit_command("gate", run, "--budget", limits).stdout.splitlines()[-1] == "note: a quick run, on few images"
    )
    assert json.loads(edgevit_command("gate", run, "--budget", limits, "--json").stdout)["quick"] is True


def test_the_gate_can_require_a_stable_latency(save: Callable[[Run], Path], budget: Callable[[str], Path]) -> None:
    noisy = make_latency(11.0, 12.0, 13.0, unstable="other processes used 0.9 cores")
    run, limits = save(make_run(make_candidate(latency=noisy))), budget("size_bytes = 8_000_000")
    assert edgevit_command("gate", run, "--budget", limits).returncode == 0
    done = edgevit_command("gate", run, "--budget", limits, "--require-stable")
    assert done.returncode == 1
    assert "litert/dynamic_wi8_afp32: other processes used 0.9 cores" in done.stderr
    changed = replace(make_latency(11.0, 12.0, 13.0), machine=make_machine(changed=("the clock changed by 9 %",)))
    run = save(make_run(make_candidate(latency=changed)))
    assert edgevit_command("gate", run, "--budget", limits).returncode == 0
    done = edgevit_command("gate", run, "--budget", limits, "--require-stable")
    assert (done.returncode, "the clock changed by 9 %" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    "text", ["size_bytes = 1", "[devices.raspberry-pi-5]\nlatency_p50_ms = 9", "[devices.d]\nlatency_p50_ms = 9"]
)
def test_exit_1_over_budget_unknown_or_inconclusive(
    save: Callable[[Run], Path], budget: Callable[[str], Path], text: str
) -> None:
    run = make_run(make_candidate(predictions=(make_prediction(1, 10, device="d"),)))
    done = edgevit_command("gate", save(run), "--budget", budget(text))
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["gat"], "error: no such command 'gat'", "hint: see `edgevit --help`"),
        (["gate"], "error: missing argument 'RUN'", "hint: see `edgevit gate --help`"),
        (["gate", "run", "--budgt", "b"], "error: no such option: --budgt", "hint: see"),
        (["gate", "nowhere", "--budget", "nowhere.toml"], "error: no such file: nowhere.toml", ""),
        (["schema", "rnu"], "error: invalid value for", "hint: see `edgevit schema --help`"),
        (["devices", "show", "nowhere"], "error: unknown device: 'nowhere'", "hint: `edgevit devices` lists"),
        (["profiles", "show", "nowhere"], "error: unknown profile: 'nowhere'", "hint: known: "),
        (["report", "nowhere"], "error: cannot read a run at nowhere", "hint: give the folder"),
    ],
)
def test_exit_2_bad_usage(arguments: list[str], message: str, hint: str, call: Call) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert hint in err


def test_numbers_with_spaces_between_are_told_the_form_to_write(call: Call) -> None:
    code, _, said = call("eval", "m.tflite", "--data", "digits", "--mean", "0.5", "0.4", "0.3")
    assert code == 2 and "--mean 0.485,0.456,0.406, with commas and without spaces" in said


def test_exit_2_of_the_real_command() -> None:
    done = edgevit_command("gate", "nowhere", "--budget", "nowhere.toml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no such file: nowhere.toml")


def test_json_is_one_document_and_an_error_leaves_stdout_empty(
    save: Callable[[Run], Path], budget: Callable[[str], Path]
) -> None:
    done = edgevit_command("gate", save(make_run()), "--budget", budget("size_bytes = 1"), "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["verdict"], document["checks"][0]["limit"]) == (1, "fail", 1.0)
    failed = edgevit_command("gate", "nowhere", "--budget", budget("size_bytes = 1"), "--json")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("error: ")


def test_exit_3_leaves_a_log(command: Callable[[Callable[[], None]], int], tmp_path: Path,
                             monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # fmt: skip
    assert command(raiser(RuntimeError("unforeseen"))) == ExitCode.BUG
    (log,) = (tmp_path / "edgevit").iterdir()
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert edgevit.__version__ in text
    said = capsys.readouterr()
    assert said.out == ""
    assert "RuntimeError: unforeseen" in said.err
    assert str(log) in said.err


def test_exit_3_where_no_log_can_be_written(
    command: Callable[[Callable[[], None]], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(app_module, "_log_folders", lambda: iter([Path("/proc/nowhere")]))
    assert command(raiser(RuntimeError("unforeseen"))) == ExitCode.BUG
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CheckFailed("too slow", "try int8"), 1, "error: too slow\nhint: try int8\n"),
        (UsageError("no such file: a[b]"), 2, "error: no such file: a[b]\n"),
        (UsageError("no such file: \x1b[31m\x07"), 2, "error: no such file: \\x1b[31m\\x07\n"),
        (OSError(errno.ENOSPC, "full", "/x"), 2, "error: no space left on device: /x\n"),
        (PermissionError(errno.EACCES, "no", "/x"), 2, "error: permission denied: /x\n"),
        (ModuleNotFoundError("no", name="openvino.runtime"), 2, "pip install 'edgevit[openvino]'"),
        (ModuleNotFoundError("no", name="edgevit.typo"), 3, "error: edgevit failed unexpectedly"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (EOFError(), 3, "EOFError"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_the_error_edge(
    command: Callable[[Callable[[], None]], int],
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    said: str,
) -> None:
    assert command(raiser(error)) == code
    captured = capfd.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_ctrl_c_ends_with_130() -> None:
    program = (
        "import os, signal, typer; from edgevit.cli import app; made = typer.Typer();"
        "made.command()(lambda: os.kill(os.getpid(), signal.SIGINT)); app.make_app = lambda: made; app.main()"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (130, "interrupted\n")


ENDLESS = (
    "import signal, sys, time, typer; from edgevit.cli import app; made = typer.Typer()\n"
    "def wait():\n"
    "    try: print('begun', file=sys.stderr, flush=True); time.sleep(60)\n"
    "    finally: print('cleaned up', file=sys.stderr)\n"
    "made.command()(wait); app.make_app = lambda: made; app.main()"
)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_clean_up_as_ctrl_c_does(number: signal.Signals, code: int) -> None:
    child = subprocess.Popen([sys.executable, "-c", ENDLESS], stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline() == "begun\n"
    child.send_signal(number)
    _, said = child.communicate(timeout=60)
    assert (child.returncode, said) == (code, f"cleaned up\nstopped by {number.name}\n")


def test_a_hangup_that_the_caller_ignores_stays_ignored() -> None:
    program = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n{ENDLESS}"
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert child.stderr.readline() == "begun\n"
    child.send_signal(signal.SIGHUP)
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=60)
    assert child.returncode == 143


def test_python_m_edgevit_runs_no_file_of_the_current_folder(tmp_path: Path) -> None:
    for name in ("json", "typer", "signal", "inspect"):
        (tmp_path / f"{name}.py").write_text("open('mark', 'w').close(); raise SystemExit(9)")
    root = str(Path(edgevit.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "edgevit", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        check=False,
    )
    assert done.returncode == 0
    assert not (tmp_path / "mark").exists()


def test_a_reader_that_leaves_is_no_verdict_and_no_traceback() -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "edgevit", "schema", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    child.stdout.close()
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait() == 128 + signal.SIGPIPE
    assert said == b""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example(name: str, call: Call) -> None:
    code, out, _ = call(name, "--help")
    assert code == 0
    usage, _, rest = out.partition("\n")
    assert usage.startswith(f"Usage: edgevit {name}")
    assert "Example" in rest
    assert f"edgevit {name}" in rest


def test_help_and_version(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    assert all(f"\n  {name} " in out for name in COMMANDS)
    assert "130 interrupted" in " ".join(out.split())
    assert call("--version") == (0, f"edgevit {edgevit.__version__}\n", "")


def test_the_help_shows_each_command_on_one_line_uncut_at_80_columns() -> None:
    out = edgevit_command("--help", COLUMNS="80").stdout
    listing = out.partition("\nCommands:\n")[2].partition("\n\n")[0].splitlines()
    assert sorted(line.split()[0] for line in listing) == sorted(COMMANDS)
    assert [line for line in listing if not line.endswith(".") or line.endswith("...") or len(line) > 80] == []


def test_options_of_a_large_command_are_in_groups(call: Call) -> None:
    _, out, _ = call("compress", "--help")
    titles = [line for line in out.splitlines() if line.endswith(":") and line[:1].isalpha()]
    assert titles == [
        "Arguments:",
        "Model:",
        "Images:",
        "Artifacts:",
        "Choice:",
        "Run:",
        "Board:",
        "Output:",
        "Options:",
    ]
    assert "--weights" in out.partition("\nModel:")[2].partition("\nImages:")[0]


def test_a_shell_can_complete_commands_and_options() -> None:
    asked = {"_EDGEVIT_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert edgevit_command(**asked, COMP_WORDS="edgevit compr").stdout.split() == ["compress"]
    options = edgevit_command(**{**asked, "COMP_CWORD": "2"}, COMP_WORDS="edgevit compress --max-").stdout.split()
    assert options == ["--max-drop", "--max-minutes"]


def test_a_terminal_without_unicode_or_colour_reads_the_same(
    save: Callable[[Run], Path], budget: Callable[[str], Path]
) -> None:
    arguments = ("gate", save(make_run()), "--budget", budget("size_bytes = 8_000_000"))
    plain = edgevit_command(*arguments, PYTHONIOENCODING="ascii", NO_COLOR="1")
    assert plain.returncode == 0
    assert "\x1b" not in plain.stdout
    assert "pass: litert/dynamic_wi8_afp32" in plain.stdout


def test_report_shows_the_run_and_where_it_was_written(save: Callable[[Run], Path], tmp_path: Path, call: Call) -> None:
    code, out, _ = call("report", save(make_realistic_run()), "--out", tmp_path / "out")
    assert code == 0
    assert out.splitlines()[-2:] == ["chosen: openvino/static_wi8_ai8", f"report: {tmp_path / 'out' / 'report.html'}"]
    assert (tmp_path / "out" / "report.md").is_file()
    assert (tmp_path / "out" / "report.html").is_file()
    assert "process memory" not in out
    assert "process memory" in call("report", tmp_path, "--out", tmp_path / "out", "--wide")[1]


def test_the_gate_takes_the_rank_that_the_report_shows(
    save: Callable[[Run], Path], budget: Callable[[str], Path], call: Call
) -> None:
    arguments = ("gate", save(make_realistic_run()), "--budget", budget("size_bytes = 8_000_000"), "--candidate")
    shown = call("report", arguments[1])[1]
    assert "   2  litert       dynamic_wi8_afp32" in shown
    assert call(*arguments, "2")[1].splitlines()[-1] == "pass: litert/dynamic_wi8_afp32, 1 of 1 checks passed"
    code, out, err = call(*arguments, "12")
    assert (code, out) == (2, "")
    assert "there is no rank 12" in err and "did you mean 10, openvino/dynamic_wi8_afp32?" in err


@pytest.mark.parametrize("kind", ["run", "search", "distill", "spec", "budget", "device"])
def test_schema_is_json(kind: str, call: Call) -> None:
    assert json.loads(call("schema", kind)[1])["type"] == "object"


@pytest.mark.parametrize("kind", ["devices", "profiles"])
def test_every_shipped_device_and_profile_is_listed_and_shown(kind: Literal["devices", "profiles"], call: Call) -> None:
    code, listing, _ = call(kind)
    assert code == 0
    if kind == "devices":
        assert max(map(len, listing.splitlines())) <= 80
    for name in names(kind):
        assert name in listing
        assert call(kind, "show", name)[1]


def test_models_are_found_by_pattern_or_part(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ["deit_tiny", "efficientnet_b0", "resnetv2_50", "vit_tiny", "vitamin_small"]
    monkeypatch.setattr("edgevit.cli.models._timm_names", lambda: made)
    code, out, _ = call("models", "vit_*")
    assert (code, "vit_tiny" in out, "deit" in out) == (0, True, False)
    notes = {line.split()[0]: line for line in call("models")[1].splitlines()}
    assert notes["digits_vit"].endswith("bundled, with weights")
    assert notes["efficientnet_b0"].endswith("verified family: EfficientNet")
    assert notes["vitamin_small"] == "vitamin_small"
    assert notes["resnetv2_50"] == "resnetv2_50"
    code, _, err = call("models", "vit_tine")
    assert (code, "did you mean vit_tiny" in err) == (2, True)


def test_models_without_timm_are_the_bundled_ones(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgevit.run.packages.version_of", lambda name: None)
    code, out, err = call("models")
    assert (code, "digits_vit" in out, "vit_tiny" in out) == (0, True, False)
    assert "pip install 'edgevit[compress]'" in err


def test_doctor_speaks_json_too(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    works = doctor.Probe("a", "a", "1", "works", "cpu", "a files cannot be made here")
    numpy = doctor.Package("numpy", "2", None)
    energy = "INA3221 rail VDD_IN"
    found = doctor.Diagnosis("0.1.0", host_fingerprint(1), (numpy,), (works,), make_machine_state(), energy)
    monkeypatch.setattr(doctor, "diagnose", lambda: found)
    code, out, _ = call("doctor", "--json")
    assert (code, json.loads(out)["healthy"]) == (0, True)
    assert (json.loads(out)["energy"], json.loads(out)["machine"]["affinity"]) == (energy, "0-3")
    monkeypatch.setattr(doctor, "diagnose", lambda: replace(found, backends=()))
    code, out, err = call("doctor")
    assert code == ExitCode.USAGE
    assert "numpy" in out
    assert {"CPUs 0-3: ondemand, 600 to 1500 MHz", "48 °C (cpu-thermal)", energy} <= {
        line.split("  ")[-1].strip() for line in out.splitlines()
    }
    assert "pip install 'edgevit[onnx]'" in err


def test_a_removed_current_folder_is_told(tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    code, out, err = call("compress", "digits_cnn", "--data", "digits")
    assert (code, out) == (2, "")
    assert err.startswith("error: the current folder was removed\nhint: change to another")


@pytest.mark.parametrize(
    ("number", "step"),
    [(errno.EMFILE, "ulimit -n"), (errno.ENOMEM, "memory"), (errno.ELOOP, "links"), (errno.ENOENT, "another path")],
)
def test_what_the_machine_lacks_is_no_bug(
    number: int, step: str, command: Callable[[Callable[[], None]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(raiser(OSError(number, os.strerror(number), "/x"))) == 2
    assert step in capsys.readouterr().err.splitlines()[1]


def test_a_whole_name_shows_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch")
    from edgevit.model.torchvision_schemas import ensure_torchvision_schemas

    ensure_torchvision_schemas()
    pytest.importorskip("timm")
    assert app_module.run(["models", "digits_cnn"]) == 0
    shown = capsys.readouterr().out
    assert all(words in shown for words in ("parameters", "MACs", "convolutional network", "bundled, with weights"))
    assert app_module.run(["models", "digits_cnn", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"] == 10


def test_the_input_size_is_of_a_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert app_module.run(["models", "digits*", "--input-size", "32"]) == 2
    assert "a whole name, such as digits_cnn" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("vit_tiny_patch16_224", "ViT"),
        ("deit_tiny_patch16_224", "DeiT"),
        ("mobilevit_xxs", "MobileViT"),
        ("resnet18", "ResNet"),
        ("tf_efficientnet_lite0", ""),
        ("efficientnet_lite0", "EfficientNet-Lite"),
        ("resnetv2_50", ""),
        ("vit_relpos_small_patch16_224", ""),
    ],
)
def test_families_are_told_by_the_beginning_of_names(name: str, family: str) -> None:
    assert models.note_of(name) == (f"verified family: {family}" if family else "")
