"""Chromium, and what its console complains about."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
expect.set_options(timeout=30_000)       # its own 5 s are little on a machine that does much else


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; without one the test is skipped, in CI it fails."""
    if not CHROMIUM.exists():
        message = f"{CHROMIUM} is missing: run `make test-deps` as root, or install chromium"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


def complaints_of(page: Page) -> list[str]:
    """Console errors and warnings; a status of 4xx that a test asks for is not one of them."""
    complaints: list[str] = []

    def note(message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints
