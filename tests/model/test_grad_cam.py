"""Grad-CAM of networks of which it is known what they look at."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch
from torch import Tensor, nn

from edgevit.errors import UsageError
from edgevit.model.grad_cam import check_grad_cam, grad_cam


class Colours(nn.Module):
    """Class 0 is red, class 1 green: each is the mean of its channel, after a stem and a convolution that pass them on."""

    def __init__(self, shortcut: bool = False) -> None:
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.shortcut = shortcut
        with torch.no_grad():
            self.stem.weight.copy_(torch.eye(3)[:, :, None, None])
            self.last.weight.copy_((torch.eye(3) / 16)[:, :, None, None].expand(3, 3, 4, 4))

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.stem(x).relu())
        if self.shortcut:
            x = (x + 2 * x).relu()
        return x.mean(dim=(2, 3))[:, :2]


def picture() -> Tensor:
    """Red in the top left quarter, green in the bottom right one, half as bright."""
    x = torch.zeros(1, 3, 16, 16)
    x[0, 0, :8, :8], x[0, 1, 8:, 8:] = 1.0, 0.5
    return x


@pytest.mark.parametrize("shortcut", [False, True])
def test_the_places_of_the_class_are_hot_and_all_others_cold(shortcut: bool) -> None:
    expected = torch.zeros(2, 4, 4)
    expected[0, :2, :2] = expected[1, 2:, 2:] = 1
    for output in (0, 1):
        assert torch.allclose(grad_cam(Colours(shortcut).eval(), picture(), output), expected[output])


def test_what_speaks_against_a_class_is_left_out() -> None:
    module = Colours().eval()
    with torch.no_grad():
        module.last.weight.neg_()
    assert grad_cam(module, picture(), 0).max() == 0


def test_weights_and_images_need_no_gradients_and_get_none() -> None:
    module, images = Colours().eval().requires_grad_(False), picture()
    with torch.inference_mode(False):
        grad_cam(module, images, 0)
    assert not images.requires_grad and all(each.grad is None for each in module.parameters())


def test_the_output_of_a_residual_block_counts_not_its_branch() -> None:
    class Residual(Colours):
        def forward(self, x: Tensor) -> Tensor:
            x = self.last(x)
            x = x + self.stem(x) * 0  # the last convolution by itself would be blind
            return x.mean(dim=(2, 3))[:, :2]

    assert grad_cam(Residual().eval(), picture(), 0)[:2, :2].min() == 1


def test_a_single_logit_is_explained_by_what_it_decides() -> None:
    class Sign(Colours):
        def forward(self, x: Tensor) -> Tensor:
            both = super().forward(x)
            return both[:, 1:] - both[:, :1]

    hot = grad_cam(Sign().eval(), picture(), 0)  # red outweighs green: class 0
    assert hot[:2, :2].min() == 1 and hot[2:, 2:].max() == 0


class Patches(nn.Module):
    """Only embeds patches by a convolution, as a vision transformer does."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.embed(x)
        return embedded.flatten(2).mean(dim=2)


class Places(Colours):
    """Leaves no place but one."""

    def forward(self, x: Tensor) -> Tensor:
        place: Tensor = self.last(self.stem(x)[:, :, :4, :4])
        return place.flatten(1)


def test_models_without_a_map_are_refused() -> None:
    check_grad_cam(Colours().eval(), torch.zeros(1, 3, 16, 16))
    for module in (Patches(), nn.Sequential(nn.Flatten(), nn.Linear(768, 2))):
        with pytest.raises(UsageError, match="no map of features"):
            check_grad_cam(module.eval(), torch.zeros(1, 3, 16, 16))


def test_a_captured_program_is_explained_as_its_module_is() -> None:
    module = Colours(shortcut=True).eval()
    program = torch.export.export(module, (picture(),)).module()
    assert torch.allclose(grad_cam(program, picture(), 1), grad_cam(module, picture(), 1))
