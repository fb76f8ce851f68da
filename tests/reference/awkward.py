"""Series that a fit must survive, as a hypothesis strategy."""

import numpy as np
from hypothesis import strategies as st

from forecasting.types import FloatArray


def hours() -> st.SearchStrategy[FloatArray]:
    """Constants, steps, spikes, gaps, single points, lengths 0 to 2,000, scales 1e-12 to 1e12."""
    kinds = st.sampled_from(["noise", "constant", "zeros", "step", "spike", "gaps", "point",
                             "line", "walk", "alternating"])

    def build(kind: str, n: int, scale: float, seed: int, share: float) -> FloatArray:
        rng, t = np.random.default_rng(seed), np.arange(n, dtype=float)
        y = {"noise": rng.normal(5, 1, n), "constant": np.full(n, 7.0), "zeros": np.zeros(n),
             "step": (t > n / 2) * 1.0, "spike": (t == n // 2) * 1.0, "gaps": np.full(n, np.nan),
             "point": np.where(t == n // 3, 3.0, np.nan), "line": t,
             "walk": rng.normal(0, 1, n).cumsum(), "alternating": t % 2}[kind] * scale
        y[rng.random(n) < share] = np.nan
        return np.asarray(y)

    return st.builds(build, kinds, st.one_of(st.integers(0, 60), st.integers(0, 2000)),
                     st.sampled_from([1e-12, 1.0, 1e12]), st.integers(0, 99),
                     st.sampled_from([0.0, 0.1, 0.6]))
