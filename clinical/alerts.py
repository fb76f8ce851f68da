"""When a forecast risk becomes an alert, and when it stops being one: a pure state machine.

Raise at one threshold, clear at a lower one, and only after the risk has stayed below it for
`hold_hours`, so that alerts do not flap. An escalation is never delayed. When readings stop, the
alert is stale, never cleared. A ladder that contradicts itself raises `ClinicalError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from clinical.errors import ClinicalError

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One rung: raised from `raise_at` on, kept as long as the risk is at least `clear_at`."""

    name: str
    raise_at: float
    clear_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """The ladder in rising order, and how long the risk must be low before an alert clears.

    The risk is a probability, usually the highest P(NEWS2 ≥ 5) over the horizon. The figures are
    starting points, to be set with `expected_alerts_per_day` beside them.
    """

    steps: tuple[Step, ...] = (Step(name="watch", raise_at=0.3, clear_at=0.2),
                               Step(name="urgent", raise_at=0.6, clear_at=0.45))
    hold_hours: float = 3

    def __post_init__(self) -> None:
        raises = [step.raise_at for step in self.steps]
        clears = [step.clear_at for step in self.steps]
        rising = raises == sorted(set(raises)) and clears == sorted(set(clears))
        lower = all(0 <= step.clear_at < step.raise_at <= 1 for step in self.steps)
        if not (self.steps and rising and lower and self.hold_hours >= 0):
            raise ClinicalError("alert thresholds contradict each other: steps rise, each is "
                                "cleared below where it is raised, both in [0, 1], hold_hours ≥ 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """State of a patient's alert. `level` 0 = none, 1 = the first step of the ladder.

    since      when the present level was reached
    calm_since since when the risk has been below the level's clear threshold
    stale      there was no reading to judge by: the level is the last known one
    """

    level: int = 0
    since: datetime | None = None
    calm_since: datetime | None = None
    stale: bool = False

    def status(self, thresholds: Thresholds) -> str:
        """In words: `none`, the step's name, either with `stale` before it."""
        name = thresholds.steps[self.level - 1].name if self.level else "none"
        return f"stale {name}" if self.stale else name


def advance(
    alert: Alert, now: datetime, risk: float | None, thresholds: Thresholds, *,
    lost: bool = False,
) -> Alert:
    """The alert after one more hour's risk; `risk` None = readings stopped.

    `lost` tells that a vital which the alert rests on has no readings any more: the risk of the
    others may still escalate the alert, but a fall proves nothing, so it is stale like a stop.
    De-escalation goes one step at a time, each after its own hold.
    """
    raised = 0 if risk is None else sum(risk >= step.raise_at for step in thresholds.steps)
    if raised > alert.level:
        return Alert(level=raised, since=now, stale=lost)
    if risk is None or lost:
        return Alert(level=alert.level, since=alert.since, stale=True)
    if alert.level == 0 or risk >= thresholds.steps[alert.level - 1].clear_at:
        return Alert(level=alert.level, since=alert.since)
    calm_since = alert.calm_since or now
    if now - calm_since < thresholds.hold_hours * _HOUR:
        return Alert(level=alert.level, since=alert.since, calm_since=calm_since)
    return Alert(level=alert.level - 1, since=now)


def replay(
    history: Sequence[tuple[datetime, float | None]], thresholds: Thresholds,
) -> tuple[Alert, ...]:
    """The alert after each hour of `history`, in order of time."""
    alerts: list[Alert] = []
    for now, risk in history:
        alerts.append(advance(alerts[-1] if alerts else Alert(), now, risk, thresholds))
    return tuple(alerts)


def expected_alerts_per_day(
    history: Sequence[tuple[datetime, float | None]], thresholds: Thresholds,
) -> float:
    """Alerts a day that `thresholds` would have given over one patient's hourly `history`.

    Every escalation counts as one. To be shown beside a threshold that is edited, over the last
    week and summed over the patients. 0 for an empty history.
    """
    if not history:
        return 0.0
    levels = [0, *(alert.level for alert in replay(history, thresholds))]
    escalations = sum(later > earlier for earlier, later in pairwise(levels))
    days = (history[-1][0] - history[0][0] + _HOUR) / timedelta(days=1)
    return escalations / days
