"""Fits over a pool of processes, each with a time limit; every task comes back as an outcome.

A worker that runs out of time or dies is replaced, and only its task is lost. Each has one thread:
the cores are shared out by processes.
"""

import multiprocessing
import os
import sys
import time
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import TimeoutError as FitTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from forecasting.config import EngineConfig
from forecasting.documents import Document
from forecasting.members import fit
from forecasting.provenance import Provenance
from forecasting.types import FitRefused, FloatArray

FITTED: Literal["fitted"] = "fitted"
TOO_LITTLE_DATA: Literal["too_little_data"] = "too_little_data"
TIMEOUT: Literal["timeout"] = "timeout"
FAILED: Literal["failed"] = "failed"
Status = Literal["fitted", "too_little_data", "timeout", "failed"]

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, slots=True, kw_only=True)
class FitTask:
    """One member to fit on one series; `key` is the caller's name of the series."""

    key: Hashable
    member: str
    y: FloatArray
    start: datetime
    config: EngineConfig
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOutcome:
    """What became of a task; `document` is given only where `status` is "fitted".

    `seconds` are wall time and `cpu_seconds` user + system time of the fit alone; nan where the
    worker could not tell any more.
    """

    key: Hashable
    member: str
    status: Status
    document: Document | None = None
    reason: str = ""
    seconds: float = float("nan")
    cpu_seconds: float = float("nan")


def fit_many(tasks: Sequence[FitTask], *, workers: int, timeout_s: float) -> Iterator[FitOutcome]:
    """Fit every task in `workers` processes, each within `timeout_s`; outcomes in task order.

    Works inside daemonic processes as well (a scheduler's task runner may be one).
    """
    if not tasks:
        return
    with _one_thread_each(), _allowed_children(), _nameless_main(), ProcessPool(
        max_workers=min(workers, len(tasks)), initializer=_warm_up,
        initargs=(_needs_library(tasks),), context=multiprocessing.get_context("spawn"),
    ) as pool:
        futures = [pool.schedule(_run, args=(task,), timeout=timeout_s) for task in tasks]
        try:
            for task, future in zip(tasks, futures, strict=True):
                yield _outcome(task, future, timeout_s)
        finally:
            for future in futures:
                future.cancel()  # type: ignore[no-untyped-call]


def fit_here(task: FitTask) -> FitOutcome:
    """Fit in this process, without a time limit; the outcome is recorded in the same way."""
    began, cpu_began = time.perf_counter(), time.process_time()
    status, document, reason = _attempt(task)
    return FitOutcome(key=task.key, member=task.member, status=status, document=document,
                      reason=reason, seconds=time.perf_counter() - began,
                      cpu_seconds=time.process_time() - cpu_began)


def _attempt(task: FitTask) -> tuple[Status, Document | None, str]:
    try:
        document = fit(task.member, task.y, start=task.start, config=task.config,
                       provenance=task.provenance)
    except FitRefused as refusal:
        return TOO_LITTLE_DATA, None, str(refusal)
    except Exception as error:  # noqa: BLE001 - the worker boundary: any failure is an outcome
        return FAILED, None, f"{type(error).__name__}: {error}"
    return FITTED, document, ""


def _run(task: FitTask) -> FitOutcome:
    return fit_here(task)


def _outcome(task: FitTask, future: "ProcessFuture[FitOutcome]", timeout_s: float) -> FitOutcome:
    try:
        return future.result()
    except FitTimeoutError:
        return FitOutcome(key=task.key, member=task.member, status=TIMEOUT, seconds=timeout_s,
                          reason=f"not finished after {timeout_s:g} s")
    except ProcessExpired as death:
        return FitOutcome(key=task.key, member=task.member, status=FAILED,
                          reason=f"ProcessExpired: the worker died with exit code {death.exitcode}")


def _warm_up(library: bool) -> None:
    """Import what fits need before the first one's time is measured."""
    if library:
        import statsforecast.models  # noqa: F401


def _needs_library(tasks: Sequence[FitTask]) -> bool:
    return any(task.config.engine(task.member) == "statsforecast" for task in tasks)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children started meanwhile inherit one thread per process for numerical libraries."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _allowed_children() -> Iterator[None]:
    """Let a daemonic process start workers; the pool stops them itself, so none is left behind."""
    settings = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    daemon = settings.get("daemon")
    settings["daemon"] = False
    try:
        yield
    finally:
        settings["daemon"] = daemon


@contextmanager
def _nameless_main() -> Iterator[None]:
    """Keep workers from running the caller's script again, which tasks here never need.

    A spawned process otherwise imports what it finds as `__main__`; where that is a scheduler's
    own command, it needs settings that a task is not given, and dies.
    """
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {
        name: vars(main).pop(name) for name in ("__file__", "__spec__") if name in vars(main)
    }
    vars(main)["__spec__"] = None
    try:
        yield
    finally:
        vars(main).update(hidden)
