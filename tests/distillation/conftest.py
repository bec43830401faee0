"""A small model to fine-tune: the digits ViT with half of its tokens, and images of digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from edgevit.model.torchvision_schemas import ensure_torchvision_schemas  # noqa: E402

ensure_torchvision_schemas()
pytest.importorskip("timm")
pytest.importorskip("torchvision")

from torch import nn  # noqa: E402

from edgevit.data.images import open_images  # noqa: E402
from edgevit.data.prepared import PreparedImages  # noqa: E402
from edgevit.distillation.finetune_job import FinetuneJob, FinetuneSettings  # noqa: E402
from edgevit.model.load import Model, load_model  # noqa: E402
from edgevit.model.program.capture import save_program  # noqa: E402
from edgevit.model.program.trainable import capture_for_training  # noqa: E402
from edgevit.spec.spec import ModelSpec  # noqa: E402
from edgevit.spec.token_plan import parse_plan  # noqa: E402
from edgevit.tokens.reduce import reduce_tokens  # noqa: E402

BATCH = 32
SETTINGS = FinetuneSettings(
    parameters="all",
    images_seen=20 * BATCH,
    learning_rate=3e-4,
    batch_size=BATCH,
    feature_weight=1.0,
    mixed_share=0.5,
    patience=10,
    max_seconds=36_000.0,
    threads=1,
    device="cpu",
    seed=0,
)


@pytest.fixture(scope="module")
def digits() -> Model:
    return load_model(ModelSpec(name="digits_vit"), seed=0)


@pytest.fixture(scope="module")
def programs(digits: Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The dense model, one with a quarter of the tokens, and one of a single weight, captured for training."""
    folder, size = tmp_path_factory.mktemp("programs"), digits.preprocessing.input_size
    modules: dict[str, nn.Module] = {
        "dense": digits.module,
        "reduced": reduce_tokens(digits.module, parse_plan("evit:0.5@2,3")),
        "infinite": Infinite().eval(),
        "constant": Constant().eval(),
    }
    for name, module in modules.items():
        save_program(capture_for_training(module, size), folder / f"{name}.pt2")
    return {name: folder / f"{name}.pt2" for name in modules}


class Infinite(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float("inf")))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10] * self.scale


class Constant(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1)[:, :10]


@pytest.fixture
def job(digits: Model, programs: dict[str, Path], tmp_path: Path) -> Iterator[FinetuneJob]:
    ids = open_images("digits:train").ids
    images = PreparedImages(replace(open_images("digits:train").samples, ids=ids[:96]), digits.preprocessing)
    kept = PreparedImages(replace(images.samples, ids=ids[96:140]), digits.preprocessing)
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield FinetuneJob(
            programs["reduced"], programs["dense"], images, kept, kept, SETTINGS, tmp_path / "w.safetensors"
        )
    torch.set_num_threads(threads)
