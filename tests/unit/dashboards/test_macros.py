"""Grafana's macros and variables, written out as Grafana writes them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.errors import QueryFailed
from dashboards.macros import Window, expand, seconds

SINCE = datetime(2026, 11, 20, 6, tzinfo=UTC)
WINDOW = Window(since=SINCE, until=SINCE + timedelta(days=1), interval="6h",
                choices={"vital": ["heart_rate", "spo2"], "who": ["o'neill"]})


@pytest.mark.parametrize(("written", "sent"), [
    ("WHERE $__timeFilter(cycle)",
     "WHERE cycle BETWEEN '2026-11-20T06:00:00Z' AND '2026-11-21T06:00:00Z'"),
    ("$__timeFrom() $__timeTo()", "'2026-11-20T06:00:00Z' '2026-11-21T06:00:00Z'"),
    ("$__timeGroup(at, '1h')", "floor(extract(epoch from at)/3600)*3600"),
    ("$__timeGroupAlias(at, $__interval)",
     'floor(extract(epoch from at)/21600)*21600 AS "time"'),
    ("vital IN (${vital:sqlstring})", "vital IN ('heart_rate','spo2')"),
    ("who = ${who:sqlstring}", "who = 'o''neill'"),
])
def test_what_is_sent(written: str, sent: str) -> None:
    assert expand(written, WINDOW) == sent


@pytest.mark.parametrize(("written", "told"), [
    ("$__timeFilter()", "timeFilter"), ("$__unixEpochFilter(at)", "unixEpochFilter"),
    ("$__timeGroup(at)", "timeGroup"), ("${nobody:sqlstring}", "nobody"),
    ("$vital", "unquoted"), ("${vital}", "unquoted"), ("${vital:raw}", "unquoted"),
])
def test_what_is_not_known_is_refused(written: str, told: str) -> None:
    with pytest.raises(QueryFailed, match=told):
        expand(written, WINDOW)


@given(st.text())
def test_no_choice_leaves_its_quotes(choice: str) -> None:
    window = Window(since=SINCE, until=SINCE, choices={"who": [choice]})
    sent = expand("${who:sqlstring}", window)
    assert sent[0] == sent[-1] == "'"
    assert "'" not in sent[1:-1].replace("''", "")


@pytest.mark.parametrize(("text", "long"), [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86400)])
def test_intervals(text: str, long: int) -> None:
    assert seconds(text) == long
