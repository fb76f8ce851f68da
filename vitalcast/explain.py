"""Why a cycle was late or wrong: its figures beside the last good one's, and what stands out.

Pure: from rows to one screen of sentences and tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from registry.cycles import Compared
from vitalcast.cycle_figures import (
    Change,
    Line,
    Stage,
    cpu_per_patient,
    cycle_seconds,
    failed_fits,
    fit_counts,
    gaps_of,
    incomplete_fetches,
    lines,
    patients_of,
    stages_of,
    state_of,
)
from vitalcast.findings import findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A cycle explained; `findings` most telling first, never empty.

    state  good, late, incomplete or failed
    """

    cycle: datetime
    good: datetime | None
    state: str
    seconds: float
    good_seconds: float | None
    patients: int | None
    cpu_per_patient: float | None
    good_cpu_per_patient: float | None
    findings: Sequence[str]
    stages: Sequence[Stage]
    fits: Sequence[Line]
    failed_fits: Sequence[Line]
    fetches: Sequence[Line]
    gaps: Sequence[Line]
    changes: Sequence[Change]


def explain(compared: Compared, now: datetime) -> Explanation:
    """Explain a cycle as it stands at `now`."""
    this, good = compared.this, compared.good
    stages = stages_of(this, good, now)
    changes = tuple(Change(at=one.at, key=key, before=before, after=after)
                    for one in compared.changes for key, (before, after) in one.keys.items())
    return Explanation(
        cycle=this.cycle, good=good.cycle if good else None, state=state_of(this, now),
        seconds=cycle_seconds(this, now),
        good_seconds=cycle_seconds(good, now) if good else None,
        patients=patients_of(this), cpu_per_patient=cpu_per_patient(this),
        good_cpu_per_patient=cpu_per_patient(good) if good else None,
        findings=findings(compared, stages, changes, now), stages=stages, changes=changes,
        fits=lines(fit_counts, this, good),
        failed_fits=lines(failed_fits, this, good),
        fetches=lines(incomplete_fetches, this, good), gaps=lines(gaps_of, this, good))
