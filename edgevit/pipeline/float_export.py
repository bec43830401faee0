"""Exports the variants of a model as float artifacts: those of the model as brought early, beside PyTorch's reference."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from edgevit.artifacts.make import ExportJob, MadeArtifact
from edgevit.backends import Backend
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.pipeline.inputs import Inputs
from edgevit.pipeline.tasks import export_task
from edgevit.run.stages import Stages


def export_variant(stages: Stages, backend: Backend, slug: str, program: Path) -> MadeArtifact:
    """Exports a captured program as the float candidate of a variant, unless that was done.

    Args:
        stages: Of the run.
        backend: Of the candidate.
        slug: Of the variant.
        program: Of the variant.

    Raises:
        CandidateFailed: it cannot be exported.
    """
    name = f"{backend.name}/fp32/{slug}"
    job = ExportJob(backend.name, program, stages.folder.path / "artifacts" / name)
    return stages.run_in_child(f"export {name}", name, export_task(job))


def export_early(stages: Stages, inputs: Inputs, slug: str, program: Path) -> None:
    """Exports a captured program for every backend, side by side; what fails is tried and told again by its candidate."""
    stages.side_by_side([partial(_try_export, stages, backend, slug, program) for backend in inputs.backends])


def _try_export(stages: Stages, backend: Backend, slug: str, program: Path) -> None:
    try:
        export_variant(stages, backend, slug, program)
    except (CandidateFailed, CheckFailed, UsageError) as error:
        stages.progress.detail(f"{backend.name}/fp32/{slug}: {error.message}")
