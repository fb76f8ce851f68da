"""Readings that come from files: whose they are, and all of a file or nothing.

A file's readings hang on a connection of the source and the patient, whose status is `file` where
no API is linked. What the file says of its owner is kept with the first file: a later one of
another account, or an account that is another patient's, is refused.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from sqlalchemy import text

from providers.fetching import Page
from providers.observation import Observation, Parsed, Provider, Refusal
from providers.versions import PARSER_VERSIONS
from registry.connections import lock_connection
from registry.database import Connection, RegistryError
from registry.observations import Saved, prepared, save_readings
from registry.payloads import save_payloads, save_refusals

CHUNK = 20_000
"""Observations that are held at once."""

MOST_RAW_BYTES = 64 * 2**20
"""Larger files are named by their hash, and not kept."""

_OPEN = """
INSERT INTO connections (connection_id, patient_id, provider, status)
VALUES (:connection_id, :patient_id, :provider, 'file') ON CONFLICT (connection_id) DO NOTHING"""

_OTHER = """
SELECT 1 FROM connections WHERE provider = :provider AND provider_user_id = :user_id
    AND connection_id <> :connection_id"""

_CLAIM = """
UPDATE connections SET provider_user_id = coalesce(provider_user_id, :user_id)
WHERE connection_id = :connection_id RETURNING provider_user_id"""

_PATIENT = "SELECT birth_date FROM patients WHERE patient_id = :patient_id FOR NO KEY UPDATE"


class WrongPatient(RegistryError):
    """The file's readings are another person's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """Where readings come from; `body` is None for a file too large to keep."""

    provider: Provider
    format: str
    sha256: str
    body: bytes | None


def open_file_connection(conn: Connection, patient_id: str, provider: Provider) -> str:
    """The connection that a file's readings hang on. WrongPatient where there is no such patient.

    Patient and connection are locked until the transaction ends: nobody else stores its readings.
    """
    if conn.execute(text(_PATIENT), {"patient_id": patient_id}).first() is None:
        raise WrongPatient(f"there is no patient {patient_id!r}: correct --patient, or add "
                           "--new-patient")
    connection_id = f"{provider}:{patient_id}"
    conn.execute(text(_OPEN), {"connection_id": connection_id, "patient_id": patient_id,
                               "provider": provider.value})
    lock_connection(conn, connection_id)
    return connection_id


def check_owner(conn: Connection, patient_id: str, provider: Provider, *, user_id: str | None,
                birth_date: date | None = None) -> None:
    """Keep the account that a file names with its connection. WrongPatient where the account, or
    the date of birth, is not the patient's."""
    born = conn.execute(text(_PATIENT), {"patient_id": patient_id}).scalar()
    if birth_date and born and birth_date != born:
        raise WrongPatient("the date of birth in the file is not this patient's: whose file is it?")
    if user_id is None:
        return
    asked = {"connection_id": f"{provider}:{patient_id}", "provider": provider.value,
             "user_id": user_id}
    if conn.execute(text(_OTHER), asked).first():
        raise WrongPatient("the account in the file is another patient's: correct --patient")
    if conn.execute(text(_CLAIM), asked).scalar() != user_id:
        raise WrongPatient("the account in the file is not the one of this patient's earlier "
                           "readings from there: whose file is it?")


def save_source(conn: Connection, source: SourceFile) -> None:
    """Keep the file's bytes, or its hash alone."""
    kept = source.body if source.body is not None else b""
    save_payloads(conn, [(source.sha256, kept)], provider=source.provider,
                  resource=f"file {source.format}")


def save_items(
    conn: Connection, items: Iterable[Observation | Refusal], source: SourceFile, *,
    patient_id: str, connection_id: str,
) -> tuple[Saved, int]:
    """Store readings and refusals as they come; what became of them, and the refusals' number."""
    counts: Counter[str] = Counter()
    for chunk in _chunks(items):
        counts += _save_chunk(conn, chunk, source, patient_id, connection_id)
    return Saved(inserted=counts["inserted"], revised=counts["revised"],
                 unchanged=counts["unchanged"]), counts["refused"]


def _save_chunk(conn: Connection, chunk: list[Observation | Refusal], source: SourceFile,
                patient_id: str, connection_id: str) -> Counter[str]:
    observations = [one for one in chunk if isinstance(one, Observation)]
    refusals = [one for one in chunk if isinstance(one, Refusal)]
    page = Page(body=b"", sha256=source.sha256, parsed=Parsed(observations=observations))
    saved = save_readings(conn, prepared(
        [page], patient_id=patient_id, provider=source.provider, connection_id=connection_id,
        parser_version=PARSER_VERSIONS[source.provider]))
    save_refusals(conn, ((source.sha256, one) for one in refusals), connection_id=connection_id)
    return Counter(inserted=saved.inserted, revised=saved.revised, unchanged=saved.unchanged,
                   refused=len(refusals))


def _chunks(
    items: Iterable[Observation | Refusal],
) -> Iterator[list[Observation | Refusal]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
