"""Models of statsforecast by class name: what we keep of them says what the library says."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from forecasting import library
from forecasting.config import LIBRARY, REFUSED, EngineConfig
from forecasting.documents import dumps, loads
from forecasting.members import fit, forecast, update
from forecasting.provenance import Provenance
from forecasting.recursions import MEMBERS
from forecasting.statsforecast_fits import run
from forecasting.types import ConfigError, FitRefused, Fitted, FloatArray
from tests.reference import series

CONFIG = EngineConfig(members=LIBRARY)
MADE_BY = Provenance(code_version="test")
DAMPED = ("HoltWinters",)
"""From its second hour on the library adds a damped trend with one power of φ too few."""


def said_by_the_library(name: str, y: FloatArray, horizon: int, **arguments: Any) -> FloatArray:
    from statsforecast import models

    if name in ("AutoCES", "HoltWinters", "SeasonalExponentialSmoothingOptimized") or (
            name.endswith("Theta")):
        arguments["season_length"] = 24
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fitted = getattr(models, name)(**arguments).fit(y)
    return np.asarray(fitted.predict(horizon)["mean"])


def at(model: Fitted, state: dict[str, Any]) -> Fitted:
    return replace(model, state=state)


@pytest.mark.parametrize("hours", [168, 175])
@pytest.mark.parametrize("name", LIBRARY)
def test_at_the_moment_of_the_fit_we_say_what_the_library_says(name: str, hours: int) -> None:
    y = series.rhythm(hours)
    ours = MEMBERS[name].path(library.FITTERS[name](y, (24,)), 50)
    np.testing.assert_allclose(ours, said_by_the_library(name, y, 50),
                               rtol=1e-3 if name in DAMPED else 1e-12)


@pytest.mark.parametrize("form", "NSPF")
def test_every_form_of_complex_smoothing_is_held(form: str,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    made = library._made
    monkeypatch.setattr(library, "_made", lambda name, **given: made(name, model=form, **given))
    y = series.rhythm(170)
    fitted = library.fit_ces(y, (24,))
    assert fitted.structure["season"] == form
    np.testing.assert_allclose(MEMBERS["AutoCES"].path(fitted, 50),
                               said_by_the_library("AutoCES", y, 50, model=form), rtol=1e-12)


@pytest.mark.parametrize("name", LIBRARY)
def test_a_document_forecasts_the_same_in_its_json_form_and_after_an_update(name: str) -> None:
    y = series.rhythm(240, gaps=0.1)
    document = fit(name, y, start=series.START, config=CONFIG, provenance=MADE_BY)
    again = loads(dumps(document))
    assert dumps(again) == dumps(document)
    since = np.array([75.0, np.nan, 71.0])
    for one, other in ((document, again), (update(document, since), update(again, since))):
        assert forecast(one, 24).tobytes() == forecast(other, 24).tobytes()


@pytest.mark.parametrize("name", LIBRARY)
def test_hours_one_by_one_move_a_state_as_all_at_once(name: str) -> None:
    fitted, hours = library.FITTERS[name](series.rhythm(170), (24,)), series.rhythm(40, gaps=0.2)
    once = at(fitted, MEMBERS[name].advance(fitted, hours))
    piecewise = fitted
    for hour in hours:
        piecewise = at(piecewise, MEMBERS[name].advance(piecewise, np.array([hour])))
    assert MEMBERS[name].path(once, 24).tobytes() == MEMBERS[name].path(piecewise, 24).tobytes()


@pytest.mark.parametrize("form", "NSPF")
def test_complex_smoothing_moves_as_the_library_filters(form: str) -> None:
    y = series.rhythm(192)
    found = run(library._made("AutoCES", season_length=24, model=form), y)
    whole = library.from_ces(found, y)
    early = at(whole, library.ces_state(found, 100))
    np.testing.assert_allclose(
        MEMBERS["AutoCES"].path(at(whole, MEMBERS["AutoCES"].advance(early, y[100:])), 24),
        MEMBERS["AutoCES"].path(whole, 24), rtol=1e-9)


def test_hours_of_the_day_move_as_the_library_smooths_them() -> None:
    name, y = "SeasonalExponentialSmoothingOptimized", series.rhythm(195)
    whole = library.FITTERS[name](y, (24,))       # begins after the 3 hours before whole days
    early = at(whole, {"ring": np.roll(y[3:27], 3), "t": 27})
    np.testing.assert_allclose(
        MEMBERS[name].path(at(whole, MEMBERS[name].advance(early, y[27:])), 24),
        MEMBERS[name].path(whole, 24), rtol=1e-12)


@pytest.mark.parametrize("name", ["HistoricAverage", "RandomWalkWithDrift"])
def test_models_without_parameters_move_as_if_fitted_anew(name: str) -> None:
    y = series.rhythm(192)
    part = library.FITTERS[name](y[:150], (24,))
    np.testing.assert_allclose(
        MEMBERS[name].path(at(part, MEMBERS[name].advance(part, y[150:])), 24),
        MEMBERS[name].path(library.FITTERS[name](y, (24,)), 24), rtol=1e-12)


def test_without_enough_seasons_a_seasonal_model_is_refused_and_others_go_without() -> None:
    y = series.rhythm(60)
    for name in ("HoltWinters", "SeasonalExponentialSmoothingOptimized"):
        with pytest.raises(FitRefused, match="3 full seasons"):
            library.FITTERS[name](y, (24,))
    assert library.FITTERS["AutoCES"](y, (24,)).structure["season"] == "N"


def test_every_model_of_the_library_is_offered_or_refused_with_a_reason() -> None:
    from statsforecast import models

    assert not set(LIBRARY) & set(REFUSED)
    assert {*LIBRARY, *REFUSED} == set(models.__all__)


def test_a_refusal_names_those_that_can_be_members() -> None:
    with pytest.raises(ConfigError, match=r"'GARCH'.*drawn at random.*AutoCES, Holt"):
        EngineConfig(members=("GARCH",))
