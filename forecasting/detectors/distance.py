"""How far two distributions of hours are apart: Wasserstein's distance, and the PSI."""

import numpy as np

from forecasting.types import FloatArray

QUANTILES = (np.arange(50) + 0.5) / 50
BINS = 10
LEAST_SHARE = 0.005
"""An empty bin counts as this share, so that the index stays finite."""


def wasserstein(recent: FloatArray, usual: FloatArray) -> FloatArray:
    """Wasserstein-1 distance of the rows' known values, (S, r) and (S, n): (S,).

    The mean distance of 50 quantiles, in the unit of the values; NaN where one side has none.
    """
    apart: FloatArray = np.abs(quantiles(recent) - quantiles(usual)).mean(axis=1)
    return apart


def psi(recent: FloatArray, usual: FloatArray) -> FloatArray:
    """Population stability index over tenths of the usual values: Σ (p - q) ln(p / q), (S,).

    Below 0.1 is usually called stable, above 0.25 changed (Siddiqi 2006); hours that follow each
    other count as one reading there, so that the index of a week is rarely below 0.1.
    """
    edges = quantiles(usual, np.arange(1, BINS) / BINS)
    p, q = (np.maximum(_shares(x, edges), LEAST_SHARE) for x in (recent, usual))
    index = np.sum((p - q) * np.log(p / q), axis=1)
    untold = np.isnan(edges).any(axis=1) | np.isnan(recent).all(axis=1)
    return np.where(untold, np.nan, index)


def quantiles(x: FloatArray, at: FloatArray = QUANTILES) -> FloatArray:
    """Quantiles of each row's known values, linear between them: (S, q); NaN where none."""
    ordered, known = np.sort(x, axis=1), np.sum(~np.isnan(x), axis=1)
    place = np.maximum(known - 1, 0)[:, None] * at
    below = place.astype(np.int64)
    above = np.minimum(below + 1, np.maximum(known - 1, 0)[:, None])
    low, high = (np.take_along_axis(ordered, index, axis=1) for index in (below, above))
    found: FloatArray = low + (high - low) * (place - below)
    return found


def _shares(x: FloatArray, edges: FloatArray) -> FloatArray:
    """Share of each row's known values in the bins between `edges` (S, b - 1): (S, b)."""
    bins = (x[:, :, None] > edges[:, None, :]).sum(axis=2)
    known = ~np.isnan(x)
    shares = np.stack([((bins == one) & known).sum(axis=1) for one in range(BINS)], axis=1)
    found: FloatArray = shares / np.maximum(known.sum(axis=1), 1)[:, None]
    return found
