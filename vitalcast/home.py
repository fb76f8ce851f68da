"""The home folder: where the embedded database, keys, logs and reports live."""

import os
from pathlib import Path

from vitalcast.embedded_host import make_missing
from vitalcast.errors import UserError


def make_home(home: Path) -> None:
    """Make the folder where it is missing. UserError when nothing can be written there."""
    make_missing(home)
    if not (home.is_dir() and os.access(home, os.W_OK | os.X_OK)):
        raise UserError(f"{home} is no folder that can be written: set VITALCAST_HOME to one that "
                        "is yours")
