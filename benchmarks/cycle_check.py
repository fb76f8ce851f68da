"""Whether a measured hour did what was asked: every series fitted, forecast and scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from benchmarks.cycle_prepare import Size
from forecasting.config import DEFAULT_MEMBERS, HEAVY
from registry.database import Connection, Engine, transaction

# A forecast is sound when it and its 95 % bounds have a number for every hour, in order.
_FORECASTS = """
SELECT count(*) FILTER (WHERE reason IS NULL) AS forecasts,
       count(*) FILTER (WHERE reason IS NOT NULL) AS silent,
       count(*) FILTER (WHERE reason IS NULL AND NOT coalesce((
           SELECT count(*) = horizon AND bool_and(lower <= point AND point <= upper
                                                  AND upper < 1000)
           FROM unnest(f.point, f.lower_95, f.upper_95) AS hours (point, lower, upper)), false))
           AS unsound
FROM forecasts f WHERE cutoff = :hour"""

_SEVERITIES = """
SELECT count(*) AS severities, count(*) FILTER (WHERE current ->> 'applicable' = 'true') AS scored
FROM severities WHERE cutoff = :hour"""

_FITS = "SELECT outcome, count(*) FROM fits WHERE cutoff = :hour GROUP BY outcome ORDER BY outcome"

_MADE_BY = """
SELECT made_by, count(*) FROM model_documents
WHERE cutoff = :hour AND member = ANY(:members) GROUP BY made_by ORDER BY made_by"""

_DOCUMENTS = """
SELECT count(*) AS documents,
       coalesce(percentile_disc(0.5) WITHIN GROUP (ORDER BY length(document)), 0) AS characters
FROM model_documents WHERE cutoff = :hour"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the tables hold of one hour.

    fits                 outcomes of all members' fits
    heavy_documents      documents of the four heavy members by what made them
    document_characters  median length over all documents
    """

    forecasts: int
    silent: int
    unsound: int
    severities: int
    scored: int
    fits: Mapping[str, int]
    heavy_documents: Mapping[str, int]
    documents: int
    document_characters: int


def found(engine: Engine, hour: datetime) -> Found:
    """Count what the jobs left at `hour`."""
    with transaction(engine) as conn:
        documents = conn.execute(text(_DOCUMENTS), {"hour": hour}).one()
        return Found(
            **conn.execute(text(_FORECASTS), {"hour": hour}).one()._mapping,
            **conn.execute(text(_SEVERITIES), {"hour": hour}).one()._mapping,
            fits=_counts(conn, _FITS, hour), heavy_documents=_counts(conn, _MADE_BY, hour),
            documents=documents.documents, document_characters=documents.characters)


def _counts(conn: Connection, query: str, hour: datetime) -> dict[str, int]:
    rows = conn.execute(text(query), {"hour": hour, "members": list(HEAVY)})
    return {str(name): int(number) for name, number in rows}


def faults(left: Found, size: Size, *, trained: bool) -> list[str]:
    """Where the hour fell short, in words; empty when it did what was asked."""
    asked = {
        "forecasts": (left.forecasts, size.series), "unsound forecasts": (left.unsound, 0),
        "severities": (left.severities, size.patients), "scored": (left.scored, size.patients)}
    if trained:
        heavy = size.series * len(HEAVY)
        searched = size.searched * len(HEAVY)
        asked |= {
            "fits": (left.fits.get("fitted", 0), size.series * len(DEFAULT_MEMBERS)),
            "searched": (left.heavy_documents.get("search", 0), searched),
            "refitted": (left.heavy_documents.get("refit", 0), heavy - searched)}
    return [f"{name}: {number}, not {wanted}"
            for name, (number, wanted) in asked.items() if number != wanted]
