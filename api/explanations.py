"""How forecasts were made: what each member said and counted for, and the leading one explained.

Read for one question and not on the way of the latest forecast: documents are parsed, the leading
one's state is moved through the hours since it was fitted, as the forecast did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import orjson

from clinical.vitals import SPECS, Vital
from forecasting import members
from forecasting.documents import ENSEMBLE, Document, loads
from forecasting.explain import Explanation, explain, shares
from forecasting.phrases import structure
from forecasting.types import FloatArray, ForecastingError
from registry.reading import Reading
from registry.views import Access, Champion, Forecast, StoredModel

NOT_STORED = "its model document is not stored any more"
NO_MEMBERS = "no member took part"
OF_MEMBERS = "an ensemble has members, and no level of its own: its forecasts are explained"

Hours = Callable[[str, datetime, datetime], FloatArray]
"""Hourly means of a vital from one full hour to another, NaN where nothing was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPart:
    """One member of a forecast. `share` is its part over the whole horizon, 0 to 1.

    `structure` and `document_id` are None where the document is not stored or cannot be read.
    """

    share: float
    weights: Mapping[str, float]
    path: tuple[float, ...]
    structure: str | None
    document_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One forecast: `members` by name, the one that counts most first.

    `leading` explains that one in the state that the forecast began from; it is None where
    `unexplained` says why.
    """

    forecast: Forecast
    members: Mapping[str, MemberPart]
    absent: Mapping[str, str]
    leading: Explanation | None
    unexplained: str
    champion: Champion | None


def explain_forecasts(
    reading: Reading, access: Access, patient_id: str, forecasts: Sequence[Forecast],
    offsets: Mapping[str, timedelta],
) -> tuple[Explained, ...]:
    """Explain the patient's `forecasts`; `offsets` are the patient's own from UTC, by vital.

    PatientNotFound outside `access`.
    """
    said = {one.vital: orjson.loads(one.members) for one in forecasts}
    wanted = [(one.vital, name, one.cutoff) for one in forecasts for name in said[one.vital]]
    stored = reading.member_documents(access, patient_id, wanted) if wanted else {}
    champions = reading.champions(access, patient_id)

    def hours(vital: str, start: datetime, end: datetime) -> FloatArray:
        found = reading.series(access, patient_id, [vital], start, end)[vital]
        return np.array([np.nan if hour.mean is None else hour.mean for hour in found])

    return tuple(
        _explained(one, said[one.vital], {name: stored.get((one.vital, name)) for name in
                                          said[one.vital]},
                   hours, champions.get(one.vital), offsets.get(one.vital))
        for one in forecasts)


def explain_model(
    model: StoredModel, utc_offset: timedelta | None
) -> tuple[Explanation | None, str]:
    """A stored document in the state of its own window's end, or why it is not explained."""
    if model.member == ENSEMBLE:
        return None, OF_MEMBERS
    document = _readable(model)
    if isinstance(document, str):
        return None, document
    return _taken_apart(document, model.vital, utc_offset)


def _explained(
    forecast: Forecast, said: Mapping[str, Any], stored: Mapping[str, StoredModel | None],
    hours: Hours, champion: Champion | None, utc_offset: timedelta | None,
) -> Explained:
    counted = shares({name: one["weights"] for name, one in said.items()}, forecast.horizon)
    documents = {name: _readable(stored[name]) for name in counted}
    leading, unexplained = None, forecast.reason or NO_MEMBERS
    if counted:
        leading, unexplained = _leading(
            forecast, documents[next(iter(counted))], hours, utc_offset)
    return Explained(
        forecast=forecast, absent=orjson.loads(forecast.absent), leading=leading,
        unexplained=unexplained, champion=champion,
        members={name: _part(said[name], share, documents[name], stored[name])
                 for name, share in counted.items()})


def _leading(
    forecast: Forecast, document: Document | str, hours: Hours, utc_offset: timedelta | None
) -> tuple[Explanation | None, str]:
    """The leading member in the state that the forecast began from, or why it is not explained."""
    if isinstance(document, str):
        return None, document
    since = hours(forecast.vital, document.grid.cutoff, forecast.cutoff)
    return _taken_apart(members.update(document, since), forecast.vital, utc_offset)


def _taken_apart(
    document: Document, vital: str, utc_offset: timedelta | None
) -> tuple[Explanation | None, str]:
    try:
        return explain(document, SPECS[Vital(vital)], utc_offset=utc_offset), ""
    except ForecastingError as error:
        return None, f"its model cannot be taken apart: {error}"


def _part(
    said: Mapping[str, Any], share: float, document: Document | str, stored: StoredModel | None
) -> MemberPart:
    return MemberPart(
        share=share, weights=said["weights"], path=tuple(said["path"]),
        structure=None if isinstance(document, str) else structure(document),
        document_id=None if stored is None else stored.document_id)


def _readable(model: StoredModel | None) -> Document | str:
    """A member's document, or why there is none."""
    if model is None:
        return NOT_STORED
    try:
        return loads(model.document)
    except ForecastingError as error:
        return f"its model document cannot be read: {error}"
