"""The hourly UTC grid. Gaps stay gaps: an hour without a reading is NaN."""

import hashlib
from datetime import UTC, datetime

import numpy as np

from forecasting.types import FloatArray, GridError

HOUR_S = 3600


def require_utc_hour(time: datetime) -> None:
    """Raise GridError unless `time` is a full hour with the zone UTC."""
    if time.utcoffset() is None or time.utcoffset() != UTC.utcoffset(None):
        raise GridError(f"{time.isoformat()} is not UTC: convert it to UTC before asking")
    if time.timestamp() % HOUR_S:
        raise GridError(f"{time.isoformat()} is not a full hour: round it down first")


def data_hash(values: FloatArray) -> str:
    """SHA-256 (hex) of the hours as little-endian float64; every NaN counts as the same gap."""
    hours = np.array(values, dtype="<f8")
    hours[np.isnan(hours)] = np.nan
    return hashlib.sha256(hours.tobytes()).hexdigest()
