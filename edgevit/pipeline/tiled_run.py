"""What a run cannot have whose images are fed in tiles: refused at once."""

from __future__ import annotations

from collections.abc import Iterator

from edgevit.artifacts.tiled import check_metric_of_tiles
from edgevit.errors import UsageError
from edgevit.model.load import Model
from edgevit.results.output import outputs_line
from edgevit.spec.spec import Spec
from edgevit.spec.token_plan import parse_plans


def check_tiled_run(spec: Spec, model: Model) -> None:
    """Refuses what a spec asks for beside tiles and a run cannot have.

    Args:
        spec: What to do.
        model: That it is done to.

    Raises:
        UsageError: names the first of it, and what to do instead.
    """
    wanted = model.preprocessing
    if wanted.tiles is None:
        return
    if spec.budget.metric is not None:
        check_metric_of_tiles(spec.budget.metric, wanted.tiles)
    for what, hint in _not_in_tiles(spec, model):
        raise UsageError(f"--tiles {wanted.tiles}: {what}", hint)


def _not_in_tiles(spec: Spec, model: Model) -> Iterator[tuple[str, str]]:
    wanted = model.preprocessing
    if not model.num_classes:
        yield (
            f"a run in tiles is judged by classes, and {model.name} gives {outputs_line(model.outputs)}",
            "leave out the tiles, and judge the artifact: edgevit eval FILE --tiles … --masks DIR",
        )
    if wanted.input != "image" or wanted.channels not in (1, 3):
        yield (
            f"a run in tiles is of images in RGB or grey, and {model.name} takes {wanted.channels} channels ({wanted.input})",
            "leave out the tiles, and judge the artifact: edgevit eval FILE --tiles …",
        )
    if parse_plans(spec.passes.tokens):
        yield f"token plans (--tokens {spec.passes.tokens}) are found on whole images", "give --tokens none"
