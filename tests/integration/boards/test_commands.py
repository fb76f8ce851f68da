"""`vitalcast dashboards …` on a real database, and the readers that it makes."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from dashboards import commands
from dashboards.boards import BOARDS
from dashboards.errors import NoRows, QueryFailed
from dashboards.views_page import views_page
from registry.database import DatabaseUnreachable, StatementFailed, open_engine, transaction
from registry.readers import describe_views
from tests.contract.grafana_stub import Grafana, serving
from tests.reference.cycles import CYCLE, Installation
from vitalcast.errors import UserError

ROOT = Path(__file__).resolve().parents[3]
PASSWORD = "long enough to be a password"
UNTIL = f"{CYCLE + timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"

Run = Callable[..., Result]


@pytest.fixture
def run(watched: Installation, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command on the watched installation; what it raises goes on."""
    monkeypatch.setenv("VITALCAST_DATABASE_URL", watched.system.settings.database_url)
    app = typer.Typer()
    commands.add_to(app)

    @app.callback()
    def group() -> None:
        """As the whole command line has it."""

    def call(*words: str, given: str = "") -> Result:
        return CliRunner().invoke(app, ["dashboards", *words], input=given, catch_exceptions=False)
    return call


def test_check_tells_every_query(run: Run) -> None:
    told = json.loads(run("check", "--until", UNTIL, "--days", "3", "--require-rows",
                          "--json").stdout)["queries"]
    assert {one["board"] for one in told} == {*(board.title for board in BOARDS), "alert rules"}
    assert not [one for one in told if one["fault"]]
    assert "Operations" in run("check", "--until", UNTIL).stdout


def test_boards_without_rows_can_be_refused(run: Run) -> None:
    before = f"{CYCLE - timedelta(days=300):%Y-%m-%dT%H:%M:%S}"
    run("check", "--until", before)
    with pytest.raises(NoRows, match=r"find nothing to show: .*Forecast accuracy, Members"):
        run("check", "--until", before, "--require-rows")


def test_plan_apply_and_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Grafana()) as grafana:
        monkeypatch.setenv("VITALCAST_GRAFANA_URL", grafana.url)
        monkeypatch.setenv("VITALCAST_GRAFANA_TOKEN", "good")
        monkeypatch.setenv("VITALCAST_GRAFANA_DATABASE_URL", "postgresql://a:b@db/vitalcast")
        assert actions(run("apply", "--dry-run", "--json")) == {"create"}
        assert not grafana.boards
        assert actions(run("apply", "--json")) == {"create"}
        assert actions(run("plan", "--json")) == {"unchanged"}
        grafana.edit_board("vitalcast-quality", title="Ours")
        assert "--overwrite vitalcast-quality" in " ".join(run("plan").stdout.split())
        assert actions(run("apply", "--json")) == {"unchanged", "edited by hand"}
        assert grafana.boards["vitalcast-quality"]["title"] == "Ours"


def actions(result: Result) -> set[str]:
    return {one["action"] for one in json.loads(result.stdout)["changes"]}


def test_nothing_is_sent_while_a_query_fails(
        run: Run, watched: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Grafana()) as grafana, renamed(watched.system.engine):
        monkeypatch.setenv("VITALCAST_GRAFANA_URL", grafana.url)
        monkeypatch.setenv("VITALCAST_GRAFANA_TOKEN", "good")
        monkeypatch.setenv("VITALCAST_GRAFANA_DATABASE_URL", "postgresql://a:b@db/vitalcast")
        with pytest.raises(QueryFailed, match=r"nothing was sent.*Operations, Patients by sev"):
            run("apply")
        assert not grafana.taken


@contextmanager
def renamed(engine: Engine) -> Iterator[None]:
    """A view whose column has another name meanwhile."""
    rename = "ALTER VIEW bi_severities RENAME COLUMN {} TO {}"
    with transaction(engine) as conn:
        conn.execute(text(rename.format("band", "gone")))
    try:
        yield
    finally:
        with transaction(engine) as conn:
            conn.execute(text(rename.format("gone", "band")))


def test_a_reader_reads_views_and_nothing_else(run: Run, watched: Installation) -> None:
    url = watched.system.settings.database_url
    for login, words in (("test_reader", ()), ("test_clinical", ("--patients",))):
        for _ in range(2):
            assert login in run("role", login, *words, "--password-stdin", given=PASSWORD).stdout
        engine = open_engine(as_login(url, login, PASSWORD))
        with transaction(engine) as conn:
            assert conn.execute(text("SELECT count(*) FROM bi_cycles")).scalar()
        for query, may in (("SELECT count(*) FROM bi_patients", bool(words)),
                           ("SELECT count(*) FROM patients", False),
                           ("CREATE TABLE mine (a int)", False)):
            assert works(engine, query) == may, (login, query)
        engine.dispose()
    with pytest.raises(DatabaseUnreachable):
        open_engine(as_login(url, "test_reader", "another password of it"))
    with transaction(watched.system.engine) as conn:
        conn.execute(text("DROP ROLE test_reader; DROP ROLE test_clinical"))


def as_login(url: str, login: str, password: str) -> str:
    head, _, tail = url.rpartition("@")
    return f"{head.split('://')[0]}://{login}:{password.replace(' ', '%20')}@{tail}"


def works(engine: Engine, query: str) -> bool:
    try:
        with transaction(engine) as conn:
            conn.execute(text(query))
    except StatementFailed:
        return False
    return True


def test_a_short_password_is_refused(run: Run) -> None:
    with pytest.raises(UserError, match="at least 16"):
        run("role", "test_reader", "--password-stdin", given="short")


def test_pictures_are_drawn_of_every_board(run: Run, tmp_path: Path) -> None:
    run("draw", str(tmp_path), "--until", UNTIL, "--days", "3", "--patient", "demo-01")
    for board in BOARDS:
        picture = (tmp_path / f"{board.uid}.svg").read_text()
        ElementTree.fromstring(picture)
        assert "No data" not in picture
        assert board.title in picture


def test_the_page_of_views_is_that_of_the_database(run: Run, watched: Installation) -> None:
    columns = describe_views(watched.system.engine)
    assert all(one.comment and one.about for one in columns)
    assert (ROOT / "docs/bi-views.md").read_text() == views_page(columns)
    assert run("views").stdout == views_page(columns)
