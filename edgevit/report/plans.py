"""How a table names what was done to a candidate's model: its token plan, the export form and fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping

from edgevit.results.candidate import Candidate
from edgevit.results.run import Run
from edgevit.spec.token_plan import FORMS

_SHORT = 18
"""Characters of a plan that a narrow table shows as it is."""
_DENSE = "dense"


def plan_of(candidate: Candidate) -> str:
    """Returns the token plan as a user writes it, the export form and fine-tuning: "evit:0.7@2,4 gather", or "dense".

    What was pruned stands before: "mlp=0.25 tome:8 gather".
    """
    settings = {record.name: record.settings for record in candidate.passes}
    tokens = settings.get("reduce_tokens") or settings.get("resize")
    plan = " ".join(filter(None, (settings.get("prune"), tokens))) or _DENSE
    words = candidate.id.rpartition("/")[2].split("-")
    form = next((form for form in FORMS if form in words), "")
    tuned = f"tuned {settings['finetune']}" if "finetune" in settings else ""
    return " ".join(part for part in (plan, form, tuned) if part)


def plan_labels(run: Run) -> Mapping[str, str]:
    """Returns a short label for each long plan of a run, such as "squeeze p1", by the plan; short ones have none."""
    plans = dict.fromkeys(map(plan_of, run.candidates))
    long = [plan for plan in plans if len(plan) > _SHORT]
    return {plan: f"{plan.partition(':')[0].partition(' ')[0]} p{number}" for number, plan in enumerate(long, 1)}
