"""Plan and apply against a Grafana on loopback; what is sent, beside Grafana's own description."""

import json
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.exceptions import ValidationError

from dashboards.alerts import RULES
from dashboards.boards import BOARDS
from dashboards.errors import (
    DashboardError,
    GrafanaRefused,
    GrafanaUnauthorised,
    GrafanaUnreachable,
    GrafanaUnset,
    GrafanaUnsupported,
)
from dashboards.grafana import open_grafana
from dashboards.provision import Action, Change, Kind, Wanted, apply, holds, plan
from dashboards.sources import sources
from registry.database import DatabaseUnreachable
from tests.contract.grafana_stub import Grafana, serving
from vitalcast.settings import Settings

DATABASE = "postgresql://grafana:pass-word-of-reader@db.example:5433/vitalcast"
DATE = {"type": "string", "pattern": r"^([0-9]+[smhd])+$"}
"""Of the description one line is wrong: `for` is a text (grafana/grafana pull request 90841)."""

Json = dict[str, Any]


def wanted(*, patients: bool = True, **given: Any) -> Wanted:
    settings = Settings.model_construct(
        grafana_database_url=DATABASE, grafana_patients_database_url=DATABASE if patients else "")
    return Wanted(**{"sources": sources(settings), "runbook": "https://wiki/runbook.md", **given})


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with serving(Grafana()) as one:
        yield one


def bring(grafana: Grafana, want: Wanted | None = None, **given: Any) -> list[Change]:
    """Plan and apply; the plan."""
    with open_grafana(grafana.url, grafana.token) as api:
        changes = plan(api, want or wanted(), **given)
        apply(api, want or wanted(), changes)
    return changes


def actions(changes: list[Change]) -> Counter[tuple[str, str]]:
    return Counter((one.kind, one.action) for one in changes)


def test_all_is_created_once(grafana: Grafana) -> None:
    assert actions(bring(grafana)) == {
        (Kind.FOLDER, Action.CREATE): 2, (Kind.SOURCE, Action.CREATE): 2,
        (Kind.BOARD, Action.CREATE): len(BOARDS), (Kind.RULE, Action.CREATE): len(RULES)}
    assert set(grafana.boards) == {board.uid for board in BOARDS}


def test_a_second_apply_sends_nothing(grafana: Grafana) -> None:
    bring(grafana)
    grafana.taken.clear()
    assert {one.action for one in bring(grafana)} == {Action.UNCHANGED}
    assert grafana.taken == []


def test_without_a_login_for_patients_there_is_no_board_of_them(grafana: Grafana) -> None:
    bring(grafana, wanted(patients=False))
    assert "vitalcast-patient" not in grafana.boards
    assert set(grafana.folders) == set(grafana.sources) == {"vitalcast"}


def test_a_board_edited_by_hand_is_told_and_left(grafana: Grafana) -> None:
    bring(grafana)
    grafana.edit_board("vitalcast-drift", title="Our drift")
    (edited,) = [one for one in bring(grafana) if one.action != Action.UNCHANGED]
    assert (edited.uid, edited.action) == ("vitalcast-drift", Action.EDITED)
    assert grafana.boards["vitalcast-drift"]["title"] == "Our drift"
    bring(grafana, overwrite=["vitalcast-drift"])
    assert grafana.boards["vitalcast-drift"]["title"] == "Drift"


@pytest.mark.parametrize("message", ["", "vitalcast board: bigger fonts for the ward"])
def test_an_edit_that_only_adds_is_told(grafana: Grafana, message: str) -> None:
    bring(grafana)
    grafana.edit_board("vitalcast-drift", timezone="browser", weekStart="monday")
    grafana.messages["vitalcast-drift"][-1] = message
    assert [one.uid for one in bring(grafana) if one.action == Action.EDITED] == ["vitalcast-drift"]


def test_a_panel_removed_by_hand_is_told(grafana: Grafana) -> None:
    bring(grafana)
    grafana.edit_board("vitalcast-drift", panels=grafana.boards["vitalcast-drift"]["panels"][1:])
    assert [one.uid for one in bring(grafana) if one.action == Action.EDITED] == ["vitalcast-drift"]


def test_a_release_brings_its_boards_anew(grafana: Grafana) -> None:
    bring(grafana)
    grafana.boards["vitalcast-drift"]["title"] = "Drift of an earlier release"
    grafana.messages["vitalcast-drift"][-1] = "vitalcast 0123456789ab"
    assert actions(bring(grafana))[Kind.BOARD, Action.UPDATE] == 1
    assert grafana.boards["vitalcast-drift"]["title"] == "Drift"


def test_what_grafana_says_in_other_words_is_no_edit(grafana: Grafana) -> None:
    bring(grafana)
    for board in grafana.boards.values():
        board["schemaVersion"] = 43
    assert {one.action for one in bring(grafana)} == {Action.UNCHANGED}


def test_a_save_between_plan_and_apply_is_not_overwritten(grafana: Grafana) -> None:
    bring(grafana)
    grafana.boards["vitalcast-drift"]["title"] = "Drift of an earlier release"
    grafana.messages["vitalcast-drift"][-1] = "vitalcast 0123456789ab"
    with open_grafana(grafana.url, grafana.token) as api:
        changes = plan(api, wanted())
        grafana.edit_board("vitalcast-drift", title="Our drift")
        with pytest.raises(GrafanaRefused, match="saved the board"):
            apply(api, wanted(), changes)
    assert grafana.boards["vitalcast-drift"]["title"] == "Our drift"


def test_rules_follow_unless_somebody_took_them_over(grafana: Grafana) -> None:
    bring(grafana)
    late, slow = (grafana.rules[rule.uid] for rule in RULES[:2])
    late["title"] = slow["title"] = "other"
    slow["provenance"] = ""
    found = {one.uid: one.action for one in bring(grafana) if one.action != Action.UNCHANGED}
    assert found == {RULES[0].uid: Action.UPDATE, RULES[1].uid: Action.EDITED}
    assert grafana.rules[RULES[0].uid]["title"] == RULES[0].title
    assert grafana.rules[RULES[1].uid]["title"] == "other"


def test_a_source_keeps_what_others_have_set(grafana: Grafana) -> None:
    bring(grafana)
    grafana.sources["vitalcast"]["jsonData"]["maxIdleConns"] = 3
    assert {one.action for one in bring(grafana)} == {Action.UNCHANGED}
    elsewhere = replace(wanted(), sources=sources(Settings.model_construct(
        grafana_database_url=DATABASE.replace("5433", "5434"),
        grafana_patients_database_url=DATABASE)))
    assert actions(bring(grafana, elsewhere))[Kind.SOURCE, Action.UPDATE] == 1
    assert grafana.sources["vitalcast"]["url"] == "db.example:5434"
    assert grafana.sources["vitalcast"]["jsonData"]["maxIdleConns"] == 3


def test_a_new_password_is_sent_when_asked(grafana: Grafana) -> None:
    bring(grafana)
    grafana.taken.clear()
    with open_grafana(grafana.url, grafana.token) as api:
        apply(api, wanted(), plan(api, wanted()), passwords=True)
    assert [body["secureJsonData"] for _, _, body in grafana.taken] == [
        {"password": "pass-word-of-reader"}] * 2


# --- beside Grafana's description -------------------------------------------------------------


@pytest.fixture(scope="module")
def api_description(shared: Path) -> Json:
    found: Json = json.loads((shared / "contracts/grafana/api-merged.2025-04.json").read_text())
    found["definitions"]["ProvisionedAlertRule"]["properties"]["for"] = DATE
    return found


def test_every_request_is_one_that_grafana_describes(
        grafana: Grafana, api_description: Json) -> None:
    bring(grafana)
    for rule in grafana.rules.values():
        rule["title"] = "other"
    for source in grafana.sources.values():
        source["url"] = "other"
    for uid, board in grafana.boards.items():
        board["title"] = "other"
        grafana.messages[uid][-1] = "vitalcast 0123456789ab"
    bring(grafana)
    methods = Counter((method, path.split("/")[1]) for method, path, _ in grafana.taken)
    assert methods == {("POST", "folders"): 2, ("POST", "datasources"): 2,
                       ("PUT", "datasources"): 2, ("POST", "dashboards"): 2 * len(BOARDS),
                       ("POST", "v1"): len(RULES), ("PUT", "v1"): len(RULES)}
    for method, path, body in grafana.taken:
        schema = body_schema(api_description, method, path)
        check_closed(body, schema, api_description)


def test_an_unknown_key_in_a_request_is_found(api_description: Json) -> None:
    schema = body_schema(api_description, "POST", "/folders")
    check_closed({"uid": "a", "title": "b"}, schema, api_description)
    with pytest.raises(ValidationError):
        check_closed({"uid": "a", "titel": "b"}, schema, api_description)


def body_schema(description: Json, method: str, path: str) -> Json:
    """The schema of a request's body, by method and path."""
    for template, operations in description["paths"].items():
        parts, own = template.split("/"), path.split("/")
        if len(parts) == len(own) and method.lower() in operations and all(
                one == other or one.startswith("{") for one, other in zip(parts, own, strict=True)):
            given = operations[method.lower()]["parameters"]
            schema: Json = next(one["schema"] for one in given if one["in"] == "body")
            return schema
    raise AssertionError(f"{method} {path} is not described")


def check_closed(body: Json, schema: Json, description: Json) -> None:
    """Valid, and without a key that the description does not know, at any depth."""
    definitions = {name: closed(one) for name, one in description["definitions"].items()}
    jsonschema.Draft4Validator({**schema, "definitions": definitions}).validate(body)


def closed(schema: Any) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    found = {key: closed(value) if key != "properties" else {
        name: closed(one) for name, one in value.items()} for key, value in schema.items()}
    if "properties" in found and "additionalProperties" not in found:
        found["additionalProperties"] = False
    return found


# --- what goes wrong --------------------------------------------------------------------------


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(GrafanaUnreachable, match="VITALCAST_GRAFANA_URL"), \
            open_grafana(url, "good"):
        pass


def test_a_token_that_is_refused(grafana: Grafana) -> None:
    with pytest.raises(GrafanaUnauthorised, match="VITALCAST_GRAFANA_TOKEN"), \
            open_grafana(grafana.url, "bad"):
        pass


def test_a_token_that_may_not(grafana: Grafana) -> None:
    grafana.role = "Viewer"
    with pytest.raises(GrafanaUnauthorised, match=r"VITALCAST_GRAFANA_TOKEN.*role Admin"):
        bring(grafana)


@pytest.mark.parametrize("version", ["9.5.2", "10.4.1", "", "next"])
def test_a_version_that_is_too_old(grafana: Grafana, version: str) -> None:
    grafana.version = version
    with pytest.raises(GrafanaUnsupported, match=r"VITALCAST_GRAFANA_URL must name 11\.0"), \
            open_grafana(grafana.url, "good"):
        pass


@pytest.mark.parametrize("version", ["11.0.0", "11.6.1+security-01", "12.2.0-16711", "13.0.1"])
def test_a_version_that_is_new_enough(grafana: Grafana, version: str) -> None:
    grafana.version = version
    with open_grafana(grafana.url, "good") as api:
        assert api.version


def test_something_else_that_answers(monkeypatch: pytest.MonkeyPatch, grafana: Grafana) -> None:
    monkeypatch.setattr(grafana, "answer", lambda *_: (200, {"hello": "world"}))
    with pytest.raises(GrafanaUnsupported, match="VITALCAST_GRAFANA_URL"), \
            open_grafana(grafana.url, "good"):
        pass


@pytest.mark.parametrize(("status", "error", "told"), [
    (502, GrafanaUnreachable, "VITALCAST_GRAFANA_URL"), (400, GrafanaRefused, "quota reached")])
def test_an_answer_that_is_no_success(monkeypatch: pytest.MonkeyPatch, grafana: Grafana,
                                      status: int, error: type[DashboardError], told: str) -> None:
    with open_grafana(grafana.url, "good") as api:
        monkeypatch.setattr(grafana, "answer", lambda *_: (status, {"message": "quota reached"}))
        with pytest.raises(error, match=told):
            plan(api, wanted())


@pytest.mark.parametrize(("url", "token", "told"), [
    ("", "good", "VITALCAST_GRAFANA_URL"), ("http://127.0.0.1:1", "", "VITALCAST_GRAFANA_TOKEN"),
    ("grafana:3000", "good", "VITALCAST_GRAFANA_URL")])
def test_a_setting_that_is_missing(url: str, token: str, told: str) -> None:
    with pytest.raises(GrafanaUnset, match=told), open_grafana(url, token):
        pass


@pytest.mark.parametrize("address", ["", "postgresql://db/vitalcast", "postgresql:///vitalcast"])
def test_a_database_address_that_says_too_little(address: str) -> None:
    with pytest.raises(GrafanaUnset, match="VITALCAST_GRAFANA_DATABASE_URL"):
        sources(Settings.model_construct(
            grafana_database_url=address, grafana_patients_database_url=""))


def test_a_database_address_that_cannot_be_read() -> None:
    with pytest.raises(DatabaseUnreachable, match="VITALCAST_GRAFANA_PATIENTS_DATABASE_URL"):
        sources(Settings.model_construct(
            grafana_database_url=DATABASE, grafana_patients_database_url="mysql://a:b@c/d"))


@pytest.mark.parametrize(("host", "mode"), [
    ("db.example", "require"), ("127.0.0.1", "disable"), ("db.example/x?sslmode=verify-full",
                                                          "verify-full")])
def test_the_way_to_the_database_is_encrypted(host: str, mode: str) -> None:
    address = f"postgresql://a:b@{host}" + ("" if "/" in host else "/x")
    (source,) = sources(Settings.model_construct(
        grafana_database_url=address, grafana_patients_database_url=""))
    assert source.document["jsonData"]["sslmode"] == mode


def test_no_password_shows() -> None:
    assert "pass-word" not in repr(wanted())


@pytest.mark.parametrize(("stored", "sent", "same"), [
    ({"a": 1, "b": 2}, {"a": 1}, True), ({"a": 1}, {"a": 1, "b": []}, True),
    ({"a": 1}, {"a": 1, "b": [1]}, False), ([1, 2], [1], False), ({"a": [{"b": 1, "c": 2}]},
                                                                 {"a": [{"b": 1}]}, True)])
def test_what_grafana_adds_is_no_difference(stored: Any, sent: Any, same: bool) -> None:
    assert holds(stored, sent) == same
