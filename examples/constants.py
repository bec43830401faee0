"""Prints what a program has to know of an artifact as constants of its language.

MODEL takes pixels: it was made with --embed-preprocessing. Needs edgevit where it is run, not where the program is.
"""

import json
import subprocess
import sys

LINES = {
    "cpp": (
        "// Made by constants.py from {model}.\n#pragma once\n#include <array>\n\n"
        "constexpr int kHeight = {height}, kWidth = {width};\nconstexpr double kCrop = {crop};  // share that the crop keeps\n"
        "constexpr std::array<const char*, {count}> kClasses = {{{{{names}}}}};\n"
    ),
    "kotlin": (
        "// Made by constants.py from {model}.\n"
        "const val HEIGHT = {height}\nconst val WIDTH = {width}\nconst val CROP = {crop} // share that the crop keeps\n"
        "val CLASSES = arrayOf({names})\n"
    ),
}


def constants(model, language):
    """Returns the constants as text."""
    command = [sys.executable, "-m", "edgevit", "inspect", model, "--json"]
    contract = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["contract"]
    if not contract or not contract.get("embeds_preprocessing"):
        sys.exit(f"{model} does not take pixels: make it with --embed-preprocessing")
    if not contract["classes"]:
        sys.exit(f"{model} does not name its classes: make it with --labels FILE")
    wanted = contract["preprocessing"]
    if wanted["crop_mode"] != "center":
        sys.exit(f"{model} wants images squashed, and the examples crop the centre")
    height, width = wanted["input_size"]
    names = [json.dumps(name, ensure_ascii=False) for name in contract["classes"]]
    if language == "kotlin":
        names = [name.replace("$", "\\$") for name in names]
    return LINES[language].format(
        model=model, height=height, width=width, crop=wanted["crop_pct"], count=len(names), names=", ".join(names)
    )


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[2] not in LINES:
        sys.exit("usage: python constants.py MODEL cpp|kotlin > FILE")
    print(constants(*sys.argv[1:]), end="")
