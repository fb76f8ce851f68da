"""What a demo serves: the generated cohort, or a folder of recordings shifted to the clock."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from vitalcast.errors import UserError

FILES = ("readings.parquet", "subjects.csv")
LASTS = timedelta(hours=24)
"""How long recordings go on without new readings before they are shifted to a later clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A folder of recordings, or the generated cohort (None).

    `anchor` is the hour at which recordings end; the cohort goes on for ever and has none.
    """

    data: Path | None
    anchor: datetime | None = None

    @property
    def name(self) -> str:
        """Names its database: patients of two datasets, or of two anchors, never mix."""
        if self.data is None:
            return "demo"
        folder = "replay_" + hashlib.sha256(str(self.data).encode()).hexdigest()[:8]
        return f"{folder}_{self.anchor:%Y%m%d%H}" if self.anchor else folder

    def check(self) -> None:
        """UserError when the folder does not hold recordings."""
        if self.data is None:
            return
        for file in FILES:
            if not (self.data / file).is_file():
                raise UserError(f"{self.data} holds no {file}: name a folder of recordings with "
                                "readings.parquet and subjects.csv, as docs/sandbox.md describes")


def open_dataset(data: Path | None, cycle: datetime, home: Path) -> Dataset:
    """The dataset of a demo at `cycle`. UserError when the folder does not hold recordings.

    Recordings keep the anchor of an earlier demo for a day, so that a second one goes on with its
    models; after that they are shifted anew, so that their last readings meet the clock again.
    """
    if data is None:
        return Dataset(data=None)
    folder = Dataset(data=data.resolve())
    folder.check()
    kept = home / f"{folder.name}.anchor"
    if kept.is_file():
        anchor = datetime.fromisoformat(kept.read_text())
        if timedelta() <= cycle - anchor < LASTS:
            return Dataset(data=folder.data, anchor=anchor)
    home.mkdir(parents=True, exist_ok=True)
    kept.write_text(cycle.isoformat())
    return Dataset(data=folder.data, anchor=cycle)
