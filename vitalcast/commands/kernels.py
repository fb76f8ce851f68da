"""`vitalcast compile`: the forecasting kernels, compiled once for this machine.

Whatever needs a kernel compiles it at first use and keeps it, so that this is never required; but
it takes most of a minute of a core, and a demo, a test run or the workers of a job would each
begin with it at the same time.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor

import typer


def compile_kernels() -> None:
    """Compile the forecasting kernels for this machine, on up to two cores.

    Example: vitalcast compile
    """
    from forecasting.exercise import SHARES, exercise
    from forecasting.kernels import CACHE_PLACE
    from forecasting.kernels.cache import BESIDE, open_to_readers

    began = time.monotonic()
    typer.echo("compiling the forecasting kernels (once for this machine, about a minute)")
    with ProcessPoolExecutor(min(len(SHARES), os.cpu_count() or 1),
                             mp_context=multiprocessing.get_context("spawn")) as workers:
        list(workers.map(exercise, SHARES))
    if CACHE_PLACE.parent == BESIDE:
        open_to_readers(CACHE_PLACE)
    typer.echo(f"compiled in {time.monotonic() - began:.0f} s, kept in {CACHE_PLACE}")
