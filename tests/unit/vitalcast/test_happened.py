"""What a job did, as events: counted by sort, a few told one by one, each reason a word."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.documents import Document
from forecasting.fitting import NOT_FINITE
from forecasting.kernels.search import NO_FIT, REASONS
from forecasting.members import fit
from forecasting.policy import DRIFT_FOUND, NO_EARLIER, REFIT, SEARCH, Plan
from forecasting.provenance import Provenance
from forecasting.training import Outcome, TrainedSeries
from registry.event_words import OTHER
from registry.events import Event
from registry.fetch_ledger import Troubled
from registry.forecasts import ForecastRow
from vitalcast.jobs.forecast import NO_MODEL, silence
from vitalcast.jobs.happened import (
    MOST_LISTED,
    Lacks,
    Searches,
    count_lacks,
    count_searches,
    fetch_events,
    fit_events,
    incomplete_counts,
    lack_events,
    missing_counts,
    search_events,
)
from vitalcast.jobs.trained import Training
from vitalcast.model_config import ModelConfig

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DOCUMENT: Document = fit(
    "last_value", 70 + np.sin(np.arange(240.0)), start=NOON - timedelta(hours=240),
    config=EngineConfig(members=("last_value",)), provenance=Provenance(code_version="test"))


def training(patient: str, status: Any, reason: str = "", *, plan: Plan | None = None,
             made_by: Any = SEARCH) -> Training:
    """One series of which `arima` ended so."""
    outcome = Outcome(status=status, reason=reason, made_by=made_by, cpu_seconds=0.1,
                      document=DOCUMENT if status == "fitted" else None)
    made = TrainedSeries(members={}, outcomes={"arima": outcome}, ensemble=None, reason="")
    return Training(patient_id=patient, vital="spo2", cutoff=NOON, config_hash="c",
                    switched_off=(), earlier={}, plans={"arima": plan or Plan(made_by=SEARCH)},
                    library={}, made=made)


def told(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.kind == kind]


def test_failed_fits_are_counted_and_a_few_of_them_told() -> None:
    block = [training(f"p{number}", "failed", REASONS[NO_FIT]) for number in range(12)]
    events = fit_events([*block, training("p", "timeout", "not finished after 60 s"),
                         training("q", "fitted"), training("r", "too_little_data", "little")])
    assert {(one.reason, one.data["count"], one.data["listed"])
            for one in told(events, "fits.ended")} == {
                ("no_structure", 12, MOST_LISTED), ("timeout", 1, 1)}
    assert len(told(events, "fit.ended")) == MOST_LISTED + 1
    assert told(events, "fit.ended")[0].series == ("p0", "spo2")


def test_an_exception_in_a_fit_has_a_fingerprint_and_no_message() -> None:
    one, other, third = (told(fit_events([training("p", "failed", reason)]), "fit.ended")[0]
                         for reason in ("LinAlgError: 71.5 of p", "LinAlgError: 93.0 of q",
                                        "KeyError: p"))
    assert one.reason == "exception"
    assert one.fault and other.fault and third.fault
    assert one.fault.fingerprint == other.fault.fingerprint != third.fault.fingerprint
    assert "71.5" not in str(one.fault)


def test_the_same_block_is_told_once_and_another_by_itself() -> None:
    one, again, other = ({event.once for event in fit_events([training(name, "failed")])
                          if event.kind == "fits.ended"} for name in ("p", "p", "q"))
    assert one == again != other


def test_a_refit_that_became_a_search_is_a_fallback() -> None:
    reason = f"refit failed: {NOT_FINITE}; structure searched"
    one = training("p", "fitted", reason, plan=Plan(made_by=REFIT))
    (event,) = fit_events([one, replace(one, patient_id="q")])
    assert (event.kind, event.reason, event.data) == ("fits.fallback", "not_finite", {"count": 2})


def test_searches_are_counted_by_why_they_were_planned() -> None:
    counts: Searches = {}
    planned = [NO_EARLIER, NO_EARLIER, DRIFT_FOUND + "level", "the structure is 168 h old or older",
               "the last fit failed", "the last fit hit its cap", "the errors have drifted",
               "the configuration has changed", "its document cannot be read: no JSON"]
    count_searches([training("p", "fitted", plan=Plan(made_by=SEARCH, why=why))
                    for why in planned], counts)
    count_searches([training("p", "failed", plan=Plan(made_by=SEARCH, why=NO_EARLIER)),
                    training("p", "fitted", plan=Plan(made_by=REFIT))], counts)
    assert counts == {"arima": {
        "no_earlier": 2, "drift_found": 1, "age": 1, "last_failed": 1, "capped": 1,
        "errors_drifted": 1, "configuration": 1, "unreadable": 1}}
    assert len(search_events(counts)) == 8


def test_series_without_a_forecast_are_counted_by_reason() -> None:
    config, lacks = ModelConfig(), Lacks()
    rows = [ForecastRow(patient_id="p", vital="spo2", cutoff=NOON, horizon=24, bounds={},
                        members={}, absent=absent, reason=reason)
            for reason, absent in [
                (silence(config), {}), (NO_MODEL, {}), (NO_MODEL, {}),
                ("no member could be used: arima: gone", {}),
                (None, {"tbats": "its document cannot be read: no JSON", "ets": "switched off"})]]
    count_lacks(rows, lacks)
    found = lack_events(lacks)
    assert {(one.kind, one.member, one.reason, one.data["count"]) for one in found} == {
        ("forecasts.missing", None, "silent", 1), ("forecasts.missing", None, "no_model", 2),
        ("forecasts.missing", None, "no_member", 1),
        ("models.unreadable", "tbats", "unreadable", 1)}
    assert missing_counts(lacks) == {"silent": 1, "no_model": 2, "no_member": 1}


@pytest.mark.parametrize(("reason", "word"), [("transport", "transport"), ("new word", OTHER)])
def test_fetches_are_told_by_vendor_and_reason_and_refused_records_by_vendor(
        reason: str, word: str) -> None:
    found = [
        Troubled(provider="oura", outcome="fetch_failed", reason=reason, http_status=503,
                 fetches=7, refused=0),
        Troubled(provider="oura", outcome="complete", reason="", http_status=200, fetches=4,
                 refused=9)]
    assert incomplete_counts(found) == {f"oura: {word}": 7}
    assert [(one.kind, one.reason, one.data) for one in fetch_events(found)] == [
        ("fetches.ended", word, {"count": 7, "outcome": "fetch_failed", "http_status": 503}),
        ("records.refused", None, {"count": 9})]
