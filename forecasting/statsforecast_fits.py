"""The `statsforecast` engine: its automatic models choose structure and parameters.

Nothing else of the library is used: what it found becomes a document, and our own recursions
forecast and update from there. The library is imported when the first fit asks for it. It cannot
take gaps: for the fit alone they are filled on straight lines, and the number is recorded.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from forecasting.accuracy import interpolate
from forecasting.arima import invertible
from forecasting.types import FitRefused, Fitted, FloatArray, Values

CYCLES = 3
"""Full seasons that a window must hold before a season is fitted."""


def library_versions() -> dict[str, str]:
    """Versions that a document of this engine names."""
    import statsforecast

    return {"statsforecast": str(statsforecast.__version__)}


def fit_arima(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """AutoARIMA by conditional sum of squares, the chosen model by maximum likelihood."""
    from statsforecast.models import AutoARIMA

    m = _season(y, seasons)
    found = run(AutoARIMA(season_length=m, approximation=True), y)
    p, q, seasonal_p, seasonal_q, m, d, seasonal_d = found["arma"]
    coefficients = found["coef"]
    ma, own = invertible(_named(coefficients, "ma", q))
    seasonal_ma, seasonal = invertible(_named(coefficients, "sma", seasonal_q))
    return Fitted(
        structure={"p": p, "d": d, "q": q, "P": seasonal_p, "D": seasonal_d, "Q": seasonal_q,
                   "m": m},
        parameters={
            "ar": _named(coefficients, "ar", p),
            "ma": ma,
            "seasonal_ar": _named(coefficients, "sar", seasonal_p),
            "seasonal_ma": seasonal_ma,
            "mean": float(coefficients.get("intercept", 0.0)),
            "drift": float(coefficients.get("drift", 0.0)),
        },
        state={"a": np.array(found["model"]["a"], dtype=np.float64), "t": int(y.size)},
        sigma2=float(found["sigma2"]) * own * seasonal,
        figures=figures_of(y, "aicc", found["aicc"]),
    )


def fit_ets(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """AutoETS over error, trend and season by corrected AIC."""
    from statsforecast.models import AutoETS

    m = _season(y, seasons)
    found = run(AutoETS(season_length=m if m <= 24 else 1), y)
    return from_ets(found, y)


def from_ets(found: Values, y: FloatArray) -> Fitted:
    """What the library found for one of its ETS models, fitted to `y`."""
    error, trend, season, damped = found["components"]
    alpha, beta, gamma, phi = (float(value) for value in found["par"][:4])
    last = found["states"][-1]
    first_season = 2 if trend != "N" else 1
    return Fitted(
        structure={"error": error, "trend": trend, "season": season, "damped": damped == "D",
                   "m": int(found["m"]) if season != "N" else 1},
        parameters={
            "alpha": alpha,
            "beta": beta if trend != "N" else 0.0,
            "gamma": gamma if season != "N" else 0.0,
            "phi": phi if damped == "D" else 1.0,
        },
        state={
            "level": float(last[0]),
            "trend": float(last[1]) if trend != "N" else 0.0,
            "season": np.array(last[first_season:] if season != "N" else [], dtype=np.float64),
        },
        sigma2=float(np.mean(found["actual_residuals"] ** 2)),
        figures=figures_of(y, "aicc", found["aicc"]),
    )


def fit_theta(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """AutoTheta: the best of four theta models by in-sample error, on adjusted data."""
    from statsforecast.models import AutoTheta

    return from_theta(run(AutoTheta(season_length=_season(y, seasons)), y), y)


def from_theta(found: Values, y: FloatArray) -> Fitted:
    """What the library found for one of its theta models, fitted to `y`."""
    level, mean, a, b, _ = (float(value) for value in found["states"][-1])
    decomposed = bool(found.get("decompose", False))
    pattern = np.roll(found["seas_forecast"]["mean"], y.size) if decomposed else np.zeros(0)
    return Fitted(
        structure={"model": found["modeltype"],
                   "decomposition": found["decomposition_type"] if decomposed else "none"},
        parameters={"alpha": float(found["par"]["alpha"]), "theta": float(found["par"]["theta"]),
                    "pattern": np.array(pattern, dtype=np.float64)},
        state={"level": level, "mean": mean, "a": a, "b": b, "t": int(y.size)},
        sigma2=float(found["mse"]),
        figures=figures_of(y, "mse", found["mse"]),
    )


def fit_tbats(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """AutoTBATS over trend and damping by AIC, without Box-Cox and ARMA errors."""
    from statsforecast.models import AutoTBATS

    usable = usable_seasons(y, seasons)
    if not usable:
        raise FitRefused(f"tbats needs {CYCLES} full seasons of {seasons[0]} h, got {y.size} h")
    found = run(AutoTBATS(season_length=usable, use_boxcox=False, use_arma_errors=False), y)
    return _tbats(found, usable, y)


def _tbats(found: Values, periods: list[int], y: FloatArray) -> Fitted:
    description, optimum = found["description"], [float(value) for value in found["optim_params"]]
    trended, damped = description["use_trend"], description["use_damped_trend"]
    alpha, rest = optimum[0], optimum[1:]
    beta = rest.pop(0) if trended else 0.0
    phi = rest.pop(0) if damped else 1.0
    x, harmonics = found["x"][-1], np.array(found["k_vector"], dtype=np.float64)
    first = 2 if trended else 1
    pairs = [np.split(block, 2) for block in
             np.split(x[first:], np.cumsum(2 * harmonics.astype(int))[:-1])]
    return Fitted(
        structure={"trend": bool(trended), "damped": bool(damped)},
        parameters={
            "alpha": alpha, "beta": beta, "phi": phi, "harmonics": harmonics,
            "periods": np.array(periods, dtype=np.float64),
            "gamma_one": np.array(rest[:len(periods)]),
            "gamma_two": np.array(rest[len(periods):2 * len(periods)]),
        },
        state={
            "level": float(x[0]), "trend": float(x[1]) if trended else 0.0,
            "cos": np.concatenate([cos for cos, _ in pairs]),
            "sin": np.concatenate([sin for _, sin in pairs]),
        },
        sigma2=float(found["sigma2"]),
        figures=figures_of(y, "aic", found["aic"]),
    )


def fit_mstl(y: FloatArray, seasons: tuple[int, ...]) -> Fitted:
    """MSTL with a non-seasonal AutoETS for trend and remainder."""
    from statsforecast.models import MSTL, AutoETS

    usable = usable_seasons(y, seasons, cycles=2)
    if not usable:
        raise FitRefused(f"mstl needs 2 full seasons of {seasons[0]} h, got {y.size} h")
    model = MSTL(season_length=usable, trend_forecaster=AutoETS(model="ZZN"))
    parts = run(model, y)
    names = ["seasonal"] if len(usable) == 1 else [f"seasonal{m}" for m in usable]
    remainder = from_ets(model.trend_forecaster.model_, y)
    return Fitted(
        structure={"remainder": remainder.structure},
        parameters={
            "patterns": {str(m): np.roll(parts[name].to_numpy()[-m:], y.size)
                         for m, name in zip(usable, names, strict=True)},
            "remainder": remainder.parameters,
        },
        state={"t": int(y.size), "remainder": remainder.state},
        sigma2=remainder.sigma2,
        figures=remainder.figures,
    )


FITTERS: dict[str, Callable[[FloatArray, tuple[int, ...]], Fitted]] = {
    "arima": fit_arima, "ets": fit_ets, "theta": fit_theta, "tbats": fit_tbats, "mstl": fit_mstl,
}


def usable_seasons(y: FloatArray, seasons: tuple[int, ...], cycles: int = CYCLES) -> list[int]:
    """Seasons that the window holds often enough; two cycles do for those after the first."""
    return [m for i, m in enumerate(seasons) if m > 1 and y.size >= (cycles if i == 0 else 2) * m]


def _season(y: FloatArray, seasons: tuple[int, ...]) -> int:
    usable = usable_seasons(y, seasons)
    return usable[0] if usable else 1


def run(model: Any, y: FloatArray) -> Any:
    """What a model of the library finds in `y`, whose gaps (NaN) are filled on straight lines."""
    with _library_warnings():
        model.fit(interpolate(y))
    return model.model_


@contextmanager
def _library_warnings() -> Iterator[None]:
    """Silence what the library warns of while it tries candidates; the choice is checked after."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        for category in (RuntimeWarning, UserWarning, DeprecationWarning, FutureWarning):
            warnings.simplefilter("ignore", category)
        yield


def _named(coefficients: Values, name: str, count: int) -> FloatArray:
    return np.array([coefficients[f"{name}{i + 1}"] for i in range(count)], dtype=np.float64)


def figures_of(y: FloatArray, criterion: str, value: float) -> Values:
    """Figures of a fit to `y` for its document."""
    finite = float(value) if np.isfinite(value) else None
    return {"criterion": criterion, "criterion_value": finite, "filled": int(np.isnan(y).sum())}
