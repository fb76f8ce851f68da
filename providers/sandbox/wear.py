"""Signs of wear that are no vitals: quarters of an hour with steps, a ring in its charger.

Both follow from the heart rates that a device recorded: what records none is not worn, and a ring
that is not worn lies in its charger.
"""

import numpy as np

from providers.sandbox.readings import HOUR_S, Readings

QUARTER_S = 900


def worn_quarters(heart_rates: Readings) -> Readings:
    """The beginnings of the quarters of an hour with a heart rate, and the steps made in them.

    None by night: the vendor lists an explicit zero while the device is worn.
    """
    t, first = np.unique(heart_rates.t // QUARTER_S * QUARTER_S, return_index=True)
    by_day = (t // HOUR_S % 24 >= 7) & (t // HOUR_S % 24 < 22)
    steps = np.where(by_day, t // QUARTER_S % 7 * 40, 0).astype(np.float64)
    return Readings(t=t, value=steps, seen=np.maximum(heart_rates.seen[first], t))


def in_charger(heart_rates: Readings, moment: int) -> bool:
    """Whether a ring lies in its charger at that epoch second."""
    return len(heart_rates.between(moment, moment + QUARTER_S)) == 0
