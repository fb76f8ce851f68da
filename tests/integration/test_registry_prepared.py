"""A prepared statement asked from an event loop: many at once, cut connections, askers that go."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from registry.database import (
    DatabaseUnreachable,
    Engine,
    StatementFailed,
    database_url,
    open_engine,
    transaction,
)
from registry.prepared import Prepared

PREPARE = ("PREPARE echo (double precision, integer) AS "
           "SELECT $2, 1 / $2, pg_backend_pid() FROM (SELECT pg_sleep($1)) AS slept")
SIZE = 3




def asked(url: str, question: Callable[[Prepared], Awaitable[Any]]) -> Any:
    """Run one question in an event loop of its own."""
    prepared = Prepared(
        create_engine(database_url(url)), {"application_name": "prepared"}, prepare=PREPARE,
        execute="EXECUTE echo (%s, %s)", size=SIZE, connect_timeout_s=5)

    async def run() -> Any:
        try:
            return await question(prepared)
        finally:
            prepared.close()

    return asyncio.run(run())


def backends(engine: Engine) -> int:
    with transaction(engine) as conn:
        found: int = conn.execute(text("SELECT count(*) FROM pg_stat_activity WHERE "
                                       "application_name = 'prepared'")).scalar_one()
    return found


def test_many_ask_at_once_over_a_few_connections(database_url: str) -> None:
    async def question(prepared: Prepared) -> Any:
        return await asyncio.gather(*(prepared.ask((0.01, n)) for n in range(1, 21)))

    rows = asked(database_url, question)
    assert [row[0] for row in rows] == list(range(1, 21))
    assert len({row[2] for row in rows}) == SIZE


def test_a_cut_connection_is_replaced(database_url: str) -> None:
    engine = open_engine(database_url)

    async def question(prepared: Prepared) -> list[Any]:
        first = await prepared.ask((0, 1))
        with transaction(engine) as conn:
            conn.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                              "application_name = 'prepared'"))
        return [first, await prepared.ask((0, 2))]

    before, after = asked(database_url, question)
    engine.dispose()
    assert after[0] == 2
    assert before[2] != after[2]


def test_an_asker_that_goes_leaves_no_answer_to_the_next_one(database_url: str) -> None:
    async def question(prepared: Prepared) -> Any:
        await prepared.ask((0, 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(prepared.ask((0.5, 2)), 0.05)
        return await prepared.ask((0, 3))

    assert asked(database_url, question)[0] == 3


def test_a_refused_statement_is_told_and_hinders_nobody(database_url: str) -> None:
    async def question(prepared: Prepared) -> Any:
        with pytest.raises(StatementFailed, match="DivisionByZero"):
            await prepared.ask((0, 0))
        return await prepared.ask((0, 4))

    assert asked(database_url, question)[0] == 4


def test_connections_are_given_back(database_url: str) -> None:
    engine = open_engine(database_url)

    async def question(prepared: Prepared) -> int:
        await prepared.ask((0, 1))
        return backends(engine)

    assert asked(database_url, question) >= 1
    for _ in range(50):
        if not backends(engine):
            break
        with transaction(engine) as conn:
            conn.execute(text("SELECT pg_sleep(0.02)"))
    assert backends(engine) == 0
    engine.dispose()


def test_nobody_there_is_told_as_such() -> None:
    with pytest.raises(DatabaseUnreachable):
        asked("postgresql://someone:sesame@127.0.0.1:9/none", lambda one: one.ask((0, 1)))
