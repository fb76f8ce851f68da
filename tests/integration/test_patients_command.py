"""`vitalcast patients`: who is enrolled, and which accounts are linked."""

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner

from registry.database import transaction
from registry.patients import load_patients
from tests.reference.cycles import KEYS
from vitalcast.cli import app
from vitalcast.errors import UserError


@pytest.fixture(autouse=True)
def place(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", KEYS.token_key)


def patients(*arguments: str) -> dict[str, Any]:
    said = CliRunner().invoke(app, ["patients", *arguments, "--json"])
    if said.exception:
        raise said.exception
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def test_patients_are_added_once_and_keep_what_is_known(engine: Engine) -> None:
    assert patients("add", "p-17", "--born", "1948-05-02") == {"added": 1}
    assert patients("add", "p-18", "p-17") == {"added": 1}
    with transaction(engine) as conn:
        found = load_patients(conn, ["p-17", "p-18"])
    assert (found["p-17"].birth_date, found["p-18"].birth_date) == (date(1948, 5, 2), None)
    assert patients("add", "p-17", "--born", "1949-05-02") == {"added": 0}
    assert [one["birth_date"] for one in patients("list")["patients"]] == ["1949-05-02", None]


def test_links_are_listed_by_their_status(engine: Engine) -> None:
    patients("add", "p-17", "p-18")
    with transaction(engine) as conn:
        conn.execute(text("""
            INSERT INTO connections (connection_id, patient_id, provider, status)
            VALUES ('oura:p-17', 'p-17', 'oura', 'reauth_required'),
                   ('withings:p-18', 'p-18', 'withings', 'active')"""))
    assert patients("list", "--link", "reauth_required") == {"patients": [
        {"patient_id": "p-17", "birth_date": None, "links": {"oura": "reauth_required"}}]}
    said = CliRunner().invoke(app, ["patients", "list"]).stdout
    assert "oura reauth_required" in said and "withings active" in said


@pytest.mark.parametrize(("arguments", "told"), [
    ((), "say whom"), (("a/b",), "is no patient's id"), (("",), "is no patient's id"),
    (("p 1",), "is no patient's id"), (("p1", "p2", "--born", "1948-05-02"), "one patient's")])
def test_what_cannot_be_added_is_told_and_nothing_is_stored(
        arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(UserError, match=told):
        patients("add", *arguments)
    assert patients("list") == {"patients": []}
