"""What fine-tuning brought, and what it cost."""

from __future__ import annotations

from edgevit import units
from edgevit.report.markdown_text import code, escape, table
from edgevit.results.finetune import Finetune
from edgevit.results.run import Run

_WHAT = {"quick": "norms, biases, class token and position table", "full": "all weights"}
_TITLES = ("variant", "trained", "images", "kept apart", "views", "time", "KL before", "KL after", "change", "outcome")
_LEGEND = (
    "Trained without labels, to answer like the dense float model. KL is the mean divergence of the predictions from that"
    " model's on the images kept apart, in nats; the step with the smallest is taken, so that it flatters a little: the"
    " accuracy in the tables above is from other images. Views counts an image each time it was seen, up to that step."
)


def finetune_line(finetune: Finetune) -> str:
    """Returns what one fine-tuning brought, in plain text."""
    outcome = "" if finetune.better else ": not better, left out"
    note = f" ({finetune.note})" if finetune.note else ""
    return (
        f"fine-tuning of {finetune.variant} ({finetune.rung}): KL divergence {finetune.before:.4f} → {finetune.after:.4f}"
        f" on {finetune.kept} images kept apart, {units.seconds(finetune.seconds)}{note}{outcome}"
    )


def finetunes_section(run: Run, picture: str | None) -> str:
    """Returns the section of the report; "" where nothing was tuned.

    Args:
        run: The run.
        picture: Link to the picture of the divergences; None where there is none.
    """
    if not run.finetunes:
        return ""
    parts = ["## Fine-tuning"]
    if picture:
        parts.append(f"![Divergence from the dense model by the number of views]({picture})")
    parts.append(table(_TITLES, [_row(finetune) for finetune in run.finetunes], range(2, 9)))
    parts += [_LEGEND, _weights(run)]
    return "\n\n".join(part for part in parts if part)


def _row(finetune: Finetune) -> tuple[str, ...]:
    outcome = "better" if finetune.better else "not better: left out"
    return (
        finetune.variant,
        f"{finetune.rung}: {_WHAT.get(finetune.rung, '')}",
        str(finetune.images),
        str(finetune.kept),
        units.count(finetune.images_seen),
        units.seconds(finetune.seconds),
        f"{finetune.before:.4f}",
        f"{finetune.after:.4f}",
        f"{finetune.after - finetune.before:+.4f} ({finetune.change.low:+.4f} to {finetune.change.high:+.4f})",
        f"{outcome}; {finetune.note}" if finetune.note else outcome,
    )


def _weights(run: Run) -> str:
    """Where the weights are, and how they are loaded again."""
    model = escape(str(run.spec.get("model", {}).get("name", "MODEL")))
    lines = [
        f"- {code(finetune.weights)}: {code(f'edgevit compress {model} --weights {finetune.weights} …')} loads them as the"
        " weights of the model"
        for finetune in run.finetunes
        if finetune.weights
    ]
    return "\n".join(lines)
