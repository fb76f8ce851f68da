"""How good forecasts were. Every mean is over the hours that were observed (actual not NaN).

A measure over no hours, or over a scale of 0, is undefined and comes back as nan.
"""

import numpy as np

from forecasting.types import FloatArray


def _mean(values: FloatArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def mae(actual: FloatArray, forecast: FloatArray) -> float:
    """Mean absolute error, mean|y - ŷ|; both of shape (h,), in the unit of y."""
    return _mean(np.abs(actual - forecast))


def scale(insample: FloatArray, season: int, *, resolution: float = 0.0) -> float:
    """In-sample mean |x_t - x_{t-season}| after linear interpolation, at least `resolution`.

    x of shape (n,); nan where fewer than season + 1 hours are given or none is observed.
    """
    filled = interpolate(insample)
    if filled.size <= season or np.isnan(filled).all():
        return float("nan")
    return max(float(np.abs(filled[season:] - filled[:-season]).mean()), resolution)


def interpolate(values: FloatArray) -> FloatArray:
    """Gaps filled on the straight line between their neighbours, ends held; all-NaN stays so."""
    known = ~np.isnan(values)
    if known.all() or not known.any():
        return np.array(values, dtype=np.float64)
    hours = np.arange(values.size, dtype=np.float64)
    return np.interp(hours, hours[known], values[known])


def mase(actual: FloatArray, forecast: FloatArray, insample: FloatArray, season: int) -> float:
    """Mean absolute scaled error (Hyndman & Koehler 2006).

    mean|y - ŷ| / mean|x_t - x_{t-season}|, with y, ŷ of shape (h,) and x of shape (n,), n > season.
    nan where the seasonal naive forecast is perfect in-sample: the scale is then 0.
    """
    divisor = scale(insample, season)
    return mae(actual, forecast) / divisor if divisor > 0 else float("nan")


def smape(actual: FloatArray, forecast: FloatArray) -> float:
    """Symmetric mean absolute percentage error in per cent, 0 to 200 (Makridakis 1993, as in M4).

    mean 200 |y - ŷ| / (|y| + |ŷ|); an hour where both are 0 has no error and counts as 0.
    """
    size = np.abs(actual) + np.abs(forecast)
    error = np.abs(actual - forecast)
    ratio = np.divide(error, size, out=np.where(np.isnan(size), np.nan, 0.0), where=size > 0)
    return 200 * _mean(ratio)


def interval_score(
    actual: FloatArray, lower: FloatArray, upper: FloatArray, level: float
) -> float:
    """Interval score of central `level` % intervals (Gneiting & Raftery 2007), lower is better.

    mean (u - l) + 2/α (l - y)₊ + 2/α (y - u)₊ with α = 1 - level/100; arrays of shape (h,).
    """
    alpha = 1 - level / 100
    outside = np.maximum(lower - actual, 0) + np.maximum(actual - upper, 0)
    return _mean(upper - lower + 2 / alpha * outside)


def coverage(actual: FloatArray, lower: FloatArray, upper: FloatArray) -> float:
    """Share of observed hours inside [lower, upper], 0 to 1."""
    inside = ((actual >= lower) & (actual <= upper)).astype(np.float64)
    inside[np.isnan(actual)] = np.nan
    return _mean(inside)
