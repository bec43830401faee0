"""Why ``benchmark_model`` measured nothing on a phone, from its transcript."""

from __future__ import annotations

import re
import signal

from edgevit.errors import CandidateFailed

_PREPARE = re.compile(r"Node number (\d+) \((\w+)\) failed to (prepare|invoke)")
_DELEGATE = re.compile(r"Failed to apply (\S+) delegate|Could not create (\S+) delegate")
_ERROR = re.compile(r"^(?:ERROR|FATAL): ?(.*\S)", re.M)
_NEWER = re.compile(r"Didn't find op for builtin opcode '(\w+)' version '(\d+)'")
_CUSTOM = re.compile(r"Encountered unresolved custom op: (\S+?)\.?(?:\s|$)")
_LIBRARY = re.compile(r"CANNOT LINK EXECUTABLE|library \"([^\"]+)\" not found|dlopen failed: (.+)")
_ARCHITECTURE = re.compile(r"not executable: (?:32|64)-bit ELF|Exec format error|has unexpected e_machine")
_PERMISSION = re.compile(r"Permission denied|avc:\s+denied|Operation not permitted", re.I)
_LOAD = re.compile(
    r"Failed to load model|Failed to initialize model loader|Could not open|The model is not a valid Flatbuffer", re.I
)


def explain_benchmark_failure(returncode: int, text: str) -> CandidateFailed:
    """Returns the cause that a transcript tells, the most specific one first.

    Args:
        returncode: Of the program on the phone; above 128 for one that a signal ended.
        text: What it printed, standard output and error.
    """
    return (
        _of_program(text)
        or _of_file(text)
        or _of_delegate(text)
        or _of_signal(returncode)
        or _of_permission(text)
        or CandidateFailed(f"benchmark_model failed: {_first(text)}", "run it on the phone by hand to see all it says")
    )


def _of_program(text: str) -> CandidateFailed | None:
    if _ARCHITECTURE.search(text):
        return CandidateFailed(
            "the phone cannot run this benchmark_model: it is made for another architecture",
            "give the one for android_aarch64",
        )
    library = _LIBRARY.search(text)
    if library:
        missing = library[1] or library[2] or "a library"
        return CandidateFailed(
            f"benchmark_model cannot be linked on the phone: {missing}",
            "give one that is linked statically, as LiteRT's own builds are; a vendor's delegate may need more libraries beside it",
        )
    return None


def _of_file(text: str) -> CandidateFailed | None:
    newer = _NEWER.search(text)
    if newer:
        return CandidateFailed(
            f"this benchmark_model is older than the file: it has no {newer[1]} of version {newer[2]}",
            "give a newer benchmark_model",
        )
    custom = _CUSTOM.search(text)
    if custom:
        return CandidateFailed(
            f"benchmark_model has no op {custom[1]}",
            "export without Flex and custom ops, or give a benchmark_model that has it",
        )
    if _LOAD.search(text):
        return CandidateFailed(f"benchmark_model cannot load the file: {_first(text)}", "is it a whole .tflite file?")
    return None


def _of_delegate(text: str) -> CandidateFailed | None:
    refused, node = _DELEGATE.search(text), _PREPARE.search(text)
    if refused:
        name = refused[1] or refused[2]
        return CandidateFailed(
            f"the {name} delegate cannot run the file: {_first(text)}",
            "measure with --delegate cpu, or give a file that the delegate takes, such as float16 for a GPU",
        )
    if node:
        return CandidateFailed(
            f"LiteRT on the phone cannot {node[3]} node {node[1]} ({node[2]}): {_first(text)}",
            "is benchmark_model as new as the file?",
        )
    return None


def _of_signal(returncode: int) -> CandidateFailed | None:
    if returncode <= 128:
        return None
    number = returncode - 128
    if number == signal.SIGKILL:
        return CandidateFailed(
            "benchmark_model was killed on the phone, most likely for lack of memory",
            "close apps there, or take a smaller model",
        )
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    return CandidateFailed(
        f"benchmark_model crashed on the phone ({name})", "try another --delegate, or a newer benchmark_model"
    )


def _of_permission(text: str) -> CandidateFailed | None:
    if not _PERMISSION.search(text):
        return None
    line = next(line for line in text.splitlines() if _PERMISSION.search(line))
    return CandidateFailed(
        f"the phone does not permit it: {' '.join(line.split())[:200]}",
        "a phone that is managed by a company or school may forbid programs in /data/local/tmp; take another",
    )


def _first(text: str) -> str:
    errors = _ERROR.findall(text)
    lines = errors or [line for line in text.splitlines() if line.strip()] or ["it said nothing"]
    words = " ".join(lines[0 if errors else -1].split())
    return words if len(words) <= 240 else f"{words[:239]}…"
