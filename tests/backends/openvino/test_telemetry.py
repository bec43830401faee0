"""Nothing that OpenVINO or NNCF does for edgevit is reported to anybody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("openvino_telemetry")
pytest.importorskip("nncf")

CODE = """
import sys
from edgevit.backends import get_backend
backend = get_backend("openvino")
backend.open_session(__import__("pathlib").Path(sys.argv[1]), 1, "f32")
import nncf, openvino.tools.ovc
from nncf.telemetry.wrapper import telemetry
print(type(telemetry).__name__, "openvino_telemetry.main" in sys.modules)
"""


def test_the_telemetry_package_is_never_loaded(tmp_path: Path) -> None:
    probe = Path(__file__).parents[3] / "edgevit" / "probes" / "probe.xml"
    home = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(probe)], env=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["MagicMock", "False"]
    assert not (tmp_path / "intel").exists()
