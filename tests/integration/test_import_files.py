"""`vitalcast import` on a real database: twice is once, and a bad file leaves nothing."""

import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from providers.imports import FORMATS, FileRefused, Item
from providers.versions import PARSER_VERSIONS
from registry.database import transaction
from registry.file_imports import CHUNK, WrongPatient
from registry.patients import Patient, load_patients, save_patients
from tests.reference.imports_expected import EXPECTED
from vitalcast.cli import app
from vitalcast.jobs.importing import Import, import_readings
from vitalcast.wiring import System, open_system

FOLDERS = {"apple": "apple-health", "omh": "open-mhealth", "google_health": "google-health"}
TABLES = ("observations", "observation_revisions", "raw_payloads", "refusals", "connections")

Run = Callable[..., Result]


@pytest.fixture
def run(engine: Engine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, on this module's database."""
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    monkeypatch.setenv("VITALCAST_TOKEN_KEYS", Fernet.generate_key().decode())
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p1", birth_date=date(1970, 2, 3)),
                             Patient(patient_id="p2")])

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(app, ["import", *words])

    return invoke


@pytest.fixture
def system(run: Run) -> System:
    return open_system()


def dump(engine: Engine) -> dict[str, list[str]]:
    with transaction(engine) as conn:
        return {table: list(conn.execute(text(
            f"SELECT CAST(t AS text) AS row FROM {table} t ORDER BY row")).scalars())
            for table in TABLES}


def format_of(name: str) -> str:
    folder = name.partition("/")[0]
    return "ihealth" if "ihealth" in name else FOLDERS.get(folder, folder)


def test_every_format_twice_leaves_the_same_rows(
        run: Run, engine: Engine, shared: Path) -> None:
    def each(expected: Callable[[dict[str, Any]], bool]) -> None:
        for name in EXPECTED:
            result = run(format_of(name), str(shared / "fixtures" / name), "--patient", "p1",
                         "--json")
            assert result.exit_code == 0, (name, result.output)
            assert expected(json.loads(result.stdout)), (name, result.stdout)

    each(lambda told: told["revised"] == 0)
    before = dump(engine)
    assert before["observations"]
    each(lambda told: told["inserted"] == told["revised"] == 0)
    assert dump(engine) == before


@pytest.mark.parametrize("name", ["garmin/push_dailies.json", "terra/daily_min.json"])
def test_days_that_an_older_version_read_without_a_civil_date_get_one(
        run: Run, engine: Engine, shared: Path, name: str) -> None:
    days = text("SELECT count(*), count(civil_date), min(parser_version) FROM observations "
                "WHERE granularity = 'day' AND provider = :provider")
    provider = {"provider": format_of(name)}
    file = str(shared / "fixtures" / name)
    assert run(format_of(name), file, "--patient", "p1").exit_code == 0
    with transaction(engine) as conn:
        conn.execute(text("UPDATE observations SET parser_version = 1, civil_date = NULL "
                          "WHERE granularity = 'day'"))
    assert run(format_of(name), file, "--patient", "p1").exit_code == 0
    with transaction(engine) as conn:
        stored, dated, version = conn.execute(days, provider).one()
    assert stored == dated > 0
    assert version == PARSER_VERSIONS[FORMATS[format_of(name)].provider]


def test_a_dry_run_needs_no_database(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITALCAST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    file = shared / "fixtures" / "omh" / "body_temperature_F.json"
    result = CliRunner().invoke(app, ["import", "open-mhealth", str(file), "--patient", "nobody",
                                      "--dry-run", "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert told["refused"] == []
    assert [(one["vital"], one["value"], one["unit"], one["effective_start"], one["body_site"])
            for one in told["observations"]] == [
        ("body_temperature", 36.111, "Cel", "2023-02-05T06:25:00+00:00", "forehead")]


@pytest.mark.parametrize(("name", "data", "told"), [
    ("oura", b"", "line 1"), ("withings", b'{"status": 0,\n"body": {"measuregrps": [', "line 2"),
    ("fhir", '{"resourceType": "Observation"}'.encode("utf-16"), "UTF-8"),
    ("apple-health", b"<Other/>", "HealthData"),
    ("apple-health", b'<!DOCTYPE a [<!ENTITY b "c">]><HealthData/>', "entities"),
    ("garmin", b"[]", "line 1"),
])
def test_a_bad_file_is_refused_and_leaves_nothing(
        run: Run, engine: Engine, tmp_path: Path, name: str, data: bytes, told: str) -> None:
    file = tmp_path / "bad"
    file.write_bytes(data)
    before = dump(engine)
    for extra in ((), ("--dry-run",)):
        result = run(name, str(file), "--patient", "p1", "--json", *extra)
        assert result.exit_code != 0
        refused = json.loads(result.stdout)
        assert refused["observations"] == []
        assert told in refused["refused"][0]["reason"]
    assert dump(engine) == before


def bad_files(whole: bytes) -> dict[str, bytes]:
    """A good file of any format, spoilt; what is said of each names the line or the record."""
    laughs = (b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
              b"<HealthData><Record a='&b;'/></HealthData>")
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("export.xml", bytes(5_000_000))
    return {
        "truncated": whole[:len(whole) * 2 // 3],
        "wrong encoding": whole.decode().replace("61", "\u00e4\u00f6").encode("cp1252")
        if b"61" in whole else whole.decode().encode("utf-16"),
        "wrong root": b"<Other/>" if whole.lstrip().startswith(b"<") else b'{"other": 1}',
        "billion laughs": laughs, "zip bomb": bomb.getvalue(), "0 bytes": b""}


@pytest.mark.parametrize("name", FORMATS)
def test_every_way_to_spoil_a_file_is_refused_by_line_and_leaves_nothing(
        system: System, engine: Engine, shared: Path, name: str) -> None:
    payload = next(payload for payload in EXPECTED if format_of(payload) == name)
    whole = (shared / "fixtures" / payload).read_bytes()
    before = dump(engine)

    def stored(data: bytes, patient: str = "p1") -> dict[str, Any]:
        return import_readings(system, Import(
            name=name, format=FORMATS[name], file=io.BytesIO(data), zone=ZoneInfo("UTC"),
            patient_id=patient))

    for how, data in bad_files(whole).items():
        with pytest.raises(FileRefused) as refused:
            stored(data)
        assert re.search(r"line \d|data\[0\]|zip|export\.xml", str(refused.value)), (how, name)
        assert dump(engine) == before, how
    with pytest.raises(WrongPatient, match="no patient"):
        stored(whole, "nobody")
    assert dump(engine) == before
    assert stored(whole)["inserted"]


def long_export(records: int, end: str = "</HealthData>") -> bytes:
    lines = [
        f'<Record type="HKQuantityTypeIdentifierHeartRate" unit="count/min" sourceName="Watch" '
        f'startDate="2026-08-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00 +0000" '
        f'endDate="2026-08-{1 + i // 1440:02d} {i // 60 % 24:02d}:{i % 60:02d}:00 +0000" '
        f'value="{60 + i % 40}"/>' for i in range(records)]
    return ("<HealthData>\n" + "\n".join(lines) + "\n" + end).encode()


def test_an_export_cut_off_after_whole_chunks_leaves_nothing(
        run: Run, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    file.write_bytes(long_export(CHUNK + 500, end="<Record"))
    before = dump(engine)
    result = run("apple-health", str(file), "--patient", "p1")
    assert result.exit_code != 0
    assert f"line {CHUNK + 502}" in str(result.exception)
    assert dump(engine) == before
    file.write_bytes(long_export(CHUNK + 500))
    assert run("apple-health", str(file), "--patient", "p1").exit_code == 0
    assert len(dump(engine)["observations"]) == CHUNK + 500


def test_another_persons_file_is_refused(run: Run, engine: Engine, tmp_path: Path) -> None:
    def garmin(user: str, pulse: int) -> str:
        file = tmp_path / f"{user}.json"
        file.write_text(json.dumps({"bloodPressures": [{
            "userId": user, "summaryId": "s", "systolic": 120, "diastolic": 80, "pulse": pulse,
            "measurementTimeInSeconds": 1781643600}]}))
        return str(file)

    assert run("garmin", garmin("u1", 60), "--patient", "p1").exit_code == 0
    before = dump(engine)
    for user, patient, why in (("u1", "p2", "another patient's"), ("u2", "p1", "earlier"),
                               ("u3", "p9", "there is no patient")):
        result = run("garmin", garmin(user, 61), "--patient", patient)
        assert result.exit_code != 0
        assert why in str(result.exception)
    assert dump(engine) == before


def test_a_date_of_birth_that_is_not_the_patients_is_refused(
        run: Run, engine: Engine, tmp_path: Path) -> None:
    def export(born: str) -> str:
        file = tmp_path / "export.xml"
        me = f'<Me HKCharacteristicTypeIdentifierDateOfBirth="{born}"/>'
        file.write_bytes(long_export(3).replace(b"<HealthData>", f"<HealthData>{me}".encode()))
        return str(file)

    result = run("apple-health", export("1971-02-03"), "--patient", "p1")
    assert "date of birth" in str(result.exception)
    assert not dump(engine)["observations"]
    assert run("apple-health", export("1970-02-03"), "--patient", "p1").exit_code == 0


def test_whatever_is_refused_is_told_as_json(
        run: Run, engine: Engine, shared: Path, tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch) -> None:
    file = str(shared / "fixtures" / "garmin" / "push_dailies.json")
    assert run("garmin", file, "--patient", "p1").exit_code == 0
    nul = tmp_path / "nul.json"
    nul.write_text('{"bloodPressures": [{"userId": "g\\u0000x"}]}')
    before = dump(engine)

    def refused(*words: str) -> str:
        result = run(*words, "--json")
        assert result.exit_code != 0
        told = json.loads(result.stdout)
        assert told["observations"] == []
        assert [one["record"] for one in told["refused"]] == ["file"]
        return str(told["refused"][0]["reason"])

    assert "there is no patient" in refused("garmin", file, "--patient", "p9")
    assert "another patient's" in refused("garmin", file, "--patient", "p2")
    assert "cannot be read" in refused("garmin", f"{file}.gone", "--patient", "p1")
    assert "cannot be read" in refused("garmin", str(tmp_path), "--patient", "p1")
    assert "no zone" in refused("garmin", file, "--patient", "p1", "--timezone", "Mars")
    assert "no format" in refused("garmins", file, "--patient", "p1")
    assert "userId" in refused("garmin", str(nul), "--patient", "p1")
    assert dump(engine) == before
    monkeypatch.setenv("VITALCAST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    assert "does not answer" in refused("garmin", file, "--patient", "p1")


def test_a_refusal_ends_with_2_and_a_pipe_is_read(shared: Path) -> None:
    command = [sys.executable, "-c", "from vitalcast.cli import main; main()", "import", "garmin",
               "/dev/stdin", "--patient", "nobody", "--dry-run", "--json"]
    payload = (shared / "fixtures" / "garmin" / "push_dailies.json").read_bytes()
    for data, code, readings in ((payload, 0, 5), (b"[]", 2, 0)):
        ended = subprocess.run(command, input=data, capture_output=True, check=False)
        assert ended.returncode == code
        assert len(json.loads(ended.stdout)["observations"]) == readings


def test_a_dry_run_refuses_what_the_import_refuses(run: Run, shared: Path, tmp_path: Path) -> None:
    one = json.loads((shared / "fixtures" / "fhir" / "heart_rate.json").read_bytes())
    entries = [{"resource": one | {"id": name, "subject": {"reference": f"Patient/{name}"}}}
               for name in ("A", "B")]
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"resourceType": "Bundle", "entry": entries}))
    for extra in ((), ("--dry-run",)):
        result = run("fhir", str(file), "--patient", "p1", "--json", *extra)
        assert result.exit_code != 0
        assert "several people" in json.loads(result.stdout)["refused"][0]["reason"]


def test_an_offset_of_no_place_is_refused_before_the_database(tmp_path: Path) -> None:
    file = tmp_path / "offset.json"
    file.write_text(json.dumps({"bloodPressures": [{
        "userId": "u", "systolic": 120, "diastolic": 80, "measurementTimeInSeconds": 1781643600,
        "measurementTimeOffsetInSeconds": 99999999999999}]}))
    told = json.loads(CliRunner().invoke(app, [
        "import", "garmin", str(file), "--patient", "p1", "--dry-run", "--json"]).stdout)
    assert told["observations"] == []
    assert [one["record"] for one in told["refused"]] == ["bloodPressures[0]"]


def test_a_new_patient_is_added_with_the_readings_or_not_at_all(
        run: Run, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    for data, known in ((long_export(3, end=""), False), (long_export(3), True)):
        file.write_bytes(data)
        run("apple-health", str(file), "--patient", "new", "--new-patient")
        with transaction(engine) as conn:
            found = conn.execute(text("SELECT 1 FROM patients WHERE patient_id = 'new'")).first()
        assert (found is not None) is known


def test_a_dry_run_streams_what_a_long_file_holds(tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    odd = '<Record type="HKQuantityTypeIdentifierHeartRate" unit="Hz" value="1"/>'
    file.write_bytes(long_export(30, end=f"{odd}\n{odd}\n</HealthData>"))
    words = ["import", "apple-health", str(file), "--patient", "nobody", "--dry-run"]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [one["value"] for one in told["observations"]] == [60 + i for i in range(30)]
    assert [one["record"] for one in told["refused"]] == ["Record[30]", "Record[31]"]
    shown = CliRunner().invoke(app, words).stdout
    assert "30 readings, 2 records refused" in shown
    assert "10 more" in shown
    assert "Record[31]" in shown


def test_nothing_is_shown_of_a_file_that_is_refused_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    file.write_bytes(long_export(30, end="<Record"))
    result = CliRunner().invoke(app, ["import", "apple-health", str(file), "--patient", "nobody",
                                      "--dry-run", "--json"])
    assert result.exit_code != 0
    told = json.loads(result.stdout)
    assert told["observations"] == []
    assert [one["record"] for one in told["refused"]] == ["file"]


def test_a_file_is_parsed_once_and_of_one_person(system: System, engine: Engine) -> None:
    def records(*users: str) -> bytes:
        return json.dumps({"bloodPressures": [
            {"userId": user, "summaryId": str(place), "systolic": 120, "diastolic": 80,
             "pulse": 60, "measurementTimeInSeconds": 1781643600 + place}
            for place, user in enumerate(users)]}).encode()

    reads: list[bytes] = []

    def read(file: BinaryIO, zone: ZoneInfo | None) -> Iterator[Item]:
        reads.append(file.read(1))
        file.seek(0)
        return FORMATS["garmin"].read(file, zone)

    def stored(data: bytes) -> dict[str, Any]:
        return import_readings(system, Import(
            name="garmin", format=replace(FORMATS["garmin"], read=read), file=io.BytesIO(data),
            zone=None, patient_id="p1"))

    before = dump(engine)
    with pytest.raises(WrongPatient, match="several people"):
        stored(records("u1", "u1", "u2"))
    assert dump(engine) == before
    assert stored(records("u1", "u1"))["inserted"] == 6
    assert len(reads) == 2


def test_a_patient_who_is_there_already_is_no_new_one(
        run: Run, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    file.write_bytes(long_export(3))
    assert run("apple-health", str(file), "--patient", "p1", "--new-patient").exit_code == 0
    with transaction(engine) as conn:
        assert load_patients(conn, ["p1"])["p1"].birth_date == date(1970, 2, 3)


def test_a_new_patients_date_of_birth_is_kept(run: Run, engine: Engine, tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    me = b'<Me HKCharacteristicTypeIdentifierDateOfBirth="1980-04-05"/>'
    file.write_bytes(long_export(3).replace(b"</HealthData>", me + b"</HealthData>"))
    assert run("apple-health", str(file), "--patient", "p7", "--new-patient").exit_code == 0
    with transaction(engine) as conn:
        assert load_patients(conn, ["p7"])["p7"].birth_date == date(1980, 4, 5)


def test_a_changed_reading_is_a_revision(system: System, engine: Engine) -> None:
    def stored(data: bytes) -> dict[str, Any]:
        return import_readings(system, Import(
            name="apple-health", format=FORMATS["apple-health"], file=io.BytesIO(data), zone=None,
            patient_id="p1"))

    assert stored(long_export(4))["inserted"] == 4
    changed = stored(long_export(4).replace(b'value="62"', b'value="99"'))
    assert (changed["inserted"], changed["revised"], changed["unchanged"]) == (0, 1, 3)
    assert len(dump(engine)["observation_revisions"]) == 1
