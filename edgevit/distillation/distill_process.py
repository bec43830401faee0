"""Where a process that trains begins: what has to be set before PyTorch is imported."""

from __future__ import annotations

import os

from edgevit.distillation.distill_job import Distilled, DistillJob


def distill(job: DistillJob) -> Distilled:
    """Trains a model, see :func:`edgevit.distillation.distill.distill`; for a process that has not imported PyTorch yet.

    Threads of an operation that wait for each other sleep. As they do by default, they spin: where other processes have a core,
    too, a step then takes ten times as long.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from edgevit.distillation import distill as training

    return training.distill(job)
