"""Distribution of a NEWS2 total by trying every combination of points, and by sampling."""

import math
from itertools import pairwise, product
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray


def independent(points: list[list[float]]) -> NDArray[np.float64]:
    """P(total = k, any 3 = j), shape (21, 2), of independent vitals with P(points = 0..3) each."""
    joint = np.zeros((21, 2))
    for choice in product(range(4), repeat=len(points)):
        chance = float(np.prod([one[k] for one, k in zip(points, choice, strict=True)]))
        joint[sum(choice), int(3 in choice)] += chance
    return joint


def joined(points: list[list[float]], loading: float) -> NDArray[np.float64]:
    """The same for vitals joined by a one-factor Gaussian copula, node by node of the factor."""
    if loading == 0:
        return independent(points)
    nodes, weights = np.polynomial.hermite_e.hermegauss(64)
    joint = np.zeros((21, 2))
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        given = [_given(one, loading, node) for one in points]
        joint += weight * _convolved(given)
    return joint


def _given(points: list[float], loading: float, node: float) -> list[float]:
    """P(points = 0..3) where the common factor is `node`."""
    law, below = NormalDist(), [0.0]
    for limit in np.cumsum(points)[:-1]:
        if 0 < limit < 1:
            latent = (law.inv_cdf(limit) - loading * node) / math.sqrt(1 - loading**2)
            below.append(law.cdf(latent))
        else:
            below.append(min(max(limit, 0.0), 1.0))
    return [float(after - before) for before, after in pairwise([*below, 1.0])]


def _convolved(points: list[list[float]]) -> NDArray[np.float64]:
    joint = np.zeros((21, 2))
    joint[0, 0] = 1
    for one in points:
        added = np.zeros((21, 2))
        for total, three, worth in product(range(18), range(2), range(4)):
            added[total + worth, int(three or worth == 3)] += joint[total, three] * one[worth]
        joint = added
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
