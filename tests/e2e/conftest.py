"""The ward's pages, a browser, and a doctor who has signed in."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from api.app import create_app
from tests.answers import settings
from tests.browsing import chromium, complaints_of
from tests.clinic import PASSWORD
from tests.serving import served


@pytest.fixture(scope="module")
def root(ward: Engine, database_url: str) -> Iterator[str]:
    with served(create_app(settings(database_url))) as root:
        yield root


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, root: str) -> Iterator[Page]:
    """A fresh visitor; whatever the console complains about fails the test."""
    context = browser.new_context(base_url=root, viewport={"width": 1280, "height": 900})
    page = context.new_page()
    complaints = complaints_of(page)
    yield page
    context.close()
    assert complaints == []


@pytest.fixture
def doctor(page: Page) -> Page:
    """Signed in, at the work list."""
    page.goto("/")
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Work list")).to_be_visible()
    return page
