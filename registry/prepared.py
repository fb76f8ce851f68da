"""One prepared statement asked often, without a thread: psycopg2's asynchronous mode.

A thread's hop costs more than the question. Connections are beside SQLAlchemy's pool, at most
`size`, each with the statement prepared; one that fails or is left in the middle is closed.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

from registry.database import DatabaseUnreachable, Engine, translated


class Prepared:
    """`ask` from one event loop alone; `close` from anywhere, once nobody asks any more."""

    def __init__(
        self, engine: Engine, options: Mapping[str, Any], *, prepare: str, execute: str, size: int,
        connect_timeout_s: float,
    ) -> None:
        self._engine = engine
        self._prepare, self._execute = prepare, execute
        self._options = {**engine.dialect.create_connect_args(engine.url)[1], **options}
        self._connect_timeout_s = connect_timeout_s
        self._idle: list[Any] = []
        self._turns = asyncio.Semaphore(size)

    async def ask(self, values: Sequence[Any]) -> tuple[Any, ...] | None:
        """The first row; asked once more where a kept connection was cut meanwhile."""
        async with self._turns:
            with translated(self._engine):
                while self._idle:
                    try:
                        return await self._asked(self._idle.pop(), values)
                    except DatabaseUnreachable:
                        self.close()
                return await self._asked(await self._connected(), values)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    async def _connected(self) -> Any:
        connection = psycopg2.connect(**self._options, async_=True)
        with _closed_on_failure(connection):
            try:
                await asyncio.wait_for(_done(connection), self._connect_timeout_s)
            except TimeoutError:
                raise DatabaseUnreachable from None
            await _executed(connection, self._prepare, None)
        return connection

    async def _asked(self, connection: Any, values: Sequence[Any]) -> tuple[Any, ...] | None:
        with translated(self._engine), _closed_on_failure(connection):
            cursor = await _executed(connection, self._execute, values)
            found: tuple[Any, ...] | None = cursor.fetchone()
        self._idle.append(connection)
        return found


@contextmanager
def _closed_on_failure(connection: Any) -> Iterator[None]:
    """Also when the asker is cancelled: the answer that is under way would be the next one's."""
    try:
        yield
    except BaseException:
        connection.close()
        raise


async def _executed(connection: Any, statement: str, values: Sequence[Any] | None) -> Any:
    cursor = connection.cursor()
    cursor.execute(statement, values)
    await _done(connection)
    return cursor


async def _done(connection: Any) -> None:
    """Wait, without a thread, until what the connection is at has come to an end."""
    loop = asyncio.get_running_loop()
    while (state := connection.poll()) != POLL_OK:
        ready = asyncio.Event()
        watch, forget = {
            POLL_READ: (loop.add_reader, loop.remove_reader),
            POLL_WRITE: (loop.add_writer, loop.remove_writer),
        }[state]
        descriptor = connection.fileno()
        watch(descriptor, ready.set)
        try:
            await ready.wait()
        finally:
            forget(descriptor)
