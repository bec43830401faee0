"""Turns off the telemetry of the runtimes.

ONNX Runtime's wheels write a device id under the user's cache folder and send events; OpenVINO's converter and NNCF do
the same through the package ``openvino_telemetry``. Both are prevented before a runtime is loaded.
"""

from __future__ import annotations

import os
import sys


def forbid_telemetry() -> None:
    """Turns telemetry off in this process and its children; has no effect on a runtime that was loaded before."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # an import of it then fails
