"""Eight generated patients over all three providers: who they are and what their devices record.

Everything follows from (seed, patient, day) and the anchor: the clock may move on or the sandbox
restart, and earlier readings stay bit for bit the same. Days are generated when first needed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from clinical.vitals import Vital
from providers.observation import Provider
from providers.sandbox.devices import Day, Gap, record
from providers.sandbox.physiology import (
    RHYTHMS,
    STEP_S,
    STEPS,
    Episode,
    bouts,
    course,
    noise,
    strain,
)
from providers.sandbox.readings import DAY_S, HOUR_S, SERVED, Channel, Readings, Subject, joined

HISTORY_DAYS = 28
SYNC_EVERY_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A patient. Baselines are 24-hour means in the vitals' units; `activity_bpm` scales bouts.

    `slips` are hours after the anchor: the oximeter's next reading is `devices.SLIP` too low.
    """

    subject_id: str
    provider: Provider
    age: int
    story: str
    heart_rate: float
    respiratory_rate: float
    systolic_bp: float
    diastolic_bp: float
    body_temperature: float
    spo2: float
    activity_bpm: float
    episodes: tuple[Episode, ...] = ()
    gaps: tuple[Gap, ...] = ()
    slips: tuple[float, ...] = ()
    every_s: int = 300
    sleep_mat: bool = False

    def baseline(self) -> dict[Vital, float]:
        """The 24-hour mean of each vital."""
        return {vital: getattr(self, vital.value) for vital in RHYTHMS}


PROFILES: tuple[Profile, ...] = (
    Profile(
        subject_id="demo-01", provider=Provider.WITHINGS, age=68,
        story="pneumonia since yesterday: fever, tachycardia, low SpO2, still rising; the oximeter "
              "slips now and then",
        heart_rate=76, respiratory_rate=16, systolic_bp=122, diastolic_bp=74,
        body_temperature=36.7, spo2=96.5, activity_bpm=8,
        episodes=(Episode(start_h=-22, hours=60, fever_c=2.4, desaturation=6.5, ramp_h=16),),
        slips=(-27, -15.5, -8.5)),
    Profile(
        subject_id="demo-02", provider=Provider.WITHINGS, age=54,
        story="treated hypertension, well now; a feverish cold twelve days ago; has a sleep mat",
        heart_rate=71, respiratory_rate=14.5, systolic_bp=146, diastolic_bp=91,
        body_temperature=36.6, spo2=97.2, activity_bpm=12, sleep_mat=True,
        episodes=(Episode(start_h=-296, hours=54, fever_c=1.7, desaturation=1),)),
    Profile(
        subject_id="demo-03", provider=Provider.WITHINGS, age=81,
        story="chronic lung disease: low SpO2 with nightly falls; forgot the devices two days ago",
        heart_rate=82, respiratory_rate=18.5, systolic_bp=133, diastolic_bp=72,
        body_temperature=36.4, spo2=93.6, activity_bpm=5,
        episodes=tuple(Episode(start_h=day * 24 - 8, hours=4, desaturation=4, ramp_h=1)
                       for day in range(-24, 60, 3)),
        gaps=(Gap(start_h=-55, hours=9),)),
    Profile(
        subject_id="demo-04", provider=Provider.GOOGLE_HEALTH, age=45,
        story="healthy and active; takes the watch off now and then",
        heart_rate=62, respiratory_rate=13.5, systolic_bp=118, diastolic_bp=75,
        body_temperature=36.6, spo2=97.5, activity_bpm=32, every_s=120,
        gaps=(Gap(start_h=-170, hours=14), Gap(start_h=-64, hours=5))),
    Profile(
        subject_id="demo-05", provider=Provider.GOOGLE_HEALTH, age=36,
        story="influenza three days ago, recovering",
        heart_rate=68, respiratory_rate=14.5, systolic_bp=121, diastolic_bp=78,
        body_temperature=36.7, spo2=97, activity_bpm=18,
        episodes=(Episode(start_h=-80, hours=66, fever_c=2.0, desaturation=2, ramp_h=10),)),
    Profile(
        subject_id="demo-06", provider=Provider.GOOGLE_HEALTH, age=15,
        story="healthy and under sixteen: scores for adults do not apply",
        heart_rate=74, respiratory_rate=16, systolic_bp=112, diastolic_bp=68,
        body_temperature=36.7, spo2=98, activity_bpm=35),
    Profile(
        subject_id="demo-07", provider=Provider.OURA, age=29,
        story="healthy",
        heart_rate=58, respiratory_rate=14, systolic_bp=112, diastolic_bp=70,
        body_temperature=36.5, spo2=97.6, activity_bpm=24),
    Profile(
        subject_id="demo-08", provider=Provider.OURA, age=61,
        story="mild illness; the ring has not been synced for ten hours, until six from now",
        heart_rate=69, respiratory_rate=15.5, systolic_bp=131, diastolic_bp=82,
        body_temperature=36.6, spo2=95.8, activity_bpm=14,
        episodes=(Episode(start_h=-40, hours=50, fever_c=1.1, desaturation=1, ramp_h=8),),
        gaps=(Gap(start_h=-10, hours=16, synced_late=True),)),
)


class Patient:
    """A generated subject; days are appended as the clock reaches them."""

    def __init__(self, profile: Profile, *, seed: int, number: int, anchor: int) -> None:
        self.profile = profile
        self.subject_id = profile.subject_id
        self.provider = profile.provider
        self.birth_date: date | None = date(
            datetime.fromtimestamp(anchor, UTC).year - profile.age, 1, 15)
        self._anchor = anchor
        self._start = (anchor // DAY_S - HISTORY_DAYS) * DAY_S
        self._key = (seed, number)
        self._noise = dict.fromkeys(RHYTHMS, 0.0)
        self._days: list[dict[Channel, Readings]] = []
        self._joined: dict[Channel, Readings] = {}

    @property
    def channels(self) -> frozenset[Channel]:
        """Every channel the vendor can carry; the sleep mat's only where there is a mat."""
        served = frozenset(SERVED[self.provider])
        if self.provider is not Provider.WITHINGS or self.profile.sleep_mat:
            return served
        return served - {Channel.MAT_HEART_RATE, Channel.MAT_RESPIRATORY_RATE, Channel.NIGHT_START}

    def readings(self, channel: Channel, now: int) -> Readings:
        """Every reading up to the end of `now`'s day."""
        self._extend(now)
        if channel not in self._joined:
            self._joined[channel] = joined([day[channel] for day in self._days if channel in day])
        return self._joined[channel]

    def last_sync(self, now: int) -> int | None:
        """The last quarter of an hour; while unsynced, the gap's beginning."""
        if now < self._start:
            return None
        for gap in self.profile.gaps:
            if gap.synced_late and gap.holds(np.array([now]), self._anchor)[0]:
                return gap.start(self._anchor)
        return now // SYNC_EVERY_S * SYNC_EVERY_S

    def _extend(self, now: int) -> None:
        while self._start + len(self._days) * DAY_S <= now:
            self._days.append(self._day(len(self._days)))
            self._joined.clear()

    def _day(self, index: int) -> dict[Channel, Readings]:
        rng = np.random.default_rng((*self._key, index))
        start = self._start + index * DAY_S
        grid = start + np.arange(STEPS, dtype=np.int64) * STEP_S
        load = strain((grid - self._anchor) / HOUR_S, self.profile.episodes,
                      bouts(rng, self.profile.activity_bpm))
        noises = {vital: noise(rng, rhythm, self._noise[vital])
                  for vital, rhythm in RHYTHMS.items()}
        self._noise = {vital: float(path[-1]) for vital, path in noises.items()}
        day = Day(rng=rng, start=start, anchor=self._anchor, grid=grid, fever_c=load.fever_c,
                  course=course(self.profile.baseline(), load, noises), gaps=self.profile.gaps,
                  slips=self.profile.slips, every_s=self.profile.every_s,
                  sleep_mat=self.profile.sleep_mat)
        return record(self.provider, day)


def cohort(seed: int) -> Callable[[int], Sequence[Subject]]:
    """The eight patients; the result gives them for an anchor (cut to its full hour)."""
    return lambda anchor: [
        Patient(profile, seed=seed, number=number, anchor=anchor // HOUR_S * HOUR_S)
        for number, profile in enumerate(PROFILES)
    ]
