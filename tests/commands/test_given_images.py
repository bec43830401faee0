"""Images named one by one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgevit.commands.given_images import open_given
from edgevit.errors import UsageError
from tests.data.pictures import save


def test_files_and_digits_side_by_side(tmp_path: Path) -> None:
    save(tmp_path / "a.png", 7)
    images = open_given(["digits-0010", str(tmp_path / "a.png")])
    assert images.ids == ("digits-0010", str(tmp_path / "a.png")) and images.labels is None
    assert all(images.image(name).mode == "RGB" for name in images.ids)


@pytest.mark.parametrize("name", ["digits-9999", "nowhere.png", "."])
def test_what_is_no_image_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(name)):
        open_given([name])
