"""Fill the cycle benchmark's database: two weeks of readings, trained models, many patients.

Distinct patients are generated and trained by the real job an hour before the first measured one.
The others are their copies under new ids: observations with keys of their own, in the order in
which an hourly ingest leaves them (hour by hour, within an hour shard by shard and patient by
patient, so that a series lies scattered over as many pages as it has hours); documents, aliases,
fits and statistics by INSERT … SELECT. When the structures were searched is spread over a week.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from benchmarks.cycle_readings import DEVICE, HABITS, PROVIDER, generate
from benchmarks.cycle_server import Server, run_statement, without_keys
from forecasting.config import HEAVY
from registry.database import Connection, copy_in, transaction
from vitalcast.cycle import Shard

FIRST = datetime(2026, 11, 21, 6, tzinfo=UTC)
"""The first measured hour; training was last an hour before."""
HOUR = timedelta(hours=1)
WINDOW_HOURS = 336
MEASURED_HOURS = 2
SEARCH_EVERY_HOURS = 168
SHARDS = 2
MODEL_TABLES = ("model_documents", "model_aliases", "fits", "series_statistics")

_TABLES = """
CREATE UNLOGGED TABLE cycle_people (
    number integer PRIMARY KEY, patient_id text NOT NULL, source integer NOT NULL,
    place integer NOT NULL, page text NOT NULL);
CREATE UNLOGGED TABLE cycle_readings (
    source integer, arrived timestamptz, vital text, start_at timestamptz, end_at timestamptz,
    value numeric, granularity text, statistic text, context text, key_tail text, page text)"""

_PEOPLE = "COPY cycle_people FROM STDIN"
_READINGS = "COPY cycle_readings FROM STDIN"
_READINGS_INDEX = "CREATE INDEX ON cycle_readings (arrived)"

_ENROL = """
INSERT INTO patients (patient_id, birth_date)
SELECT patient_id, DATE '1940-01-01' + number % 20000 FROM cycle_people;
INSERT INTO connections (connection_id, patient_id, provider)
SELECT :provider || ':' || patient_id, patient_id, :provider FROM cycle_people;
INSERT INTO clinical_entries (patient_id, effective_at, item, value, entered_by)
SELECT patient_id, CAST(:first AS timestamptz) - make_interval(days => day, hours => 1), item,
       value, 'questionnaire'
FROM cycle_people, generate_series(0, 7) AS day,
     (VALUES ('supplemental_oxygen', 'false'), ('consciousness', 'alert')) AS told (item, value)"""

# The key is `Observation.key`: patient, provider and `key_tail`, a unit separator between them.
_FILL = f"""
INSERT INTO observations (
    key, patient_id, vital, provider, connection_id, value, effective_start, effective_end,
    utc_offset_s, civil_date, granularity, statistic, context, method, device_id, raw_sha256,
    parser_version, quality, quality_reasons)
SELECT sha256(convert_to(concat_ws(chr(31), p.patient_id, '{PROVIDER}', r.key_tail), 'UTF8')),
       p.patient_id, r.vital, '{PROVIDER}', '{PROVIDER}:' || p.patient_id, r.value, r.start_at,
       r.end_at, 0, CAST(r.start_at AS date), r.granularity, r.statistic, r.context, 'device',
       '{DEVICE}', p.page || r.page, 1, 'ok', CAST('{{}}' AS text[])
FROM cycle_readings r JOIN cycle_people p USING (source)
WHERE r.arrived = :arrived AND p.number < :people
ORDER BY p.place, r.vital, r.start_at"""  # noqa: S608 -- constants of this benchmark

_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = :table ORDER BY ordinal_position"""

_AGED = """
CREATE TEMPORARY TABLE aged ON COMMIT DROP AS
SELECT patient_id, vital, trained_id, document,
       encode(sha256(convert_to(document, 'UTF8')), 'hex') AS document_id
FROM (
    SELECT p.patient_id, t.vital, t.document_id AS trained_id,
           regexp_replace(t.document, '"searched_at":"[^"]*"', '"searched_at":"' || to_char(
               CAST(:first AS timestamptz) - make_interval(hours => :every - (p.number * :vitals
                   + array_position(CAST(:order AS text[]), t.vital) - 1) % :every),
               'YYYY-MM-DD"T"HH24:MI:SS"Z"') || '"') AS document
    FROM trained t JOIN cycle_people s USING (patient_id)
    JOIN cycle_people p ON p.source = s.number
    WHERE t.member = ANY(:heavy)) AS dated"""

@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large the benchmark is; `most` is how many patients are generated and trained at most.

    The others are copies of these.
    """

    patients: int
    vitals: int = 5
    most: int = 1000

    @property
    def distinct(self) -> int:
        """Patients that are generated and trained."""
        return min(self.patients, self.most)

    @property
    def series(self) -> int:
        """What is trained and forecast in an hour."""
        return self.patients * self.vitals

    @property
    def searched(self) -> int:
        """Series whose structures are a week old in the first measured hour: one in 168."""
        return -(-self.series // SEARCH_EVERY_HOURS)


@dataclass(slots=True)
class Clock:
    """Seconds of the steps, by name."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time the block."""
        began = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - began, 2)


def enrol(server: Server, size: Size) -> None:
    """Every patient with birth date, connection and a week of the entries that NEWS2 needs."""
    with transaction(server.engine) as conn:
        for statement in _TABLES.split(";"):
            conn.execute(text(statement))
        copy_in(conn, _PEOPLE, _people(size))
        for statement in _ENROL.split(";"):
            conn.execute(text(statement), {"provider": str(PROVIDER), "first": FIRST})


def _people(size: Size) -> Iterator[str]:
    """Patients by number; `place` is where a shard-wise walk through them meets each."""
    names = [f"p{number:06d}" for number in range(size.patients)]
    walk = [name for index in range(1, SHARDS + 1)
            for name in Shard(index=index, count=SHARDS).pick(names)]
    place = {name: position for position, name in enumerate(walk)}
    for number, name in enumerate(names):
        yield f"{number}\t{name}\t{number % size.distinct}\t{place[name]}\t{number:032x}\n"


def generate_readings(server: Server, size: Size) -> None:
    """The distinct patients' readings: a window before the last training, and the hours since."""
    start = FIRST - (WINDOW_HOURS + 1) * HOUR
    hours = WINDOW_HOURS + MEASURED_HOURS
    with transaction(server.engine) as conn:
        copy_in(conn, _READINGS, (
            one.line() for one in generate(size.distinct, size.vitals, start, hours)))
        conn.execute(text(_READINGS_INDEX))
    server.alone("ANALYZE cycle_readings", "ANALYZE cycle_people")


def fill_history(server: Server, people: int) -> int:
    """Observations of the first `people` up to the last training, in place of those there were."""
    with transaction(server.engine) as conn:
        conn.execute(text("TRUNCATE observations"))
        with without_keys(conn, ["observations"]):
            return sum(_fill_hour(conn, people, FIRST - back * HOUR)
                       for back in range(WINDOW_HOURS, 0, -1))


def arrive(server: Server, size: Size, hour: datetime) -> int:
    """The readings that the ingest of `hour` would bring, for everybody; how many."""
    with transaction(server.engine) as conn:
        return _fill_hour(conn, size.patients, hour)


def _fill_hour(conn: Connection, people: int, hour: datetime) -> int:
    return conn.execute(text(_FILL), {"arrived": hour, "people": people}).rowcount


def copy_models(server: Server, size: Size) -> None:
    """What training left of the distinct patients, for everybody, as trained patient by patient.

    Documents of the heavy members say that their structure was searched some time in the week
    before: of every 168 series one is due at `FIRST`. A document's id is the hash of its text.
    """
    with transaction(server.engine) as conn, without_keys(conn, MODEL_TABLES):
        for table in MODEL_TABLES:
            conn.execute(text(f"CREATE TEMPORARY TABLE trained ON COMMIT DROP AS TABLE {table}"))
            conn.execute(text(f"TRUNCATE {table}"))
            if table == "model_documents":
                conn.execute(text(_AGED), {
                    "heavy": list(HEAVY), "vitals": size.vitals, "first": FIRST,
                    "every": SEARCH_EVERY_HOURS, "order": [one.vital for one in HABITS]})
            conn.execute(text(_copy(conn, table)))
            conn.execute(text("DROP TABLE trained"))


def _copy(conn: Connection, table: str) -> str:
    """The statement that fills a model table from the distinct patients' rows in `trained`."""
    columns = list(conn.execute(text(_COLUMNS), {"table": table}).scalars())
    taken = {name: f"t.{name}" for name in columns} | {"patient_id": "p.patient_id"}
    if "document_id" in columns:
        taken["document_id"] = "coalesce(a.document_id, t.document_id)"
    if "document" in columns:
        taken["document"] = "coalesce(a.document, t.document)"
    joined = "LEFT JOIN aged a ON (a.patient_id, a.vital, a.trained_id) = (" \
             "p.patient_id, t.vital, t.document_id)" if "document_id" in columns else ""
    return f"""
        INSERT INTO {table} ({", ".join(columns)}) SELECT {", ".join(taken.values())}
        FROM trained t JOIN cycle_people s USING (patient_id)
        JOIN cycle_people p ON p.source = s.number {joined}
        ORDER BY p.place, t.vital"""  # noqa: S608 -- names of columns


def clear(server: Server) -> None:
    """Remove what only the preparation needed."""
    run_statement(server, "DROP TABLE cycle_people, cycle_readings")
