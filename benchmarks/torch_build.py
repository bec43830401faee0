"""Says before ``make install`` downloads it whether pip would take PyTorch's build for NVIDIA GPUs, and how to avoid that.

    python benchmarks/torch_build.py CONSTRAINTS

Runs with Python's own modules and pip alone, since nothing is installed yet. It asks pip for torch without its requirements,
reads which file pip has chosen, and ends pip before it has downloaded that.
"""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import unquote

_FILE = re.compile(r"\b(torch-\d\S*?\.whl)(?:\.metadata)?(?: \(([^)]+)\))?")


def chosen_file(output: str) -> tuple[str, str] | None:
    """Returns the file of torch that a line of pip's output names, and its size as pip writes it ("526.6 MB", or ""); or None.

    Args:
        output: A line such as "  Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl (526.6 MB)".
    """
    found = _FILE.search(unquote(output))
    if found is None:
        return None
    is_whole = ".metadata" not in found.group(0)
    return found.group(1), (found.group(2) or "") if is_whole else ""


def warning(file: str, size: str) -> str:
    """Returns what to say of a file of torch; "" for one that brings no CUDA.

    Args:
        file: Its name.
        size: As pip writes it, or "".
    """
    if "+cpu" in file or "linux" not in file:
        return ""
    return (
        f"make install is about to download {file}{f' ({size})' if size else ''}: PyTorch for NVIDIA GPUs, and with it\n"
        "CUDA's libraries, about 2 GB more. edgevit needs no GPU. To avoid it, stop with Ctrl-C and give the build for CPUs:\n"
        "  make install PIP_EXTRA_INDEX_URL=ADDRESS   (of PyTorch's index for CPUs, from its page 'Get started')\n"
        "  make install PIP_FIND_LINKS=FOLDER         (with a wheel torch-...+cpu-...whl in it)"
    )


def main() -> None:
    """Asks pip, and prints the warning on stderr where there is one."""
    command = [
        sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--progress-bar=off", "--constraint", sys.argv[1], "torch",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as pip:
        assert pip.stdout is not None
        chosen = next(filter(None, map(chosen_file, pip.stdout)), None)
        pip.terminate()
    text = warning(*chosen) if chosen else ""
    if text:
        print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
