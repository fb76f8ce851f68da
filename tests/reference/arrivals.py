"""Readings that arrive, as a job stores them: one transaction with their flags."""

import hashlib
from collections.abc import Sequence

from sqlalchemy import Engine, text

from providers.fetching import Page
from providers.observation import Observation, Parsed, Provider
from registry.database import transaction
from registry.observations import prepared, save_readings
from registry.patients import add_patient
from registry.payloads import save_payloads
from registry.quality import Checked, check_arrivals, check_saved, spans_of


def arrive(engine: Engine, readings: Sequence[Observation], *, platform: str = "withings",
           resource: str = "heart", read_back: bool = False) -> Checked:
    """One transaction, of patient p1: readings of one payload, and their flags.

    `read_back` judges them from the database alone, as those of pushes and files are.
    """
    sha256 = hashlib.sha256(repr((readings, platform)).encode()).hexdigest()
    page = Page(body=b"", sha256=sha256, parsed=Parsed(observations=readings))
    with transaction(engine) as conn:
        add_patient(conn, "p1")
        conn.execute(text("""INSERT INTO connections (connection_id, patient_id, provider)
            VALUES (:connection, 'p1', :platform) ON CONFLICT DO NOTHING"""),
            {"connection": f"{platform}:p1", "platform": platform})
        save_payloads(conn, [(sha256, b"")], provider=Provider(platform), resource=resource)
        saved = save_readings(conn, prepared(
            [page], patient_id="p1", provider=Provider(platform),
            connection_id=f"{platform}:p1", parser_version=1))
        if read_back or resource == "webhook" or resource.startswith("file "):
            return check_arrivals(conn, "p1", spans_of(readings))
        return check_saved(conn, saved.written) if saved.written else Checked()
