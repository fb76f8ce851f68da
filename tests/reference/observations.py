"""Any observation at all, for properties."""

from datetime import UTC, date, timedelta
from typing import Any

from hypothesis import strategies as st

from clinical.vitals import Vital
from providers.observation import (
    Context,
    Granularity,
    Method,
    Observation,
    Quality,
    Statistic,
)

TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
MOMENTS = st.datetimes(timezones=st.just(UTC))


@st.composite
def observations(draw: st.DrawFn, /, **fixed: st.SearchStrategy[Any]) -> Observation:
    """A reading with anything in its members; `fixed` replaces the strategies of some."""
    return draw(st.builds(Observation, **{
        "vital": st.sampled_from(Vital),
        "value": st.decimals(allow_nan=False, allow_infinity=False),
        "effective_start": MOMENTS, "effective_end": MOMENTS,
        "utc_offset_s": st.none() | st.integers(-50_400, 50_400),
        "civil_date": st.none() | st.dates(date(1, 1, 1) + timedelta(days=1)),
        "granularity": st.sampled_from(Granularity), "statistic": st.sampled_from(Statistic),
        "context": st.sampled_from(Context), "method": st.sampled_from(Method),
        "body_site": TEXTS, "device_id": TEXTS, "device_model": TEXTS,
        "source_record_id": TEXTS, "group_id": TEXTS, "provider_modified_at": st.none() | MOMENTS,
        "quality": st.sampled_from(Quality),
        "quality_reasons": st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
                                    max_size=2).map(tuple), **fixed}))
