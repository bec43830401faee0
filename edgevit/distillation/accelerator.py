"""What training runs on."""

from __future__ import annotations

import torch

from edgevit.errors import UsageError
from edgevit.spec.spec import Accelerator


def find_device(accelerator: Accelerator) -> str:
    """Returns the device to train on, as torch names it.

    Args:
        accelerator: A device, or "auto" for a GPU where there is one, else the processor.

    Raises:
        UsageError: there is no such device here.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if accelerator == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there[accelerator]:
        known = ", ".join(name for name, is_there in there.items() if is_there)
        raise UsageError(
            f"there is no {accelerator} device that torch can use", f"here there is: {known}; or give auto"
        )
    return accelerator
