"""Play stored risks again against thresholds: the alerts a day that each would have given."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from clinical.alerts import Step, Thresholds, expected_alerts_per_day
from registry.database import transaction
from registry.forecasts import risks
from vitalcast.wiring import System

HOLD_HOURS = 3
LEAST = timedelta(hours=23)
_CLEARED_AT = 2 / 3
"""Of the threshold: 20 % for one of 30 %."""


def replayed(system: System, tried: Sequence[float], *, until: datetime,
             days: int) -> dict[str, Any]:
    """Of each threshold, the alerts a day over all patients scored in the `days` before `until`.

    Whom less than a day is known of is left out: one alert in an hour would be 24 a day.
    """
    with transaction(system.engine) as conn:
        found = risks(conn, until - timedelta(days=days), until).values()
    histories = [one for one in found if one[-1][0] - one[0][0] >= LEAST]
    return {"days": days, "patients": len(histories), "thresholds": [
        {"threshold": at, "alerts_a_day": sum(
            expected_alerts_per_day(history, _single(at)) for history in histories)}
        for at in tried]}


def _single(at: float) -> Thresholds:
    return Thresholds(steps=(Step(name="alert", raise_at=at, clear_at=at * _CLEARED_AT),),
                      hold_hours=HOLD_HOURS)
