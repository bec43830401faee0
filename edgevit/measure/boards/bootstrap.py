"""The first program on a board: it says what is there, receives the runner where it is not, and goes on as its ``hold``.

It is sent as one line of text, so that nothing of it goes through a shell there.
"""

from __future__ import annotations

import json

FOLDER = ".cache/edgevit/board"
"""The board's folder of edgevit, in the home folder."""
LEAST_PYTHON = (3, 10)
FIRST = """-u -c "import sys; exec(getattr(sys.stdin, 'buffer', sys.stdin).readline())\""""
"""Arguments of Python that let it execute the first line of stdin; they mean the same to every shell."""

_PROGRAM = r"""
import errno, hashlib, json, os, sys
sys.path[:] = [place for place in sys.path if place]

def say(document):
    sys.stdout.write("\x1eedgevit " + json.dumps(document) + "\n")
    sys.stdout.flush()

def begin(asked):
    folder = os.path.join(os.path.expanduser("~"), *asked["folder"].split("/"))
    runner = os.path.join(folder, "runner-" + asked["sha256"] + ".pyz")
    there = os.path.isfile(runner)
    old = list(sys.version_info[:2]) < asked["least_python"]
    say({
        "python": ".".join(map(str, sys.version_info[:3])), "old": old, "folder": folder, "has_folder": os.path.isdir(folder),
        "has_runner": there,
    })
    if old or not (there or receive(asked, folder, runner)):
        return
    sys.path.insert(0, runner)
    sys.modules["pydantic"] = None
    from edgevit.measure.boards.runner_main import main
    main(["hold", folder] + asked["hold"])

def receive(asked, folder, runner):
    content = sys.stdin.buffer.read(asked["size_bytes"])
    if hashlib.sha256(content).hexdigest() != asked["sha256"]:
        return False
    part = "%s.%d.part" % (runner, os.getpid())
    try:
        os.makedirs(folder, 0o700, exist_ok=True)
        with open(part, "wb") as target:
            target.write(content)
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, runner)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        say({
            "error": "disk full" if full else "failed", "message": "%s: %s" % (error.strerror, error.filename or folder),
        })
        return False
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return True
"""
"""Has to be read by any Python, also by one that is too old, which it then says."""


def first_line(runner_sha256: str, size_bytes: int, hold: tuple[str, ...]) -> bytes:
    """Returns the line that Python executes.

    Args:
        runner_sha256: Of the runner, in hexadecimal.
        size_bytes: Of the runner, which is sent when the answer says that it is not there.
        hold: Arguments of the runner's ``hold`` after the folder.
    """
    asked = {
        "sha256": runner_sha256,
        "size_bytes": size_bytes,
        "folder": FOLDER,
        "least_python": list(LEAST_PYTHON),
        "hold": list(hold),
    }
    program = f"{_PROGRAM}\nbegin(json.loads({json.dumps(asked)!r}))\n"
    return f"exec({program!a})\n".encode("ascii")
