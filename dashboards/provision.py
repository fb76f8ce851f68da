"""What Grafana has beside what it should have, and bringing it there.

A second `apply` changes nothing. What was edited by hand is told and left as it is: a board whose
newest version was not saved from here (the message of a version says who it is of), a rule whose
provenance is not the API any more. Keys that Grafana adds by itself are no difference.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from grafana_client.api import GrafanaApi

from dashboards.alerts import RULES
from dashboards.boards import BOARDS
from dashboards.documents import (
    CLINICAL_FOLDER,
    FOLDER,
    Json,
    board_json,
    fingerprint,
    folder_of,
    rule_json,
)
from dashboards.grafana import found, translated
from dashboards.model import Board
from dashboards.sources import Source

OURS = "vitalcast "
"""What the message of a board's version begins with when it was saved from here."""

SAVED_BY_US = re.compile(OURS + "[0-9a-f]{12}")


class Kind(StrEnum):
    """What is brought to Grafana, in this order."""

    FOLDER = "folder"
    SOURCE = "data source"
    BOARD = "board"
    RULE = "alert rule"


class Action(StrEnum):
    """What is to be done."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    EDITED = "edited by hand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing, and what is to be done about it; `version` is the one it was looked at in."""

    kind: Kind
    uid: str
    title: str
    action: Action
    document: Json = field(repr=False)
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What Grafana should have."""

    sources: Sequence[Source]
    runbook: str

    def boards(self) -> list[Board]:
        """Every board; those that name patients only where there is a data source for them."""
        return [one for one in BOARDS if not one.clinical or len(self.sources) > 1]


def plan(grafana: GrafanaApi, wanted: Wanted, *, overwrite: Collection[str] = ()) -> list[Change]:
    """What `apply` would do. Boards and rules in `overwrite`, by uid, count as not edited."""
    with translated(str(grafana.url)):
        changes = list(_changes(grafana, wanted))
    return [_overwritten(one) if one.uid in overwrite else one for one in changes]


def apply(grafana: GrafanaApi, wanted: Wanted, changes: Sequence[Change], *,
          passwords: bool = False) -> None:
    """Do what a plan says. With `passwords`, known data sources are sent theirs again.

    Grafana never tells a password, so that a new one is no difference that `plan` could see.
    """
    secrets = {one.document["uid"]: one.password for one in wanted.sources}
    with translated(str(grafana.url)):
        for one in changes:
            again = passwords and one.kind == Kind.SOURCE
            if one.action in (Action.CREATE, Action.UPDATE) or again:
                _send(grafana, one, secrets)


def holds(stored: Any, sent: Any) -> bool:
    """Whether what Grafana has says all that is sent; nothing may be left out for empty."""
    if isinstance(sent, Mapping) and isinstance(stored, Mapping):
        return all(holds(stored.get(key), value) for key, value in sent.items())
    if isinstance(sent, list) and isinstance(stored, list):
        return len(sent) == len(stored) and all(map(holds, stored, sent))
    return bool(stored == sent) or (not stored and not sent)


def _changes(grafana: GrafanaApi, wanted: Wanted) -> Iterator[Change]:
    yield from _folders(grafana, wanted)
    for source in wanted.sources:
        yield _source(grafana, source.document)
    for board in wanted.boards():
        yield _board(grafana, board)
    for rule in RULES:
        yield _rule(grafana, rule_json(rule, wanted.runbook))


def _folders(grafana: GrafanaApi, wanted: Wanted) -> Iterator[Change]:
    titles = {FOLDER: "vitalcast", CLINICAL_FOLDER: "vitalcast patients"}
    for uid in dict.fromkeys([FOLDER, *map(folder_of, wanted.boards())]):
        there = found(lambda uid=uid: grafana.folder.get_folder(uid))  # type: ignore[misc]
        yield Change(kind=Kind.FOLDER, uid=uid, title=titles[uid],
                     action=Action.UNCHANGED if there else Action.CREATE,
                     document={"uid": uid, "title": titles[uid]})


def _source(grafana: GrafanaApi, document: Json) -> Change:
    stored = found(lambda: grafana.datasource.get_datasource_by_uid(document["uid"]))
    if stored:
        kept = {**stored.get("jsonData", {}), **document["jsonData"]}
        document = {**document, "jsonData": kept, "isDefault": stored.get("isDefault", False)}
    return Change(kind=Kind.SOURCE, uid=document["uid"], title=document["name"],
                  document=document, action=_action(stored, document))


def _board(grafana: GrafanaApi, board: Board) -> Change:
    model = board_json(board)
    answer = found(lambda: grafana.dashboard.get_dashboard(board.uid))
    stored = answer["dashboard"] if answer else None
    action = _action(stored, model)
    if stored:
        # Grafana stores a board in other words: who saved it last, and from what, tells more.
        said = _newest_message(grafana, board.uid)
        if not SAVED_BY_US.fullmatch(said):
            action = Action.EDITED
        elif said == OURS + fingerprint(model):
            action = Action.UNCHANGED
    return Change(kind=Kind.BOARD, uid=board.uid, title=board.title, action=action, document={
        "dashboard": model, "folderUid": folder_of(board)},
        version=stored.get("version") if stored else None)


def _newest_message(grafana: GrafanaApi, uid: str) -> str:
    """What was said when a board was last saved; newer Grafanas wrap the list.

    All versions are asked for: grafana-client writes a limit into the body of a GET.
    """
    answer = grafana.dashboard_versions.get_dashboard_versions(dashboard_uid=uid)
    versions = answer.get("versions", []) if isinstance(answer, Mapping) else answer
    newest: Mapping[str, Any] = max(versions, key=lambda one: one["version"], default={})
    return str(newest.get("message", ""))


def _rule(grafana: GrafanaApi, document: Json) -> Change:
    uid = document["uid"]
    stored = found(lambda: grafana.alertingprovisioning.get_alertrule(uid))
    action = _action(stored, {**document, "orgID": (stored or document)["orgID"]})
    if stored and action == Action.UPDATE and stored.get("provenance") != "api":
        action = Action.EDITED
    return Change(kind=Kind.RULE, uid=uid, title=document["title"], action=action,
                  document=document)


def _action(stored: Json | None, document: Json) -> Action:
    if stored is None:
        return Action.CREATE
    return Action.UNCHANGED if holds(stored, document) else Action.UPDATE


def _overwritten(change: Change) -> Change:
    if change.action != Action.EDITED:
        return change
    return Change(kind=change.kind, uid=change.uid, title=change.title, action=Action.UPDATE,
                  document=change.document, version=change.version)


def _send(grafana: GrafanaApi, change: Change, secrets: Mapping[str, str]) -> None:
    new = change.action == Action.CREATE
    match change.kind:
        case Kind.FOLDER:
            grafana.folder.create_folder(change.title, uid=change.uid)
        case Kind.SOURCE:
            document = {**change.document, "secureJsonData": {"password": secrets[change.uid]}}
            if new:
                grafana.datasource.create_datasource(document)
            else:
                grafana.datasource.update_datasource_by_uid(change.uid, document)
        case Kind.BOARD:
            _send_board(grafana, change)
        case Kind.RULE if new:
            grafana.alertingprovisioning.create_alertrule(change.document)
        case Kind.RULE:
            grafana.alertingprovisioning.update_alertrule(change.uid, change.document)


def _send_board(grafana: GrafanaApi, change: Change) -> None:
    """As the version that the plan saw: Grafana refuses it when somebody saved since."""
    model = change.document["dashboard"]
    grafana.dashboard.update_dashboard({
        **change.document, "message": OURS + fingerprint(model), "overwrite": False,
        "dashboard": model if change.version is None else {**model, "version": change.version}})
