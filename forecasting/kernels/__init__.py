"""Compiled numerics: many series in one call, on arrays of shape (series, hours), NaN = gap.

Shape shared by the members: `fit_batch(y, m)` and `refit_batch(y, structures, params)` give rows of
structures, params, states, sigma2, figures and status; `run_rows` moves states by further hours,
`path_rows` forecasts from them, `rolling_rows` does both at one origin after the other. Kernels
release the GIL and write rows of their own outputs only, so that threads may share a batch by
slices and the result does not depend on how many there are. No fastmath, no parallel reductions.

What numba compiles is kept in a folder named by a digest of the sources here, because its own
check sees a change in a function's file but not in the files of the functions that it calls.
Importing this package chooses the place, before any kernel is decorated.

Compiling costs seconds, for each combination of argument types. Arrays are C-contiguous, of float64
or int64; and a whole number that is handed on to much code begins as np.int64(0), because numba
compiles what it is handed to for the literal 0 as well.
"""

from forecasting.kernels.cache import choose_place, usual_places
from forecasting.kernels.start import load_numba

load_numba()

CACHE_PLACE = choose_place(usual_places())
"""Where compiled code is kept: beside the sources, in the user's cache, or in a temporary place."""
