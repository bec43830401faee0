"""Writes the weights of a module."""

from __future__ import annotations

import os
import re
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_model
from torch import nn


def save_weights(module: nn.Module, file: Path) -> None:
    """Writes all weights of a module as safetensors; a full disk is an OSError, which safetensors tells in words only."""
    try:
        save_model(module, str(file))
    except SafetensorError as error:
        code = re.search(r"\(os error (\d+)\)", str(error))
        if code is None:
            raise
        raise OSError(int(code[1]), os.strerror(int(code[1])), str(file)) from error
