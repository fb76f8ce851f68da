"""The course of six vitals over a day: documented, seeded, the same for the same arguments.

A vital is its baseline, a daily rhythm, autocorrelated noise and what illness adds:

- daily rhythm: a cosine; temperature peaks at 17 h, the others at 15 h; blood pressure so dips
  by about a tenth at night, as in healthy sleepers;
- noise: AR(1) on a grid of five minutes, carried over midnight, with a time constant per vital;
- fever (°C above baseline) raises the heart rate by 9 /min per °C (Liebermeister's rule says 8 to
  10), respiration by 1.8 /min per °C, and lowers blood pressure;
- desaturation (points of SpO2) raises heart and respiratory rate;
- activity raises heart and respiratory rate and systolic pressure in bouts between 8 and 21 h.

Constants without a named source are design values chosen to look plausible, nothing more.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from clinical.vitals import Vital
from providers.sandbox.readings import DAY_S, HOUR_S, FloatArray

STEP_S = 300
STEPS = DAY_S // STEP_S

HR_PER_C, RR_PER_C, SBP_PER_C, DBP_PER_C = 9.0, 1.8, -4.5, -2.5
HR_PER_POINT, RR_PER_POINT = 1.2, 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Daily `amplitude` and `noise_sd` in the vital's unit; `noise_h` is the time constant."""

    amplitude: float
    peak_hour: float
    noise_sd: float
    noise_h: float


RHYTHMS: dict[Vital, Rhythm] = {
    Vital.HEART_RATE: Rhythm(amplitude=7, peak_hour=15, noise_sd=4, noise_h=1.5),
    Vital.RESPIRATORY_RATE: Rhythm(amplitude=0.9, peak_hour=15, noise_sd=0.9, noise_h=2),
    Vital.SYSTOLIC_BP: Rhythm(amplitude=8, peak_hour=15, noise_sd=5, noise_h=3),
    Vital.DIASTOLIC_BP: Rhythm(amplitude=5, peak_hour=15, noise_sd=3, noise_h=3),
    Vital.BODY_TEMPERATURE: Rhythm(amplitude=0.25, peak_hour=17, noise_sd=0.1, noise_h=6),
    Vital.SPO2: Rhythm(amplitude=0.4, peak_hour=15, noise_sd=0.6, noise_h=1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An illness: begins `start_h` hours after the anchor (negative: before), lasts `hours`.

    It rises and falls over `ramp_h` hours; the figures are those of its height.
    """

    start_h: float
    hours: float
    fever_c: float = 0
    desaturation: float = 0
    ramp_h: float = 6

    def strength(self, hours: FloatArray) -> FloatArray:
        """0 to 1 at each of `hours` after the anchor, by smoothstep."""
        rise = (hours - self.start_h) / self.ramp_h
        fall = (self.start_h + self.hours - hours) / self.ramp_h
        x = np.clip(np.minimum(rise, fall), 0, 1)
        smooth: FloatArray = x * x * (3 - 2 * x)
        return smooth


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """Illness and activity on the day's grid, each of shape (STEPS,)."""

    fever_c: FloatArray
    desaturation: FloatArray
    activity_bpm: FloatArray


def strain(hours: FloatArray, episodes: tuple[Episode, ...], activity: FloatArray) -> Strain:
    """What the episodes do at `hours` after the anchor."""
    fever, points = np.zeros_like(hours), np.zeros_like(hours)
    for episode in episodes:
        strength = episode.strength(hours)
        fever += episode.fever_c * strength
        points += episode.desaturation * strength
    rested = 1 - np.clip(fever, 0, 1)  # who has a fever of 1 °C or more stays in bed
    return Strain(fever_c=fever, desaturation=points, activity_bpm=activity * rested)


def bouts(rng: np.random.Generator, bpm: float) -> FloatArray:
    """Extra heart rate from two to five bouts of activity, shape (STEPS,)."""
    hour = np.arange(STEPS) * STEP_S / HOUR_S
    extra = np.zeros(STEPS)
    for _ in range(int(rng.integers(2, 6))):
        centre, width, height = rng.uniform(8, 21), rng.uniform(0.2, 0.6), rng.uniform(0.5, 1.5)
        extra += bpm * height * np.exp(-(((hour - centre) / width) ** 2))
    return extra


def noise(rng: np.random.Generator, rhythm: Rhythm, before: float) -> FloatArray:
    """One day of AR(1) noise that goes on from `before`, shape (STEPS,)."""
    keep = math.exp(-STEP_S / (rhythm.noise_h * HOUR_S))
    shocks = rng.normal(0, rhythm.noise_sd * math.sqrt(1 - keep * keep), STEPS)
    path = accumulate(shocks, lambda x, shock: keep * x + shock, initial=before)
    return np.fromiter(path, dtype=np.float64, count=STEPS + 1)[1:]


def course(baseline: Mapping[Vital, float], load: Strain,
           noises: Mapping[Vital, FloatArray]) -> dict[Vital, FloatArray]:
    """The day's course of each vital, shape (STEPS,) each, unrounded."""
    hour = np.arange(STEPS) * STEP_S / HOUR_S
    added = _added(load)
    found = {
        vital: baseline[vital] + noises[vital] + added[vital]
        + rhythm.amplitude * np.cos(2 * np.pi * (hour - rhythm.peak_hour) / 24)
        for vital, rhythm in RHYTHMS.items()
    }
    found[Vital.SPO2] = np.clip(found[Vital.SPO2], 60, 100)
    pulse_pressure = 15.0
    found[Vital.DIASTOLIC_BP] = np.minimum(
        found[Vital.DIASTOLIC_BP], found[Vital.SYSTOLIC_BP] - pulse_pressure)
    return found


def _added(load: Strain) -> dict[Vital, FloatArray]:
    fever, points, active = load.fever_c, load.desaturation, load.activity_bpm
    return {
        Vital.HEART_RATE: HR_PER_C * fever + HR_PER_POINT * points + active,
        Vital.RESPIRATORY_RATE: RR_PER_C * fever + RR_PER_POINT * points + 0.12 * active,
        Vital.SYSTOLIC_BP: SBP_PER_C * fever + 0.4 * active,
        Vital.DIASTOLIC_BP: DBP_PER_C * fever + 0.1 * active,
        Vital.BODY_TEMPERATURE: fever,
        Vital.SPO2: -points,
    }
