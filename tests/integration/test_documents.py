"""A document read back from Postgres in a fresh process forecasts what it forecast when fitted."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import Engine

from forecasting.config import KNOWN_MEMBERS, EngineConfig
from forecasting.documents import Document, document_id, dumps
from forecasting.ensemble import fit_ensemble, forecast_ensemble
from forecasting.members import Provenance, fit, forecast
from registry.database import transaction
from registry.models import DocumentRow, save_documents
from registry.patients import Patient, save_patients

START = datetime(2026, 11, 7, tzinfo=UTC)
HOURS = 336
CONFIG = EngineConfig(members=KNOWN_MEMBERS)
MADE_BY = Provenance(code_version="test")

ELSEWHERE = """
import sys
from forecasting.documents import loads
from forecasting.ensemble import forecast_ensemble
from forecasting.members import forecast
from registry.database import open_engine, transaction
from registry.models import load_documents
import numpy as np

url, *ids = sys.argv[1:]
with transaction(open_engine(url)) as conn:
    texts = load_documents(conn, ids)
documents = {one.member: one for one in map(loads, texts.values())}
ensemble = documents.pop("ensemble")
for name, one in documents.items():
    print(name, forecast(one, 24).tobytes().hex())
made = forecast_ensemble(ensemble, documents, y_since=np.zeros(0), horizon=24,
                         levels=(50, 80, 95), vital=None)
rows = [made.point, *(side for pair in made.bounds.values() for side in pair)]
print("ensemble", np.array(rows, dtype=np.float64).tobytes().hex())
assert "statsforecast" not in sys.modules
"""


def hours() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Two weeks with a daily rhythm, noise and gaps."""
    noise = np.random.default_rng(7).normal(size=HOURS)
    y = 72 + 6 * np.sin(2 * np.pi * np.arange(HOURS) / 24) + np.convolve(noise, [1, .6, .3], "same")
    y[100:103] = np.nan
    return np.asarray(y, dtype=np.float64)


@pytest.fixture
def documents() -> dict[str, Document]:
    """One document a member, and their ensemble's."""
    y = hours()
    made = {name: fit(name, y, start=START, config=CONFIG, provenance=MADE_BY)
            for name in KNOWN_MEMBERS}
    made["ensemble"] = fit_ensemble(made, y, start=START, config=CONFIG, vital=None, absent={},
                                    provenance=MADE_BY)
    return made


def test_every_member_forecasts_bit_for_bit_the_same_elsewhere(
    engine: Engine, database_url: str, documents: dict[str, Document],
) -> None:
    members = {name: one for name, one in documents.items() if name != "ensemble"}
    expected = {name: forecast(one, 24).tobytes().hex() for name, one in members.items()}
    made = forecast_ensemble(documents["ensemble"], members, y_since=np.zeros(0), horizon=24,
                             levels=(50, 80, 95), vital=None)
    sides = [made.point, *(side for pair in made.bounds.values() for side in pair)]
    expected["ensemble"] = np.array(sides, dtype=np.float64).tobytes().hex()
    ids = store(engine, documents)
    told = subprocess.run([sys.executable, "-c", ELSEWHERE, database_url, *ids], check=True,
                          capture_output=True, text=True, timeout=120).stdout
    found = dict(line.split() for line in told.splitlines())
    assert set(found) == {*KNOWN_MEMBERS, "ensemble"}
    assert found == expected


def store(engine: Engine, documents: dict[str, Document]) -> list[str]:
    """Keep the documents as a training does; returns their ids."""
    rows = [
        DocumentRow(document_id=document_id(dumps(one)), patient_id="p", vital="heart_rate",
                    member=name, engine=one.engine, cutoff=START + timedelta(hours=HOURS),
                    made_by="search", document=dumps(one))
        for name, one in documents.items()
    ]
    with transaction(engine) as conn:
        save_patients(conn, [Patient(patient_id="p")])
        save_documents(conn, rows)
    return [row.document_id for row in rows]
