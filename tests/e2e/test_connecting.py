"""Connecting a patient's account in Chromium: our page, the vendor's consent page, and back."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from api.app import create_app
from tests.answers import settings
from tests.clinic import PASSWORD
from tests.reference.sandbox_user import sandbox_user
from tests.serving import served
from vitalcast.linking import Linking
from vitalcast.settings import Settings


@pytest.fixture(scope="module")
def root(ward: Engine, database_url: str) -> Iterator[str]:
    """The ward's API, with the sandbox as its vendors."""
    app = create_app(settings(database_url))
    with sandbox_user() as sandbox, served(app) as address:
        app.state.linking = Linking(Settings(
            database_url=database_url, token_keys=Fernet.generate_key().decode(),
            sandbox_url=sandbox.root,
            redirect_uri=f"{address}/v1/connections/{{provider}}/callback"))
        yield address


def test_a_doctor_connects_an_account_and_ends_the_link(page: Page) -> None:
    page.goto("/patients/ill")
    page.get_by_label("Name").fill("doctor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Accounts").click()
    page.get_by_role("link", name="Connect Oura").click()

    expect(page.get_by_role("heading", name="oura (sandbox)")).to_be_visible()
    page.get_by_label("Account").select_option("demo-08")
    page.get_by_label("spo2").uncheck()
    page.get_by_role("button", name="Allow").click()

    expect(page.get_by_role("status")).to_contain_text("Oura is connected")
    expect(page.get_by_text("Not granted: spo2: no oxygen saturation")).to_be_visible()

    page.goto("/patients/well/connections")
    page.get_by_role("link", name="Connect Oura").click()
    page.get_by_label("Account").select_option("demo-08")
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_role("heading", name="Account of another patient")).to_be_visible()

    page.goto("/patients/well/connections")
    page.get_by_role("link", name="Connect Oura").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_text("the patient did not allow oura")).to_be_visible()

    page.goto("/patients/ill/connections")
    page.get_by_role("button", name="End the link with Oura").click()
    expect(page.get_by_role("status")).to_contain_text("here and at the vendor")
    expect(page.get_by_role("link", name="Connect Oura again")).to_be_visible()
