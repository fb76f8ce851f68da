"""What a person meets at a page that refuses: who they are, what to do, and a way back."""

import pytest

from tests.answers import Browser
from tests.serving import Client


@pytest.mark.parametrize(("role", "home"), [("doctor", 200), ("service", 200), ("operator", 303)])
def test_the_way_back_ends_for_everybody(browser: Browser, role: str, home: int) -> None:
    client = browser(role)
    start = client.get("/")
    assert start.status_code == home
    if home == 303:
        start = client.get(start.headers["location"])
    assert start.status_code == 200 and "Sign out" in start.text


def test_a_refusal_shows_who_asks_and_lets_them_sign_out(browser: Browser) -> None:
    page = browser("operator").get("/patients/ill")
    assert page.status_code == 403
    assert "<span>operator</span>" in page.text and "Sign out" in page.text
    assert "<p>Operators see cycles" in page.text


@pytest.mark.parametrize(("path", "told"), [
    ("/patients/nobody", "no such patient in your care"), ("/nowhere", "no page at this address")])
def test_a_page_names_no_address_of_the_api(browser: Browser, path: str, told: str) -> None:
    page = browser("doctor").get(path)
    assert page.status_code == 404 and told in page.text
    assert "/v1" not in page.text and "API" not in page.text


def test_a_list_that_ends_before_says_so(browser: Browser) -> None:
    page = browser("doctor").get("/", params={"offset": 9999}).text
    assert "The list ends before this page" in page and "No patient is in your care" not in page


def test_a_wrong_password_leaves_the_name(anonymous: Client) -> None:
    page = anonymous.post("/login", headers={"Origin": anonymous.root}, data={
        "username": 'doc"tor', "password": "wrong"})
    assert page.status_code == 401
    assert 'value="doc&#34;tor"' in page.text
