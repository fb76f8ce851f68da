"""Many series over one window as arrays: what the batch engine works on."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np

from clinical.vitals import VitalSpec
from forecasting.config import EngineConfig
from forecasting.grid import require_utc_hour
from forecasting.types import FloatArray, GridError

Result = TypeVar("Result")

CHUNK = 512
"""Series worked on at once: bounds the memory, and is what threads share out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Hours of S series of one vital, from `start` on: `y` of shape (S, n), NaN = gap.

    A series that began later has leading NaNs: hours before its first observed one count as not
    there. GridError unless `start` is a full UTC hour and no hour is infinite.
    """

    start: datetime
    y: FloatArray
    config: EngineConfig
    vital: VitalSpec | None

    def __post_init__(self) -> None:
        require_utc_hour(self.start)
        if self.y.ndim != 2:
            raise GridError(f"a panel has the shape (series, hours), not {self.y.shape}")
        infinite = np.isinf(self.y)
        if infinite.any():
            row, hour = (int(index) for index in np.argwhere(infinite)[0])
            raise GridError(f"hour {hour} of series {row} is infinite: drop the reading")
        object.__setattr__(self, "y", np.ascontiguousarray(self.y, dtype=np.float64))

    @property
    def series(self) -> int:
        """How many series there are."""
        return int(self.y.shape[0])

    @property
    def hours(self) -> int:
        """How long the window is."""
        return int(self.y.shape[1])

    @property
    def end(self) -> datetime:
        """The first hour after the window: forecasts begin here."""
        return self.start + timedelta(hours=self.hours)

    def part(self, rows: slice) -> "Panel":
        """The panel of these series alone."""
        return Panel(start=self.start, y=self.y[rows], config=self.config, vital=self.vital)

    def chunked(self, work: Callable[[slice], Result], threads: int) -> list[Result]:
        """`work` done on the rows in slices of at most CHUNK, at least one a thread, in order."""
        size = max(1, min(CHUNK, -(-self.series // threads)))
        slices = [slice(at, at + size) for at in range(0, self.series, size)]
        if threads == 1:
            return [work(rows) for rows in slices]
        with ThreadPoolExecutor(max_workers=threads) as workers:
            return list(workers.map(work, slices))
