"""The daily quality job on a real server: clocks, profiles, report."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import Engine, insert, text
from typer.testing import CliRunner

from registry import tables
from registry.connections import TokenCipher
from registry.database import transaction
from tests.reference.cycles import KEYS
from vitalcast.cli import app
from vitalcast.errors import UserError
from vitalcast.jobs.quality import check_quality, day_before
from vitalcast.settings import Settings
from vitalcast.wiring import System

DAY = date(2026, 11, 10)
MIDNIGHT = datetime(2026, 11, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONSENT = MIDNIGHT - timedelta(days=5)


def reading(patient: str, minutes: float, value: float, *, vital: str = "heart_rate",
            provider: str = "withings", late: timedelta = timedelta(minutes=10),
            **more: Any) -> dict[str, Any]:
    """A reading that begins so many minutes after midnight of the day."""
    moment = MIDNIGHT + timedelta(minutes=minutes)
    return {"key": f"{patient}{vital}{provider}{minutes}".encode(), "patient_id": patient,
            "vital": vital, "provider": provider, "connection_id": f"{provider}:{patient}",
            "value": value, "effective_start": moment, "effective_end": moment,
            "granularity": "sample", "statistic": "instant", "context": "rest",
            "method": "device", "device_model": f"{provider} watch", "parser_version": 1,
            "quality": "ok", "quality_reasons": [], "fetched_at": moment + late, **more}


def store(engine: Engine, rows: Sequence[dict[str, Any]]) -> System:
    pairs = {(row["patient_id"], row["provider"]) for row in rows}
    with transaction(engine) as conn:
        conn.execute(insert(tables.patients), [
            {"patient_id": name} for name in sorted({patient for patient, _ in pairs})])
        conn.execute(insert(tables.connections), [
            {"connection_id": f"{provider}:{patient}", "patient_id": patient, "provider": provider,
             "consented_at": CONSENT} for patient, provider in sorted(pairs)])
        conn.execute(insert(tables.observations), list(rows))
    return System(settings=Settings(), engine=engine, cipher=TokenCipher([KEYS.token_key]))


def profiles(engine: Engine) -> dict[tuple[str, str, str], Any]:
    with transaction(engine) as conn:
        return {(row.scope, row.subject, row.vital): row
                for row in conn.execute(text("SELECT * FROM profiles"))}


def test_profiles_and_report_count_what_is_there(engine: Engine) -> None:
    values = [60 + step % 7 for step in range(48)]
    rows = [reading("p1", 30 * step, value) for step, value in enumerate(values)]
    rows += [reading("p2", 60 * step, 80, late=timedelta(hours=80) if step < 3 else HOUR)
             for step in range(12)]
    rows += [reading("p2", 60 * step - 6 * 24 * 60, 100) for step in range(24)]    # not consented
    rows += [reading("p1", 5, 97, vital="spo2", quality="suspect")]
    system = store(engine, rows)
    with transaction(engine) as conn:
        conn.execute(text("""INSERT INTO quality_flags (key, flag, patient_id, vital, provider,
            effective_start, value, keeps_out, reason)
            SELECT key, 'clock_ahead', patient_id, vital, provider, effective_start, value, true,
                   'begins 3 h after it arrived' FROM observations WHERE value = 66"""))
    report = check_quality(system, day=DAY)
    (heart, spo2) = report["series"]
    flagged = values.count(66)
    assert heart == {
        "provider": "withings", "vital": "heart_rate", "patients": 2, "readings": 60, "hours": 36,
        "not_accepted": 0, "late": 3, "lateness_median_s": 600, "lateness_q95_s": 3600,
        "flagged": flagged, "kept_out": flagged, "flags": {"clock_ahead": flagged}}
    assert (spo2["readings"], spo2["not_accepted"]) == (0, 1)
    assert report["totals"] == {"readings": 60, "late": 3, "not_accepted": 1, "flagged": flagged,
                                "kept_out": flagged, "refused": 0}
    found = profiles(engine)
    one = found["patient", "p1", "heart_rate"]
    ordered = sorted(values)
    assert (one.q05, one.q25, one.median, one.q75, one.q95) == tuple(
        ordered[math.ceil(share * 48) - 1] for share in (0.05, 0.25, 0.5, 0.75, 0.95))
    assert (one.readings, one.hours, one.missing_share, one.day, one.days) == (48, 24, 0, DAY, 14)
    assert (one.devices, one.flags) == (["withings watch"], {"clock_ahead": flagged})
    two = found["patient", "p2", "heart_rate"]
    assert (two.readings, two.hours, two.late, two.lateness_max_s) == (36, 36, 3, 80 * 3600)
    assert two.missing_share == pytest.approx(1 - 36 / (7 * 24))
    provider = found["provider", "withings", "heart_rate"]
    everything = sorted([*values, *[80] * 12, *[100] * 24])
    assert (provider.patients, provider.readings, provider.hours) == (2, 84, 60)
    assert provider.median == everything[math.ceil(0.5 * 84) - 1]
    assert provider.missing_share == pytest.approx(1 - 60 / (24 + 7 * 24))


def test_the_job_again_leaves_the_same_and_an_earlier_day_replaces_no_later_one(
        engine: Engine) -> None:
    system = store(engine, [reading("p1", 60 * step, 70) for step in range(24)])
    report = check_quality(system, day=DAY)
    before = profiles(engine)
    assert check_quality(system, day=DAY) == report
    check_quality(system, day=DAY - timedelta(days=1))
    assert profiles(engine) == before


def test_a_report_names_no_patient_and_tells_what_was_refused(engine: Engine) -> None:
    system = store(engine, [reading("anna-karenina", 5, 70)])
    with transaction(engine) as conn:
        conn.execute(insert(tables.raw_payloads), [
            {"sha256": "a", "provider": "withings", "resource": "heart", "body": b"",
             "stored_at": MIDNIGHT + HOUR}])
        conn.execute(insert(tables.refusals), [
            {"raw_sha256": "a", "record": str(number), "reason": "out of plausible range",
             "connection_id": "withings:anna-karenina"} for number in range(3)])
        conn.execute(insert(tables.fetches), [
            {"connection_id": "withings:anna-karenina", "resource": "heart", "outcome": outcome,
             "cycle": MIDNIGHT + hour * HOUR, "window_start": MIDNIGHT, "pages": 1, "received": 1,
             "parsed": 1, "refused": 0} for hour, outcome in enumerate(
                 ["complete", "complete", "fetch_failed"], start=23)])
        states = bytes([1] * 20 + [6] * 4)
        conn.execute(insert(tables.coverage), [
            {"patient_id": "anna-karenina", "vital": "spo2", "day": DAY, "states": states,
             "reasons": [], "version": 1, "computed_cycle": MIDNIGHT}])
    report = check_quality(system, day=DAY)
    assert report["refused"] == [
        {"provider": "withings", "reason": "out of plausible range", "records": 3}]
    assert report["fetches"] == [{"provider": "withings", "outcome": "complete", "fetches": 2}]
    assert report["gaps"] == [{"vital": "spo2", "state": "ok", "hours": 20},
                              {"vital": "spo2", "state": "not_synced", "hours": 4}]
    with transaction(engine) as conn:
        stored = conn.execute(text("SELECT report FROM quality_reports")).scalar_one()
        figures = conn.execute(text("SELECT figures FROM runs WHERE job = 'quality'")).scalar_one()
    assert stored == report
    assert figures["refused"] == 3
    assert "karenina" not in json.dumps([stored, figures])


def test_a_shifted_clock_is_flagged_on_the_day_and_cleared_when_it_was_mended(
        engine: Engine) -> None:
    truth = 70 + np.random.default_rng(8).normal(0, 2, 4 * 72).cumsum() / 2
    minutes = np.arange(4 * 72) * 15 - 2 * 24 * 60
    rows = [reading("p1", minute, round(float(value), 1)) for minute, value in zip(
        minutes.tolist(), truth, strict=True)]
    rows += [reading("p1", minute + 120, round(float(value), 1), provider="oura")
             for minute, value in zip(minutes[:-16].tolist(), truth, strict=False)]
    system = store(engine, rows)
    check_quality(system, day=DAY)
    with transaction(engine) as conn:
        flags = conn.execute(text("""SELECT DISTINCT flag, provider, reason, keeps_out,
            effective_start >= :day AS of_day FROM quality_flags"""), {"day": MIDNIGHT}).all()
        assert [tuple(row) for row in flags] == [
            ("clock_shift", "oura", "runs 2 h ahead of another device", False, True)]
        conn.execute(text("""UPDATE observations SET effective_start = effective_start
            - interval '2 hours' WHERE provider = 'oura'"""))
    check_quality(system, day=DAY)
    with transaction(engine) as conn:
        assert conn.execute(text("""SELECT count(*) FROM quality_flags
            WHERE cleared_at IS NULL""")).scalar_one() == 0


def test_a_day_that_is_not_over_is_refused(engine: Engine) -> None:
    system = store(engine, [reading("p1", 5, 70)])
    with pytest.raises(UserError, match="not over"):
        check_quality(system, day=datetime.now(UTC).date())
    assert day_before("2026-11-11T02:00:00") == DAY


def test_the_command_prints_the_report(
        engine: Engine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(engine, [reading("p1", 5, 70)])
    monkeypatch.setenv("VITALCAST_HOME", str(tmp_path))
    monkeypatch.setenv("VITALCAST_DATABASE_URL", database_url)
    told = CliRunner().invoke(app, ["quality", "--day", DAY.isoformat(), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["totals"]["readings"] == 1
    shown = CliRunner().invoke(app, ["quality", "--day", DAY.isoformat()])
    assert "heart_rate" in shown.stdout
    with pytest.raises(UserError, match="2026-11-20"):
        CliRunner().invoke(app, ["quality", "--day", "friday"], catch_exceptions=False)
