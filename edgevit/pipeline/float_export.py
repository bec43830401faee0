"""Float artifacts of the variants of a model: exported, and run over the images; those of the model as brought early."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from edgevit.artifacts.embed import EmbedJob
from edgevit.artifacts.evaluate import InferenceJob
from edgevit.artifacts.make import ExportJob, MadeArtifact
from edgevit.backends import Backend
from edgevit.data.prepared import PreparedImages
from edgevit.errors import CandidateFailed, CheckFailed, UsageError
from edgevit.pipeline.plan import COSTS, OTHER_COSTS
from edgevit.pipeline.tasks import embed_task, export_task, inference_task
from edgevit.results.contract import Contract
from edgevit.run.stages import Stages
from edgevit.spec.schemes import SCHEMES

FLOAT = "fp32"


@dataclass(frozen=True)
class FloatExport:
    """A captured program that is exported for several backends."""

    slug: str
    """Of the variant."""
    program: Path
    images: PreparedImages
    """As the variant wants them."""
    threads: int
    contract: Contract
    """What the artifacts carry."""

    def export(self, stages: Stages, backend: Backend) -> MadeArtifact:
        """Exports the program as the float candidate of a backend, unless that was done.

        Raises:
            CandidateFailed: it cannot be exported.
        """
        plain = self.export_plain(stages, backend)
        if not self.contract.embeds_preprocessing:
            return plain
        name = self._id(backend)
        job = EmbedJob(
            backend.name, plain.main, self.contract, self.images, self.threads, self._folder(stages, backend)
        )
        return stages.run_in_child(f"embed preprocessing into {name}", name, embed_task(job))

    def export_plain(self, stages: Stages, backend: Backend) -> MadeArtifact:
        """Exports the program as a float artifact that takes normalized images, which quantizers start from.

        It is the candidate itself, unless the preprocessing of candidates is embedded.

        Raises:
            CandidateFailed: it cannot be exported.
        """
        name = self._id(backend)
        if self.contract.embeds_preprocessing:
            job = ExportJob(backend.name, self.program, stages.folder.work(f"plain/{name}"))
        else:
            job = ExportJob(backend.name, self.program, self._folder(stages, backend), contract=self.contract)
        return stages.run_in_child(f"export {name}", name, export_task(job))

    def run(self, stages: Stages, backend: Backend, artifact: Path) -> Path:
        """Runs the exported artifact over the images, unless that was done; returns its logits.

        Raises:
            CandidateFailed: the runtime cannot run it.
        """
        name = self._id(backend)
        job = InferenceJob(
            backend=backend.name,
            artifact=artifact,
            images=self.images,
            threads=self.threads,
            precision=SCHEMES[FLOAT].precision,
            logits=logits_path(stages, name),
        )
        return stages.run_in_child(f"evaluate {name}", name, inference_task(job)).logits

    def _id(self, backend: Backend) -> str:
        return f"{backend.name}/{FLOAT}/{self.slug}"

    def _folder(self, stages: Stages, backend: Backend) -> Path:
        return stages.folder.path / "artifacts" / self._id(backend)


def logits_path(stages: Stages, candidate_id: str) -> Path:
    """Returns where the logits of a candidate are kept, float32 [images, classes]."""
    return stages.folder.work(f"{candidate_id.replace('/', '--')}.logits.npy")


def export_early(stages: Stages, export: FloatExport, backends: tuple[Backend, ...]) -> None:
    """Exports a program for every backend, side by side; what fails is told by its candidate."""
    longest_first = sorted(backends, key=lambda backend: -COSTS.get(backend.name, OTHER_COSTS).export_s)
    stages.side_by_side([partial(_try, stages, export, backend) for backend in longest_first])


def _try(stages: Stages, export: FloatExport, backend: Backend) -> None:
    try:
        export.export(stages, backend)
    except (CandidateFailed, CheckFailed, UsageError) as error:
        stages.progress.detail(f"{backend.name}/{FLOAT}/{export.slug}: {error.message}")
