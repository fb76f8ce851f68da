"""Fixtures every test room shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real data and vendor payloads; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("VITALCAST_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"shared data absent: {folder} does not exist; set VITALCAST_SHARED")
    return folder
