"""Windows of a backtest from the stored readings, each as it was known when it would have begun."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from clinical.vitals import FORECAST_VITALS, SPECS, Vital
from forecasting.backtest import Window
from registry.as_of import read_panels_as_of
from registry.database import Connection
from registry.panels import HourlyPanel, read_panels
from vitalcast.cycle import HOUR


def stored_windows(
    conn: Connection, patients: Sequence[str], *, until: datetime, hours: int, horizon: int,
    windows: int, hindsight: bool,
) -> list[Window]:
    """The last `horizon` hours before `until` held out, then as many windows stepping back.

    What is fitted on is what was known when the held-out hours began: a reading that came later
    cannot leak into it. With `hindsight` it is what is known now. What is scored against always is.
    Series that lack one of the two parts are left out.
    """
    vitals = [vital.value for vital in FORECAST_VITALS]
    found = []
    for index in range(windows):
        cut = until - (index + 1) * horizon * HOUR
        start = cut - hours * HOUR
        known = (read_panels(conn, patients, vitals, start, cut) if hindsight
                 else read_panels_as_of(conn, patients, vitals, start, cut, known_at=cut))
        actual = read_panels(conn, patients, vitals, cut, cut + horizon * HOUR)
        found += [window for vital in known.keys() & actual.keys()
                  for window in _windows(index, vital, known, actual)]
    return sorted(found, key=lambda window: (window.unique_id, window.index))


def _windows(index: int, vital: Vital, known: Mapping[Vital, HourlyPanel],
             actual: Mapping[Vital, HourlyPanel]) -> list[Window]:
    tests = dict(zip(actual[vital].patients, actual[vital].y, strict=True))
    made = []
    for patient, y in zip(known[vital].patients, known[vital].y, strict=True):
        first = int(np.flatnonzero(np.isfinite(y))[0])
        if patient in tests:
            made.append(Window(
                unique_id=f"{patient}:{vital}", index=index,
                start=known[vital].start + first * HOUR, train=y[first:], test=tests[patient],
                vital=SPECS[vital]))
    return made
