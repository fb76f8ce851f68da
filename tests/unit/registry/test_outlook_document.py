"""The stored outlook: what is written comes back, in order, and what is old can be read."""

import orjson

from clinical.news2 import BANDS
from registry.outlook_document import HourAhead, OutlookDocument, VitalsPart, WithinHours

DOCUMENT = OutlookDocument(
    hours=(HourAhead(lead=1, p_medium_or_more=0.7, p_high=0.1, most_likely_band="medium",
                     band_probabilities={"low": 0.1, "low-medium": 0.2, "medium": 0.6,
                                         "high": 0.1}, expected_points={"spo2": 1.5}),),
    first_alert_lead=1, threshold=0.3, peak_lead=1, peak_probability=0.7,
    within=WithinHours(hours=12, probability=None, lower=0.7, upper=1.0, method="bounds"),
    missing=("consciousness",), missing_points=3, method="copula",
    drivers=(VitalsPart(vital="spo2", expected_points=1.5, mean_points=1.2),),
    explanation=("Highest risk at hour 1.",))


def stored(document: OutlookDocument) -> OutlookDocument:
    """Through JSON with its keys sorted, as the table has it."""
    return OutlookDocument.from_json(
        orjson.loads(orjson.dumps(document.to_json(), option=orjson.OPT_SORT_KEYS)))


def test_what_is_written_comes_back() -> None:
    assert stored(DOCUMENT) == DOCUMENT
    assert stored(OutlookDocument(explanation=("in pregnancy",))).hours == ()


def test_the_bands_come_back_from_low_to_high() -> None:
    assert [band for band, _ in stored(DOCUMENT).hours[0].bands] == list(BANDS)


def test_documents_of_earlier_versions_can_be_read() -> None:
    """The first ones had only three keys where nothing was forecast."""
    old = DOCUMENT.to_json()
    del old["hours"][0]["expected_points"], old["method"], old["missing"]
    assert OutlookDocument.from_json(old).peak_probability == 0.7
    assert OutlookDocument.from_json(old | {"of_a_later_version": 1}).missing == ()
    assert OutlookDocument.from_json(
        {"hours": [], "first_alert_lead": None, "explanation": ["silent"]}).peak_lead is None
    assert OutlookDocument.from_json(None) == OutlookDocument()
