"""Documents that a training stored forecast, in a process of their own, what they did when fitted.

The forecast at fit time is made from the objects that the fits returned, never from JSON.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from clinical.vitals import SPECS, Vital
from forecasting.config import HEAVY
from forecasting.documents import Document
from forecasting.ensemble import Stored
from forecasting.members import forecast
from forecasting.provenance import Provenance
from forecasting.workers import FitTask, fit_many
from registry.database import open_engine, transaction
from registry.panels import HourlyPanel, read_panels
from tests.reference.cycles import (
    CYCLE,
    Installation,
    job_command,
    job_environment,
    settings,
    vendors,
)
from tests.reference.fits import fit_ensemble
from vitalcast.cycle import HOUR
from vitalcast.jobs.forecast import Model, panel_rows
from vitalcast.model_config import parse_config

ROOT = Path(__file__).resolve().parents[2]
PATIENT = "demo-04"
CONFIG = '{"members": {"mstl": true}, "window_hours": 168}'
SETTINGS = parse_config(CONFIG)
ENGINE = SETTINGS.engine_config(Vital.HEART_RATE)
MADE_BY = Provenance(code_version="test")

ELSEWHERE = """
import sys
from datetime import datetime
from forecasting.documents import loads
from forecasting.members import forecast
from registry.database import open_engine, transaction
from registry.models import latest_members

url, patient, hour = sys.argv[1:]
with transaction(open_engine(url)) as conn:
    for one in latest_members(conn, [patient], datetime.fromisoformat(hour)):
        if one.vital == "heart_rate":
            print(one.member, forecast(loads(one.document), 24).tobytes().hex())
assert "statsforecast" not in sys.modules, "a forecast needs no library that fits"
"""

_STORED = """
SELECT point, lower_50, upper_50, lower_80, upper_80, lower_95, upper_95, members, state_hash
FROM forecasts WHERE vital = 'heart_rate' AND cutoff = :cutoff"""


@pytest.fixture(scope="module")
def place(database_url: str) -> Iterator[Installation]:
    """The patient's vitals, read and trained on at `CYCLE`."""
    engine = open_engine(database_url)
    with vendors(patients=(PATIENT,)) as root:
        one = Installation.on(engine, database_url, root, CONFIG)
        one.ingest()
        one.train()
        yield one
    engine.dispose()


def heart_rate(place: Installation, hour: datetime) -> HourlyPanel:
    """The patient's heart rate, as the jobs read it."""
    with transaction(place.system.engine) as conn:
        found = read_panels(conn, [PATIENT], ["heart_rate"],
                            hour - SETTINGS.window_hours * HOUR, hour)
    return found[Vital.HEART_RATE]


@pytest.fixture(scope="module")
def models(place: Installation) -> Stored:
    """Every member fitted and combined, as objects."""
    panel = heart_rate(place, CYCLE)
    tasks = [FitTask(key=0, member=name, y=panel.y[0], start=panel.start, config=ENGINE,
                     provenance=MADE_BY) for name in ENGINE.members]
    documents: dict[str, Document] = {}
    for outcome in fit_many(tasks, workers=2, timeout_s=300):
        assert outcome.document is not None, outcome
        documents[outcome.member] = outcome.document
    ensemble = fit_ensemble(documents, panel.y[0], start=panel.start, config=ENGINE,
                            vital=SPECS[Vital.HEART_RATE], provenance=MADE_BY)
    return Stored(ensemble=ensemble, members=documents, absent={})


def said_at_once(place: Installation, models: Stored, hour: datetime) -> dict[str, bytes]:
    (row,) = panel_rows(heart_rate(place, hour), {
        (PATIENT, "heart_rate"): Model(stored=models, ensemble_id="ensemble")}, hour, SETTINGS)
    return {**{name: bits(one["path"]) for name, one in row.members.items()},
            "ensemble": bits(row.point, *(side for level in (50, 80, 95)
                                          for side in row.bounds[level])),
            "state": str(row.state_hash).encode()}


def said_elsewhere(place: Installation, folder: Path, hour: datetime) -> dict[str, bytes]:
    """What `vitalcast forecast` stores, a process that finds nothing but the database."""
    config = folder / "config.json"
    config.write_text(CONFIG)
    url = place.system.settings.database_url
    subprocess.run(job_command("forecast", hour, config), check=True, timeout=300,
                   env=job_environment(settings(url, place.sandbox_url, home=folder)))
    with transaction(place.system.engine) as conn:
        (row,) = conn.execute(text(_STORED), {"cutoff": hour})
    return {**{name: bits(one["path"]) for name, one in row.members.items()},
            "ensemble": bits(*row[:7]), "state": row.state_hash.encode()}


def bits(*paths: Any) -> bytes:
    return b"".join(np.asarray(path, dtype="<f8").tobytes() for path in paths)


def test_each_stored_member_forecasts_elsewhere_what_it_did_when_it_was_fitted(
    place: Installation, models: Stored,
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, place.system.settings.database_url, PATIENT,
         CYCLE.isoformat()], cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    found = dict(line.split() for line in told.stdout.splitlines())
    assert set(found) == set(ENGINE.members)
    assert found == {name: forecast(one, 24).tobytes().hex()
                     for name, one in models.members.items()}


def test_stored_documents_forecast_elsewhere_what_they_did_when_they_were_fitted(
    place: Installation, models: Stored, tmp_path: Path,
) -> None:
    at_once = said_at_once(place, models, CYCLE)
    left_out = models.ensemble.figures["left_out"]
    assert set(at_once) == {*ENGINE.members, "ensemble", "state"} - set(left_out)
    assert set(at_once) >= {*HEAVY, "mstl"}
    assert said_elsewhere(place, tmp_path, CYCLE) == at_once
    later = CYCLE + 3 * HOUR                        # the state runs on through hours since the fit
    place.clock(later)
    place.ingest(later)
    then = said_at_once(place, models, later)
    assert then["ensemble"] != at_once["ensemble"]
    assert said_elsewhere(place, tmp_path, later) == then
