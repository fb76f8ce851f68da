"""Who may read the views `bi_…`, and reading them with no more than those rights.

Two roles nobody logs in by hold the rights: `vitalcast_readonly` for what names no patient,
`vitalcast_clinical` for the rest. A login is a member of one or both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errors, sql

from registry.database import Engine, RegistryError, raw_cursor, transaction

READONLY, CLINICAL = "vitalcast_readonly", "vitalcast_clinical"

TIMEOUT_S = 30
"""A reader's statement that takes longer is ended: a board must not slow a cycle down."""

_TIMES = {1082, 1114, 1184}                       # date, timestamp, timestamptz
_NUMBERS = {20, 21, 23, 26, 700, 701, 1700}       # integers, floats, numeric
_TEXTS = {18, 19, 25, 1042, 1043}

_VIEWS = """
SELECT c.relname AS view, obj_description(c.oid) AS about, a.attname AS column,
       format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS comment,
       c.relname LIKE 'bi\\_patient%' AS clinical
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'v' AND c.relname LIKE 'bi\\_%' AND c.relnamespace = 'public'::regnamespace
ORDER BY c.relname, a.attnum"""


# A reader as `make_reader` leaves one: what it sets for each login, and nobody else's rights.
_IS_READER = """
SELECT rolcanlogin AND NOT (rolsuper OR rolcreaterole OR rolcreatedb)
    AND 'default_transaction_read_only=on' = ANY(coalesce(rolconfig, '{}')) AND EXISTS (
        SELECT 1 FROM pg_auth_members m JOIN pg_roles held ON held.oid = m.roleid
        WHERE m.member = r.oid AND held.rolname = %s)
FROM pg_roles r WHERE rolname = %s"""


class QueryError(RegistryError):
    """A reader's query failed; the message is the server's, which may quote the query."""


class RoleMissing(RegistryError):
    """The roles that read the views are not there and this user may not make them."""


class LoginTaken(RegistryError):
    """The name belongs to a role that is no reader, or to PostgreSQL itself; choose another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Names and kinds (time, number, text or another) of the columns, and the rows."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewColumn:
    """A column of a view `bi_…`, as the database explains it."""

    view: str
    about: str
    column: str
    type: str
    comment: str
    clinical: bool


def ask(engine: Engine, query: str, role: str) -> Answer:
    """The answer to one query with the rights of `role`, in a transaction that cannot write.

    QueryError in the server's words where the query fails, RoleMissing where the role cannot be
    taken.
    """
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.execute(f"SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = '{TIMEOUT_S}s'")
        _become(cursor, role)
        try:
            cursor.execute(query)
        except psycopg2.Error as error:
            raise QueryError(error.diag.message_primary or type(error).__name__) from None
        columns = [(one.name, _kind(one.type_code)) for one in cursor.description]
        return Answer(columns=columns, rows=cursor.fetchall())


def make_reader(engine: Engine, login: str, password: str, *, clinical: bool) -> None:
    """Make or change a login that reads the views and nothing else, and cannot write.

    RoleMissing where the database's user may not make roles; LoginTaken, before anything is
    changed, where the name is that of a role which was not made here: the application's own, say.
    """
    name = sql.Identifier(login)
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        try:
            for role in (READONLY, CLINICAL):
                if not _known(cursor, role):
                    cursor.execute(sql.SQL("CREATE ROLE {0} NOLOGIN; GRANT {0} TO CURRENT_USER")
                                   .format(sql.Identifier(role)))
            _grant_views(cursor)
            verb = _verb(cursor, login)
            cursor.execute(sql.SQL(
                f"{verb} ROLE {{}} LOGIN PASSWORD {{}}").format(name, sql.Literal(password)))
            for setting, value in (("default_transaction_read_only", "on"),
                                   ("statement_timeout", f"{TIMEOUT_S}s"), ("TimeZone", "UTC")):
                cursor.execute(sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    name, sql.Identifier(setting), sql.Literal(value)))
            cursor.execute(sql.SQL(f"GRANT {READONLY} TO {{}}").format(name))
            right = "GRANT {} TO {}" if clinical else "REVOKE {} FROM {}"
            cursor.execute(sql.SQL(right).format(sql.Identifier(CLINICAL), name))
        except (errors.InsufficientPrivilege, errors.UndefinedObject):
            raise RoleMissing(_HOW) from None
        except errors.ReservedName:
            raise LoginTaken(_TAKEN.format(login)) from None


def describe_views(engine: Engine) -> Sequence[ViewColumn]:
    """Every column of every view `bi_…`, by view, in the order of the columns."""
    with transaction(engine) as conn, raw_cursor(conn) as cursor:
        cursor.execute(_VIEWS)
        names = [one.name for one in cursor.description]
        return [ViewColumn(**dict(zip(names, row, strict=True))) for row in cursor]


_HOW = (f"the user of VITALCAST_DATABASE_URL may not make roles: have an administrator run "
        f"CREATE ROLE {READONLY} NOLOGIN; CREATE ROLE {CLINICAL} NOLOGIN; GRANT both to that user "
        "WITH ADMIN OPTION, and give that user CREATEROLE; then run this again")


_TAKEN = ("{} is a role that `vitalcast dashboards role` did not make: choose another name, for "
          "example grafana_reader")


def _verb(cursor: Any, login: str) -> str:
    """CREATE, or ALTER where the login is a reader already. LoginTaken for any other role."""
    cursor.execute(_IS_READER, (READONLY, login))
    found = cursor.fetchone()
    if found and not found[0]:
        raise LoginTaken(_TAKEN.format(login))
    return "ALTER" if found else "CREATE"


def _known(cursor: Any, role: str) -> bool:
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    return cursor.fetchone() is not None


def _grant_views(cursor: Any) -> None:
    """What the migration did, unless it could not make the roles."""
    cursor.execute(_VIEWS)
    for view, clinical in sorted({(row[0], row[-1]) for row in cursor.fetchall()}):
        cursor.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(
            sql.Identifier(view), sql.Identifier(CLINICAL if clinical else READONLY)))


def _become(cursor: Any, role: str) -> None:
    try:
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    except (errors.InsufficientPrivilege, errors.InvalidParameterValue, errors.UndefinedObject):
        raise RoleMissing(_HOW) from None


def _kind(oid: int) -> str:
    for kind, oids in (("time", _TIMES), ("number", _NUMBERS), ("text", _TEXTS)):
        if oid in oids:
            return kind
    return f"type {oid}"
