"""The processor, by what Linux tells in ``/proc/cpuinfo``."""

from __future__ import annotations

ISA_OF_INTEREST = (
    "avx2",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "amx_bf16",
    "neon",
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sme",
)
"""Instruction sets, named as in Linux, that determine the speed of float and int8 models."""

_ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd0d": "Cortex-A77",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd44": "Cortex-X1",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd48": "Cortex-X2",
    "0xd49": "Neoverse-N2",
    "0xd4d": "Cortex-A715",
    "0xd4e": "Cortex-X3",
    "0xd4f": "Neoverse-V2",
}
"""ARM's part numbers (MIDR_EL1) of common cores; the kernel names only the number. As in Linux, arch/arm64/include/asm/cputype.h."""


def parse_cpuinfo(text: str) -> tuple[str, tuple[str, ...]]:
    """Returns the CPU's name and the instruction sets of interest from the text of ``/proc/cpuinfo``.

    Args:
        text: x86 or ARM form; may be empty.

    Returns:
        The name ("" where the text has none) and the instruction sets in the order of ``ISA_OF_INTEREST``.
    """
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        values.setdefault(key.strip(), []).append(value.strip())
    parts = list(dict.fromkeys(_ARM_PARTS.get(part, f"ARM part {part}") for part in values.get("CPU part", [])))
    board = values.get("Model", [""])[0]
    name = values.get("model name", [""])[0] or " + ".join(parts)
    flags = set(" ".join(values.get("flags", []) + values.get("Features", [])).split())
    return " ".join(part for part in (name, f"({board})" if board else "") if part), tuple(
        flag for flag in ISA_OF_INTEREST if flag in flags
    )
