"""What fine-tuning brought, and what it cost."""

from __future__ import annotations

from edgevit import units
from edgevit.report.markdown_text import code, escape, table
from edgevit.results.finetune import Finetune
from edgevit.results.run import Run

_WHAT = {"quick": "norms, biases, class token and position table", "full": "all weights"}
_TITLES = (
    "candidate", "trained", "images", "kept apart", "views", "time", "KL before", "KL after", "change", "accuracy", "agreement",
    "outcome",
)  # fmt: skip
_LEGEND = (
    "Trained without labels, to answer like the dense float model, or like the teacher that is named: in the numbers of the"
    " candidate's file where int8 is simulated, else in float, once for all runtimes. KL is the mean divergence of the file's predictions from that model's on the images kept apart, in nats, with the 95 % interval of the"
    " paired change; the step was chosen on these images, so that it flatters a little. Accuracy (its change against the"
    " dense model, with the interval after) and agreement with the dense model, before and after, are from the images of"
    " the tables above, which had no part in it. Views counts an image each time it was seen, up to the step that was taken."
)


def finetune_line(finetune: Finetune) -> str:
    """Returns what one fine-tuning brought, in plain text."""
    outcome = "" if finetune.better else ": not better, left out"
    note = f" ({finetune.note})" if finetune.note else ""
    return (
        f"fine-tuning of {finetune.untuned or finetune.variant} ({finetune.rung}{_from(finetune)}): KL divergence {finetune.before:.4f} → {finetune.after:.4f}"
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
    parts.append(table(_TITLES, [_row(run, finetune) for finetune in run.finetunes], range(2, 11)))
    parts += [_LEGEND, _weights(run)]
    return "\n\n".join(part for part in parts if part)


def _row(run: Run, finetune: Finetune) -> tuple[str, ...]:
    outcome = "better" if finetune.better else "not better: left out"
    return (
        finetune.untuned or finetune.variant,
        f"{finetune.rung}{_from(finetune)}: {_WHAT.get(finetune.rung, '')}{_simulated(finetune)}",
        str(finetune.images),
        str(finetune.kept),
        units.count(finetune.images_seen),
        units.seconds(finetune.seconds),
        f"{finetune.before:.4f}",
        f"{finetune.after:.4f}",
        f"{finetune.after - finetune.before:+.4f} ({finetune.change.low:+.4f} to {finetune.change.high:+.4f})",
        *_regained(run, finetune),
        f"{outcome}; {finetune.note}" if finetune.note else outcome,
    )


def _from(finetune: Finetune) -> str:
    """Whose predictions were learned, where that is not the dense model."""
    return f", from {finetune.teacher}" if finetune.teacher else ""


def _simulated(finetune: Finetune) -> str:
    return f"; {finetune.simulated} simulated" if finetune.simulated else ""


def _regained(run: Run, finetune: Finetune) -> tuple[str, str]:
    """Accuracy and agreement before and after, on the images of the run."""
    accuracies = {candidate.id: candidate.accuracy for candidate in run.candidates}
    before, after = accuracies.get(finetune.untuned), accuracies.get(finetune.tuned)
    if before is None or after is None:
        return "–", "–"
    changes = " → ".join(units.accuracy_change(each.drop_points) for each in (before, after))
    interval = after.drop_interval
    reach = f" ({-interval.high:+.1f} to {-interval.low:+.1f})" if interval else ""
    return changes + reach, " → ".join(units.percent(each.agreement) for each in (before, after))


def _weights(run: Run) -> str:
    """Where the weights are, and how they are loaded again."""
    model = escape(str(run.spec.get("model", {}).get("name", "MODEL")))
    files = dict.fromkeys(finetune.weights for finetune in run.finetunes if finetune.weights)
    lines = [
        f"- {code(file)}: {code(f'edgevit compress {model} --weights {file} …')} loads them as the weights of the model"
        for file in files
    ]
    return "\n".join(lines)
