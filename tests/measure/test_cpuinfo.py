"""The processor by what Linux tells of it, on x86 and on ARM."""

from __future__ import annotations

import pytest

from edgevit.measure.cpuinfo import parse_cpuinfo

X86 = """processor\t: 0
model name\t: Example Xeon
flags\t\t: fpu sse avx2 avx512f avx512_vnni amx_int8

processor\t: 1
model name\t: Example Xeon
"""
ARM = """processor\t: 0
Features\t: fp asimd evtstrm asimdhp asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd0b

processor\t: 1
CPU part\t: 0xd0b

Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""


@pytest.mark.parametrize(
    ("text", "name", "isa"),
    [
        (X86, "Example Xeon", ("avx2", "avx512f", "avx512_vnni", "amx_int8")),
        (ARM, "Cortex-A76 (Raspberry Pi 5 Model B Rev 1.0)", ("asimd", "asimdhp", "asimddp")),
        ("CPU part : 0x123\nCPU part : 0xd08", "ARM part 0x123 + Cortex-A72", ()),
        ("CPU part : 0xd07", "Cortex-A57", ()),
        ("", "", ()),
        ("no colon here", "", ()),
    ],
)
def test_parse_cpuinfo(text: str, name: str, isa: tuple[str, ...]) -> None:
    assert parse_cpuinfo(text) == (name, isa)
