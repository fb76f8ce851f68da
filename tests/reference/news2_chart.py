"""NEWS2 read off the chart by hand, and its partial form by trying every completion."""

from itertools import product
from typing import Any

BAND_ORDER = ["low", "low-medium", "medium", "high"]

# One value inside each step of the chart is enough to try everything a missing vital can do.
GRID: dict[str, list[Any]] = {
    "respiratory_rate": [6, 10, 16, 22, 30],
    "spo2": [80, 84, 86, 90, 91, 92, 93, 94, 95, 96, 97, 100],
    "supplemental_oxygen": [False, True],
    "systolic_bp": [80, 95, 105, 150, 230],
    "heart_rate": [35, 45, 70, 100, 120, 140],
    "body_temperature": [34.0, 35.5, 37.0, 38.5, 40.0],
    "consciousness": ["alert", "confusion"],
}


def respiratory_rate(v: float) -> int:
    if v <= 8 or v >= 25:
        return 3
    if v >= 21:
        return 2
    return 1 if v <= 11 else 0


def spo2(v: float, scale: int, oxygen: bool) -> int:
    if scale == 1:
        return 3 if v <= 91 else 2 if v <= 93 else 1 if v <= 95 else 0
    if v <= 87:
        return 3 if v <= 83 else 2 if v <= 85 else 1
    if v <= 92 or not oxygen:
        return 0
    return 1 if v <= 94 else 2 if v <= 96 else 3


def systolic_bp(v: float) -> int:
    if v >= 220:
        return 3
    return 3 if v <= 90 else 2 if v <= 100 else 1 if v <= 110 else 0


def heart_rate(v: float) -> int:
    if v <= 40 or v >= 131:
        return 3
    if v >= 111:
        return 2
    return 1 if v <= 50 or v >= 91 else 0


def body_temperature(v: float) -> int:
    if v <= 35.0:
        return 3
    if v <= 36.0:
        return 1
    return 0 if v <= 38.0 else 1 if v <= 39.0 else 2


def full(values: dict[str, Any]) -> tuple[int, str, dict[str, int]]:
    """Total, band and points of a complete set of values already at the chart's precision."""
    points = {
        "respiratory_rate": respiratory_rate(values["respiratory_rate"]),
        "spo2": spo2(values["spo2"], values["spo2_scale"], values["supplemental_oxygen"]),
        "supplemental_oxygen": 2 if values["supplemental_oxygen"] else 0,
        "systolic_bp": systolic_bp(values["systolic_bp"]),
        "heart_rate": heart_rate(values["heart_rate"]),
        "body_temperature": body_temperature(values["body_temperature"]),
        "consciousness": 0 if values["consciousness"] == "alert" else 3,
    }
    total = sum(points.values())
    if total >= 7:
        return total, "high", points
    if total >= 5:
        return total, "medium", points
    return total, "low-medium" if 3 in points.values() else "low", points


def partial(values: dict[str, Any]) -> tuple[int, int, str, str]:
    """Least total, greatest total, mildest band and worst band over every completion."""
    missing = [name for name in GRID if values[name] is None]
    completed = [full({**values, **dict(zip(missing, choice, strict=True))})
                 for choice in product(*(GRID[name] for name in missing))]
    totals = [total for total, _, _ in completed]
    bands = sorted((band for _, band, _ in completed), key=BAND_ORDER.index)
    return min(totals), max(totals), bands[0], bands[-1]
