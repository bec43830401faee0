"""Programs for batches of any size."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from edgevit.errors import UsageError  # noqa: E402
from edgevit.tokens.captured.axes import BATCH  # noqa: E402
from edgevit.tokens.captured.batches import BatchSize, capture_batches  # noqa: E402


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 4)

    def forward(self, images: Tensor) -> Tensor:
        count = len(images)
        x = self.layer(images.reshape(count * 3, 12)).reshape(count, 12)
        x += torch.zeros(count + 1, 12)[1:]
        return x


def test_integers_that_follow_the_batch_are_told() -> None:
    program = capture_batches(Net().eval(), (2, 6))
    found = [value for given in program.arguments.values() for value in given if isinstance(value, list)]
    assert [BatchSize(3, 0), 12] in found
    assert [BatchSize(1, 0), 12] in found
    assert [BatchSize(1, 1), 12] in found
    axes = [program.axes[node] for node in program.module.graph.nodes if node in program.axes]
    assert ((BATCH,), (3,), (2,), (6,)) in axes
    assert ((BATCH, 3), (4,)) in axes
    assert program.image.op == "placeholder"


def test_nothing_is_written_in_place() -> None:
    program = capture_batches(Net().eval(), (2, 6))
    assert not any("add_" in str(node.target) for node in program.module.graph.nodes)


class Scaled(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :4] * (1 / len(images))


class Branching(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        x = images.flatten(1)[:, :4]
        return x.relu() if len(images) == 2 else x


@pytest.mark.parametrize("net", [Scaled(), Branching()])
def test_a_model_that_computes_something_else_for_other_batches_is_refused(net: nn.Module) -> None:
    with pytest.raises(UsageError, match="number of images|numbers of images"):
        capture_batches(net.eval(), (2, 2))
