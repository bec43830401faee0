"""Keeps the runtimes from reporting their use to their makers.

ONNX Runtime's wheels write a device id under the user's cache folder and send events; OpenVINO's converter and NNCF do
the same through the package ``openvino_telemetry``. Nobody asked for that, so both are told not to before they load.
"""

from __future__ import annotations

import os
import sys


def forbid_telemetry() -> None:
    """Forbids it in this process and its children; does nothing about a runtime that was loaded before."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # an import of it then fails
