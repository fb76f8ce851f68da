"""Distribution of a NEWS2 total by trying every combination of points, and by sampling."""

from itertools import product

import numpy as np
from numpy.typing import NDArray


def independent(points: list[list[float]], constant: int, three: bool) -> NDArray[np.float64]:
    """P(total = k, any 3 = j), shape (21, 2), of independent vitals with P(points = 0..3) each."""
    joint = np.zeros((21, 2))
    for choice in product(range(4), repeat=len(points)):
        chance = float(np.prod([one[k] for one, k in zip(points, choice, strict=True)]))
        joint[constant + sum(choice), int(three or 3 in choice)] += chance
    return joint


def sampled(points: list[list[float]], loading: float, draws: int, seed: int,
            ) -> NDArray[np.float64]:
    """The same for vitals joined by a one-factor Gaussian copula, by Monte Carlo."""
    random = np.random.default_rng(seed)
    factor = random.standard_normal(draws)
    worth = np.empty((len(points), draws), dtype=int)
    for row, one in enumerate(points):
        own = random.standard_normal(draws)
        latent = loading * factor + np.sqrt(1 - loading**2) * own
        ranks = np.empty(draws)
        ranks[np.argsort(latent)] = (np.arange(draws) + 0.5) / draws
        worth[row] = np.searchsorted(np.cumsum(one[:3]), ranks)
    joint = np.zeros((21, 2))
    np.add.at(joint, (worth.sum(axis=0), (worth == 3).any(axis=0).astype(int)), 1 / draws)
    return joint
