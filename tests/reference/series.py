"""Generated series that forecasting tests share; hourly, in beats per minute or thereabouts."""

from datetime import UTC, datetime

import numpy as np

from forecasting.types import FloatArray

START = datetime(2026, 1, 5, 6, tzinfo=UTC)


def rhythm(n: int = 240, seed: int = 1, gaps: float = 0.0) -> FloatArray:
    """A day of amplitude 8 around 70 with noise; `gaps` is the share of missing hours."""
    rng = np.random.default_rng(seed)
    hours = np.arange(n)
    y = 70 + 8 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 2, n)
    y[rng.random(n) < gaps] = np.nan
    return np.asarray(y)


def walk(n: int = 150, seed: int = 2) -> FloatArray:
    """A random walk from 70."""
    return np.asarray(70 + np.cumsum(np.random.default_rng(seed).normal(0, 1, n)))


def noise(n: int = 120, seed: int = 3) -> FloatArray:
    """White noise around 0: values of both signs, no rhythm."""
    return np.random.default_rng(seed).normal(0, 3, n)


def growth(n: int = 200, seed: int = 4) -> FloatArray:
    """A steady rise under a rhythm that grows with it."""
    hours = np.arange(n)
    swing = 1 + 0.1 * np.sin(2 * np.pi * hours / 24)
    return np.asarray((50 + 0.3 * hours) * swing + np.random.default_rng(seed).normal(0, 1, n))
