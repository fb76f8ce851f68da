"""Models are compared with the last day, as far as their parameters have not seen it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from forecasting.config import EngineConfig
from forecasting.documents import Document, hour_text
from forecasting.drift import drifted
from forecasting.members import fit, forecast, refit, update
from forecasting.panel import Panel
from forecasting.policy import Policy
from forecasting.provenance import Provenance
from forecasting.types import FloatArray

CONFIG = EngineConfig(members=("theta",))
MADE_BY = Provenance(code_version="test")
START = datetime(2026, 3, 1, tzinfo=UTC)
N, SINCE = 240, 24
NOISE = np.random.default_rng(5).normal(0, 1, N + SINCE)


@pytest.fixture(scope="module")
def document() -> Document:
    return fit("theta", 70 + NOISE[:N], start=START, config=CONFIG, provenance=MADE_BY)


def panel(*series: FloatArray) -> Panel:
    """The window a day later; `series` are the hours since the fit."""
    return Panel(start=START + timedelta(hours=SINCE), vital=None, config=CONFIG, y=np.array([
        np.concatenate([70 + NOISE[SINCE:N], since]) for since in series]))


def test_errors_beyond_the_ratio_are_drift(document: Document) -> None:
    usual = 70 + NOISE[N:]
    wild = 70 + 6 * NOISE[N:]
    found = drifted(panel(usual, wild), "theta", {0: document, 1: document}, Policy())
    assert found == {1}
    assert drifted(panel(usual, wild), "theta", {0: document, 1: document},
                   Policy(drift_ratio=20)) == set()


def test_errors_are_those_of_one_hour_ahead(document: Document) -> None:
    since = 70 + 2.5 * NOISE[N:]
    errors = [since[hour] - forecast(update(document, since[:hour]), 1)[0]
              for hour in range(SINCE)]
    ratio = float(np.sqrt(np.mean(np.square(errors)) / document.sigma2))
    for factor, expected in ((0.999, {0}), (1.001, set())):
        policy = Policy(drift_ratio=ratio * factor)
        assert drifted(panel(since), "theta", {0: document}, policy) == expected


@pytest.mark.parametrize("known", [5, 6])
def test_few_hours_tell_nothing(document: Document, known: int) -> None:
    since = np.full(SINCE, np.nan)
    since[-known:] = 170
    assert drifted(panel(since), "theta", {0: document}, Policy()) == ({0} if known > 5 else set())


def test_a_document_from_before_the_window_tells_nothing(document: Document) -> None:
    late = Panel(start=START + timedelta(hours=N + 1), vital=None, config=CONFIG,
                 y=np.full((1, N), 170.0))
    assert drifted(late, "theta", {0: document}, Policy()) == set()


def trained_hourly(y: FloatArray, searched: timedelta) -> Document:
    """The document of an hour ago, a refit; its structure was searched so long before the end."""
    searched_at = START + timedelta(hours=y.size) - searched
    first = fit("theta", y[:N], start=START, config=CONFIG, provenance=MADE_BY)
    last = refit(first, y[SINCE - 1:-1], start=START + timedelta(hours=SINCE - 1), config=CONFIG,
                 provenance=MADE_BY, document_id="first")
    return replace(last, figures={**last.figures, "searched_at": hour_text(searched_at)})


@pytest.mark.parametrize(("growth", "expected"), [(6, {0}), (1, set())])
def test_training_every_hour_sees_drift_too(growth: float, expected: set[int]) -> None:
    since = 70 + growth * NOISE[N:]
    document = trained_hourly(np.concatenate([70 + NOISE[:N], since]), timedelta(hours=SINCE))
    assert document.grid.cutoff == panel(since).end - timedelta(hours=1)
    assert drifted(panel(since), "theta", {0: document}, Policy()) == expected


def test_a_structure_searched_today_is_not_searched_again() -> None:
    since = 70 + 6 * NOISE[N:]
    document = trained_hourly(np.concatenate([70 + NOISE[:N], since]), timedelta(hours=SINCE - 1))
    assert drifted(panel(since), "theta", {0: document}, Policy()) == set()
