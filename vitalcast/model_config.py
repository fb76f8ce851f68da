"""The model configuration: what operators may set, as one JSON object, checked at the door.

    {"members": {"tbats": false, "theta": {"spo2": false}}, "train_every_hours": 12}

switches TBATS off, Theta off for SpO2 alone, and trains twice a day. What is not named keeps its
default; an unknown key, member or vital is refused with the list of those that exist. Nothing is
coerced ("1" is no number, 1 no switch), and a key given twice is refused.

A series is trained anew at once when what its training depends on has changed: members, engines,
seasons, horizon, window (`training_hash`), and when a release writes documents of another version.
The rest only says when, or is about forecasts.
"""

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from clinical.vitals import FORECAST_VITALS, Vital
from forecasting.config import (
    DEFAULT_MEMBERS,
    ENGINES,
    KNOWN_MEMBERS,
    MAX_HORIZON,
    EngineConfig,
    least_hours,
    unknown_member,
)
from forecasting.detectors.charts import THRESHOLDS, Kind
from forecasting.documents import VERSION
from forecasting.policy import Policy
from forecasting.types import ConfigError
from vitalcast.errors import ConfigInvalid

Switch = bool | dict[Vital, bool]
Threshold = Annotated[float, Field(gt=0, le=1e6)]


class ModelConfig(BaseModel):
    """One version of the model configuration; frozen, and named by the hash of its content."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    members: Annotated[dict[str, Switch], Field(
        description="member on or off, for all vitals or per vital")] = {}
    engines: Annotated[dict[str, str], Field(
        description="engine of a member where it is not the default (native wherever there is "
                    "one); statsforecast fits with that library, some seconds a series")] = {}
    window_hours: Annotated[int, Field(
        ge=24, le=2016, description="hours of history a model is fitted to")] = 336
    seasons: Annotated[tuple[int, ...], Field(
        min_length=1,
        description="season lengths in hours, rising; [1] for none; with [24, 168] native members "
                    "know the week, from windows of 456 h or more")] = (24,)
    horizon_hours: Annotated[int, Field(
        ge=1, le=MAX_HORIZON, description="hours forecast ahead")] = 24
    train_every_hours: Annotated[int, Field(
        ge=1, le=24 * 31,
        description="training of a series is due so long after its last: parameters are fitted "
                    "again from the earlier ones; at most window_hours")] = 24
    search_every_hours: Annotated[int, Field(
        ge=1, le=24 * 366,
        description="a training searches the structure of a model too (orders, trend, rhythm) "
                    "when the last search is so long ago; 1 for every training")] = 168
    drift_ratio: Annotated[float, Field(
        ge=1, le=100,
        description="a training searches the structure too when the errors one hour ahead of the "
                    "last day have grown to so many times what they were at the fit")] = 2.0
    drift: Annotated[dict[Kind, Threshold], Field(
        description="threshold of a kind of drift where it is not the default: standard errors, "
                    "for unit and skew deviations of the training window; a large number is "
                    "never")] = {}
    watch_every_hours: Annotated[int, Field(
        ge=1, le=24,
        description="each patient's series are looked at for drift so often, by a share of the "
                    "patients every hour; for a changed unit every hour")] = 6
    stale_after_hours: Annotated[int, Field(
        ge=1, le=2016, description="hours without a reading after which nothing is forecast")] = 72
    fit_timeout_s: Annotated[float, Field(
        gt=0, le=3600,
        description="time limit of one fit by statsforecast; native fits are bounded by their "
                    "number of steps")] = 60.0
    alert_threshold: Annotated[float, Field(
        gt=0, lt=1, description="P(NEWS2 ≥ 5) from which an hour counts as an alert")] = 0.3

    @field_validator("members")
    @classmethod
    def _known(cls, members: dict[str, Switch]) -> dict[str, Switch]:
        for member in members:
            if member not in KNOWN_MEMBERS:
                raise ValueError(unknown_member(member))
        return members

    @model_validator(mode="after")
    def _window_holds_two_seasons(self) -> "ModelConfig":
        if self.window_hours < 2 * self.seasons[0]:
            raise ValueError(
                f"window_hours must be at least twice the first of seasons: {2 * self.seasons[0]}"
                f" for {self.seasons[0]} h, not {self.window_hours}")
        return self

    @model_validator(mode="after")
    def _window_shows_the_long_season(self) -> "ModelConfig":
        held_back, least = EngineConfig().calibration_hours, least_hours(self.seasons)
        native = {self.engines.get(member, ENGINES[member][0]) for member in self.members_on()}
        if least and native == {"native"} and self.window_hours < least + held_back:
            raise ValueError(
                f"window_hours must be at least {least + held_back} for seasons "
                f"{list(self.seasons)}, not {self.window_hours}: a shorter window does not show "
                f"what {self.seasons[1]} h add, and nothing of it would be learned")
        return self

    @model_validator(mode="after")
    def _models_reach_into_the_window(self) -> "ModelConfig":
        if self.train_every_hours > self.window_hours:
            raise ValueError(
                f"train_every_hours must not exceed window_hours: {self.window_hours} or less, "
                f"not {self.train_every_hours}; an older model could not be moved on to now")
        return self

    def is_on(self, member: str, vital: Vital) -> bool:
        """Whether a member is switched on for a vital."""
        switch = self.members.get(member, member in DEFAULT_MEMBERS)
        return switch.get(vital, member in DEFAULT_MEMBERS) if isinstance(switch, dict) else switch

    def engine_config(self, vital: Vital) -> EngineConfig:
        """What the forecasting room is told about one vital."""
        return EngineConfig(
            members=tuple(member for member in KNOWN_MEMBERS if self.is_on(member, vital)),
            engines=self.engines, seasons=self.seasons, horizon=self.horizon_hours,
        )

    def members_on(self) -> tuple[str, ...]:
        """The members that are switched on for any vital."""
        return tuple(name for name in KNOWN_MEMBERS
                     if any(self.is_on(name, vital) for vital in FORECAST_VITALS))

    def switched_off(self, vital: Vital) -> tuple[str, ...]:
        """Default members that the operators switched off for a vital."""
        return tuple(name for name in DEFAULT_MEMBERS if not self.is_on(name, vital))

    def policy(self) -> Policy:
        """When a training searches structures."""
        return Policy(search_every_hours=self.search_every_hours, drift_ratio=self.drift_ratio)

    def thresholds(self) -> dict[Kind, float]:
        """What the score of each kind of drift has to reach."""
        return {**THRESHOLDS, **self.drift}

    def text(self) -> str:
        """Canonical JSON: same content, same text."""
        return _canonical(self.model_dump(mode="json"))

    def hash(self) -> str:
        """SHA-256 (hex) of the canonical JSON."""
        return _sha256(self.text())

    def training_text(self, vital: Vital) -> str:
        """Canonical JSON of what the training of a vital depends on, defaults written out."""
        engine = self.engine_config(vital)
        engines = {member: engine.engine(member) for member in engine.members}
        return _canonical({"window_hours": self.window_hours, "documents": VERSION,
                           "engine": asdict(engine) | {"engines": engines}})

    def training_hash(self, vital: Vital) -> str:
        """SHA-256 (hex) of `training_text`."""
        return _sha256(self.training_text(vital))


def parse_config(text: str) -> ModelConfig:
    """The configuration from its JSON text. ConfigInvalid lists every fault and where it is."""
    with suppress(json.JSONDecodeError):           # told below, in the words of the validation
        json.loads(text, object_pairs_hook=_each_key_once)
    try:
        config = ModelConfig.model_validate_json(text or "{}")
        for vital in FORECAST_VITALS:
            config.engine_config(vital)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the whole'}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigInvalid(f"model configuration refused. {faults}. Settable are "
                            f"{', '.join(ModelConfig.model_fields)}.") from error
    except ConfigError as error:
        raise ConfigInvalid(f"model configuration refused. {error}") from error
    return config


def _canonical(content: dict[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = ", ".join(key for key in found if keys.count(key) > 1)
        raise ConfigInvalid(f"model configuration refused. Given more than once: {twice}")
    return found
