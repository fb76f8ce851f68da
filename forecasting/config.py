"""What the engine is told: members, their engines, seasons, horizon and levels."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from forecasting.types import ConfigError

HEAVY = ("arima", "ets", "theta", "tbats")
LIBRARY = (
    "AutoCES", "Holt", "HoltWinters", "SimpleExponentialSmoothingOptimized",
    "SeasonalExponentialSmoothingOptimized", "Theta", "OptimizedTheta", "DynamicTheta",
    "DynamicOptimizedTheta", "RandomWalkWithDrift", "HistoricAverage",
)
"""Other models of statsforecast that can be members, under the name of their class."""

SELECTABLE = ("mstl", *LIBRARY)
BASELINES = ("seasonal_naive", "hour_of_day", "mean_of_last_day", "last_value")
LIGHT = ("profile", "revert", *BASELINES)
KNOWN_MEMBERS = (*HEAVY, *SELECTABLE, *LIGHT)
DEFAULT_MEMBERS = (*HEAVY, *LIGHT)

ENGINES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(HEAVY, ("native", "statsforecast")),
    **dict.fromkeys(SELECTABLE, ("statsforecast",)),
    **dict.fromkeys(LIGHT, ("native",)),
}
"""Engines that can fit each member; the first is the default."""

_OWN_NAME = "it is the member {!r}, with the engine 'statsforecast'"
_OBJECT = "what it fits is a program object, which a document cannot hold"
_ARGUMENTS = "it needs arguments that a configuration does not give"
_DEMAND = "it is made for counts of seldom demand, not for a vital"
_CONSTANT = "it says the same whatever was measured"

REFUSED: dict[str, str] = {
    "AutoARIMA": _OWN_NAME.format("arima"), "AutoETS": _OWN_NAME.format("ets"),
    "AutoTheta": _OWN_NAME.format("theta"), "AutoTBATS": _OWN_NAME.format("tbats"),
    "MSTL": _OWN_NAME.format("mstl"), "Naive": "it is the member 'last_value'",
    "SeasonalNaive": "it is the member 'seasonal_naive'",
    **dict.fromkeys(("AutoMFLES", "MFLES", "SklearnModel", "UCM"), _OBJECT),
    **dict.fromkeys(("ARIMA", "AutoRegressive", "SimpleExponentialSmoothing",
                     "SeasonalExponentialSmoothing", "WindowAverage",
                     "SeasonalWindowAverage"), _ARGUMENTS),
    **dict.fromkeys(("ADIDA", "CrostonClassic", "CrostonOptimized", "CrostonSBA", "IMAPA", "TSB"),
                    _DEMAND),
    **dict.fromkeys(("ConstantModel", "ZeroModel", "NaNModel"), _CONSTANT),
    "TBATS": "its Box-Cox transform and ARMA errors are not in our recursion; 'tbats' searches",
    "ConformalSeasonalPool": "it keeps the whole history and draws from it at random",
    **dict.fromkeys(("GARCH", "ARCH"), "its forecasts are drawn at random"),
}
"""Models of statsforecast that cannot be members, and why."""

BUCKETS: dict[str, tuple[int, int]] = {
    "1": (1, 1), "2-6": (2, 6), "7-12": (7, 12), "13-24": (13, 24),
}
"""Horizon buckets, first and last lead in hours; leads beyond the last bucket use it too."""

MAX_HORIZON = 24 * 28
MAX_SEASON = 24 * 14
MAX_CALIBRATION = 24 * 7
"""More would let a light member's week depend on the longest history in its panel (`weekly`)."""

LONG_SEASONS = 2
"""So many changes by hour of a long season it takes, on the average, to learn what it adds."""


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """Configuration of one vital's engine; ConfigError says what to change.

    `engines` names the engine of a member where it is not the default. `seasons` are hours, 1 for
    none. `calibration_hours` is the end of the window that parameters of the heavy members do not
    see: errors there weigh the members and calibrate the intervals (shorter windows hold back a
    third). `min_observed` is how many observed hours a heavy member asks for. `shrinkage` is the
    weight of the prior, in rolling origins, against the series' own errors.
    """

    members: tuple[str, ...] = DEFAULT_MEMBERS
    engines: Mapping[str, str] = field(default_factory=dict, hash=False)
    seasons: tuple[int, ...] = (24,)
    horizon: int = 24
    levels: tuple[int, ...] = (50, 80, 95)
    calibration_hours: int = 96
    min_observed: int = 30
    shrinkage: float = 30.0

    def __post_init__(self) -> None:
        self._check_members()
        self._check_engines()
        _check_whole("horizon", self.horizon, 1, MAX_HORIZON)
        _check_whole("calibration_hours", self.calibration_hours, 0, MAX_CALIBRATION)
        _check_whole("min_observed", self.min_observed, 8, 24 * 60)
        _check_ascending("seasons", self.seasons, 1, MAX_SEASON)
        _check_ascending("levels", self.levels, 1, 99)
        if not 0 <= self.shrinkage < float("inf"):
            raise ConfigError(f"shrinkage must be 0 or more and finite, not {self.shrinkage}")

    @property
    def season(self) -> int:
        """The first season: the day, for members that know only one."""
        return self.seasons[0]

    def engine(self, member: str) -> str:
        """Engine that fits `member`."""
        return self.engines.get(member, ENGINES[member][0])

    def _check_members(self) -> None:
        if not self.members:
            raise ConfigError(f"no members: name at least one of {', '.join(KNOWN_MEMBERS)}")
        for member in self.members:
            if member not in KNOWN_MEMBERS:
                raise ConfigError(unknown_member(member))
        if len(set(self.members)) != len(self.members):
            raise ConfigError(f"members are named twice: {', '.join(self.members)}")

    def _check_engines(self) -> None:
        for member, engine in self.engines.items():
            if engine not in ENGINES.get(member, ()):
                raise ConfigError(
                    f"member {member!r} has no engine {engine!r}:"
                    f" choose of {', '.join(ENGINES.get(member, ())) or 'a known member'}"
                )


def unknown_member(name: str) -> str:
    """Why there is no member of this name, and which there are."""
    if name in REFUSED:
        return (f"the model {name!r} of statsforecast cannot be a member: {REFUSED[name]}."
                f" Those that can are {', '.join(LIBRARY)}")
    return f"there is no member {name!r}: known are {', '.join(KNOWN_MEMBERS)}"


def _check_whole(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ConfigError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def _check_ascending(name: str, values: tuple[int, ...], low: int, high: int) -> None:
    if not values:
        raise ConfigError(f"{name} is empty: give at least one")
    for value in values:
        _check_whole(f"each of {name}", value, low, high)
    if list(values) != sorted(set(values)):
        raise ConfigError(f"{name} must rise and not repeat, not {', '.join(map(str, values))}")


def long_season(seasons: tuple[int, ...]) -> int:
    """The second season, where it is whole multiples of the first; 0 for none."""
    if len(seasons) < 2 or seasons[0] < 2 or seasons[1] % seasons[0]:
        return 0
    return seasons[1]


def least_hours(seasons: tuple[int, ...]) -> int:
    """How many hours, all observed, a fit must see to learn the long season; 0 without one."""
    season = long_season(seasons)
    return LONG_SEASONS * season + seasons[0] if season else 0


def config_hash(config: EngineConfig) -> str:
    """SHA-256 (hex) of the configuration's canonical JSON."""
    text = json.dumps(asdict(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
