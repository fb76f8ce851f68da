"""Compiled numerics: many series in one call, on arrays of shape (series, hours), NaN = gap.

Shape shared by the members' batch functions: `fit_batch(y, m)` and `refit_batch(y, structures,
params)` give rows of structures, params, states, sigma2, figures and status; `run_batch` moves
states by further hours, `paths_batch` forecasts from them. Kernels release the GIL and write rows
of their own outputs only, so that threads may share a batch by slices and the result does not
depend on how many there are. No fastmath, no parallel reductions.

What numba compiles is kept in a folder named by a digest of the sources here, because its own
check sees a change in a function's file but not in the files of the functions that it calls.
Importing this package chooses the place, before any kernel is decorated.
"""

from forecasting.kernels.cache import choose_place, usual_places

CACHE_PLACE = choose_place(usual_places())
"""Where compiled code is kept: beside the sources, in the user's cache, or in a temporary place."""
