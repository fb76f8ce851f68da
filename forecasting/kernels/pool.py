"""Rolling errors of many series pooled: per horizon bucket, combined, and calibrated.

Loops over one series at a time, so that a row's result does not depend on the rows beside it.
Origins are hour indices of the window; row s counts those from `since[s]` on.
"""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, error_model="numpy")
def tame(low, high, paths):
    """Every path (S, O, H) into [low[s], high[s]], in place."""
    series, origins, horizon = paths.shape
    for s in range(series):
        for o in range(origins):
            for h in range(horizon):
                if paths[s, o, h] < low[s]:
                    paths[s, o, h] = low[s]
                elif paths[s, o, h] > high[s]:
                    paths[s, o, h] = high[s]


@njit(cache=True, nogil=True, error_model="numpy")
def errors_of(y, origins, since, paths, errors):
    """Observed minus path into `errors` (S, O, H); NaN beyond the window, in gaps, before since."""
    series, hours = y.shape
    for s in range(series):
        for o in range(origins.size):
            for h in range(paths.shape[2]):
                t = origins[o] + h
                if t < hours and origins[o] >= since[s]:
                    errors[s, o, h] = y[s, t] - paths[s, o, h]
                else:
                    errors[s, o, h] = np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def bucket_means(errors, buckets, means):
    """Mean |error| of errors (S, O, H) per bucket into `means` (S, B); NaN where none is known."""
    series, origins, horizon = errors.shape
    counts = np.empty(means.shape[1])
    for s in range(series):
        counts[:] = 0.0
        means[s] = 0.0
        for o in range(origins):
            for h in range(horizon):
                if not np.isnan(errors[s, o, h]):
                    means[s, buckets[h]] += abs(errors[s, o, h])
                    counts[buckets[h]] += 1.0
        for b in range(counts.size):
            means[s, b] = means[s, b] / counts[b] if counts[b] > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def combine(paths, weights, combined):
    """Weighted mean over members of paths (M, S, O, H) by weights (S, M, H) into (S, O, H).

    The others fill up for a path that is NaN; NaN where no path has weight.
    """
    members, series, origins, horizon = paths.shape
    for s in range(series):
        for o in range(origins):
            for h in range(horizon):
                total, counted = 0.0, 0.0
                for m in range(members):
                    weight = weights[s, m, h]
                    if weight > 0 and not np.isnan(paths[m, s, o, h]):
                        total += weight * paths[m, s, o, h]
                        counted += weight
                combined[s, o, h] = total / counted if counted > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def deviations_of(y, pattern, day, deviations):
    """|left - mean of `left` over the day before| per hour, left = y (S, n) - pattern (S, season).

    NaN where the hour or the whole day before it was not observed.
    """
    series, hours = y.shape
    season, left = pattern.shape[1], np.empty(hours)
    for s in range(series):
        for t in range(hours):
            left[t] = y[s, t] - pattern[s, t % season]
            total, count = 0.0, 0
            for before in range(max(t - day, 0), t):
                if not np.isnan(left[before]):
                    total += left[before]
                    count += 1
            deviations[s, t] = abs(left[t] - total / count) if count > 0 else np.nan


@njit(cache=True, nogil=True, error_model="numpy")
def rhythm_of(deviations, lengths, prior, mean, rhythm):
    """Mean deviation into `mean` (S,), and how much each hour of day deviates into (S, season).

    Hours are pooled with their two neighbours and with `prior` hours of the mean; 1 for seasons
    below 3 and histories (`lengths`, (S,)) below three seasons.
    """
    series, hours = deviations.shape
    season = rhythm.shape[1]
    sums, counts = np.empty(season), np.empty(season)
    for s in range(series):
        sums[:] = 0.0
        counts[:] = 0.0
        for t in range(hours):
            if not np.isnan(deviations[s, t]):
                sums[t % season] += deviations[s, t]
                counts[t % season] += 1.0
        known = counts.sum()
        mean[s] = sums.sum() / known if known > 0 else 0.0
        rhythm[s] = 1.0
        if season < 3 or lengths[s] < 3 * season or not mean[s] > 0:
            continue
        for hour in range(season):
            one, other = (hour - 1) % season, (hour + 1) % season
            around = (sums[one] + sums[hour] + sums[other]) / mean[s]
            number = counts[one] + counts[hour] + counts[other]
            rhythm[s, hour] = (around + prior) / (number + prior)
        rhythm[s] /= rhythm[s].mean()


@njit(cache=True, nogil=True, error_model="numpy")
def scales_of(errors, origins, buckets, rhythm, usual, prior_origins, scale):
    """Mean |error| / rhythm per bucket into `scale` (S, B), shrunk towards `usual` (S, B)."""
    series, rows, horizon = errors.shape
    season, width = rhythm.shape[1], scale.shape[1]
    sums, counts, seen = np.empty(width), np.empty(width), np.empty(width)
    some = np.empty(width, dtype=np.bool_)
    for s in range(series):
        sums[:] = 0.0
        counts[:] = 0.0
        seen[:] = 0.0
        for o in range(rows):
            some[:] = False
            for h in range(horizon):
                if not np.isnan(errors[s, o, h]):
                    sums[buckets[h]] += abs(errors[s, o, h]) / rhythm[s, (origins[o] + h) % season]
                    counts[buckets[h]] += 1.0
                    some[buckets[h]] = True
            for b in range(width):
                seen[b] += some[b]
        for b in range(width):
            scale[s, b] = usual[s, b]
            if counts[b] > 0:
                weight = seen[b] / (seen[b] + prior_origins)
                scale[s, b] = weight * sums[b] / counts[b] + (1 - weight) * usual[s, b]


@njit(cache=True, nogil=True, error_model="numpy")
def quantiles_of(errors, origins, buckets, rhythm, scale, shares, found):
    """Quantiles of error / (scale · rhythm), leads and origins pooled, into `found` (S, shares).

    Between neighbouring scores on a straight line; NaN where no error is known.
    """
    series, rows, horizon = errors.shape
    season, scores = rhythm.shape[1], np.empty(rows * horizon)
    for s in range(series):
        count = 0
        for o in range(rows):
            for h in range(horizon):
                if not np.isnan(errors[s, o, h]):
                    spread = scale[s, buckets[h]] * rhythm[s, (origins[o] + h) % season]
                    scores[count] = errors[s, o, h] / spread
                    count += 1
        ordered = np.sort(scores[:count])
        for i in range(shares.size):
            if count == 0:
                found[s, i] = np.nan
                continue
            place = shares[i] * (count - 1)
            below = int(place)
            above = min(below + 1, count - 1)
            found[s, i] = ordered[below] + (place - below) * (ordered[above] - ordered[below])
