"""numba's own modules, loaded without looking for a BLAS.

Before its first kernel numba imports `scipy.linalg`, a fifth of a second of every process, only to
see whether there is a BLAS. It asks again where a function calls one; no kernel does.
"""

import sys
from importlib import import_module

_BLAS = "scipy.linalg.cython_blas"


def load_numba() -> None:
    """Import what numba needs for any kernel; `scipy.linalg` stays as it was, loaded or not."""
    if _BLAS in sys.modules:
        return
    sys.modules[_BLAS] = None  # type: ignore[assignment]  # importing it fails at once
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules[_BLAS]
