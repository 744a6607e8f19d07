"""Apply kit: plans that are saved and applied in a laboratory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.stations.arrive import Arrival
from trimtab.stations.saved import Saved, file_of, opened

if TYPE_CHECKING:
    from line_kit import Lab
    from trimtab.core.mandate import Mandate
    from trimtab.core.record import Document

NAME = "plan.json"
KEEP = Arrival(only_plan=True, keep_plan=True)


def save(lab: Lab, mandate: Mandate | None = None) -> Saved:
    """Plan, and give the plan as it comes out of its file."""
    return opened(file_of(lab.run(mandate, KEEP)["saved"]), NAME)


def apply(lab: Lab, saved: Saved, mandate: Mandate | None = None, **more: Any) -> Document:  # noqa: ANN401 - kills
    """Apply a saved plan and give the run's record."""
    return lab.run(mandate, Arrival(saved=saved), **more)


def ended(record: Document) -> tuple[str, str]:
    """Give how a run ended."""
    return record["outcome"], record["code"]
