"""Fixtures every test room shares."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and vendor payloads; a test that needs them is skipped where they are absent."""
    folder = Path(os.environ.get("VITALCAST_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"shared data absent: {folder} does not exist; set VITALCAST_SHARED")
    return folder
