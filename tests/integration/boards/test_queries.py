"""Every query of every board and rule, on a database that the jobs themselves have filled."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from dashboards.alerts import RULES
from dashboards.boards import BOARDS
from dashboards.boards.quality import QUALITY
from dashboards.check import check_board, check_rules, refuse_faults
from dashboards.errors import QueryFailed
from dashboards.model import ONE, SERIES, Board, Panel
from registry.database import transaction
from registry.readers import CLINICAL, READONLY, QueryError, ask
from tests.reference.cycles import CYCLE, Installation

SINCE, UNTIL = CYCLE - timedelta(days=3), CYCLE + timedelta(hours=1)
SILENT = {"A baseline is better", "Many series drift", "Intervals do not hold",
          "A job fails again and again"}
"""Rules that are silent until enough was seen, or nothing failed lately."""


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_every_query_answers_with_rows_of_the_declared_columns(
        watched: Installation, board: Board) -> None:
    found = check_board(watched.system.engine, board, SINCE, UNTIL)
    assert [one for one in found if one.fault] == []
    assert [one.title for one in found if not one.rows] == []
    assert len(found) == len(board.panels) + len(board.variables) + len(board.notes)


def test_every_rule_answers_with_its_declared_columns(watched: Installation) -> None:
    found = check_rules(watched.system.engine, RULES, UNTIL)
    assert [one for one in found if one.fault] == []
    assert {one.title for one in found if not one.rows} <= SILENT


def panel(sql: str, **given: object) -> Panel:
    return replace(QUALITY.panels[0], title="tried", sql=sql, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tried", "told"), [
    (panel("SELECT valu FROM bi_coverage"), 'column "valu" does not exist'),
    (panel("SELECT 1 AS other"), "answers with other, not value"),
    (panel("SELECT 'x' AS value"), "value is text, not number"),
    (panel("SELECT 1 AS value FROM patients"), "permission denied"),
    (panel("SELECT 1 AS value FROM bi_patients"), "permission denied"),
    (panel("SELECT 1 AS value WHERE $__unknown(hour)"), "no macro"),
    (panel("SELECT 1 AS value WHERE ${nobody:sqlstring} = ''"), "$nobody is no variable"),
    (panel("SELECT 1 AS value WHERE $provider = ''"), "unquoted"),
    (panel("SELECT now() AS value, 1 AS metric", columns=ONE), "answers with value, metric"),
    (panel("SELECT 1 AS time, 'x' AS metric, 'y' AS value", columns=SERIES), "value is text"),
])
def test_a_query_that_does_not_work_is_refused_by_name(
        watched: Installation, tried: Panel, told: str) -> None:
    found = check_board(watched.system.engine, replace(QUALITY, panels=[tried]), SINCE, UNTIL)
    with pytest.raises(QueryFailed, match=f"nothing was sent.*, tried.*{re.escape(told)}"):
        refuse_faults(found)


def test_a_reader_cannot_write(watched: Installation) -> None:
    with pytest.raises(QueryError, match="read-only"):
        ask(watched.system.engine, "CREATE TABLE mine (a int)", READONLY)


def test_no_view_of_the_first_role_names_a_patient(watched: Installation) -> None:
    with transaction(watched.system.engine) as conn:
        views = conn.execute(text(
            "SELECT table_name, grantee FROM information_schema.role_table_grants "
            "WHERE grantee IN ('vitalcast_readonly', 'vitalcast_clinical')")).all()
        patients = list(conn.execute(text("SELECT patient_id FROM patients")).scalars())
    assert {grantee for _, grantee in views} == {READONLY, CLINICAL}
    for view, grantee in views:
        rows = str(ask(watched.system.engine, f"SELECT * FROM {view}", grantee))
        if grantee == READONLY:
            assert not [name for name in patients if name in rows], view
