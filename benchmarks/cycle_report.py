"""The cycle benchmark's figures: as JSON, and as tables for people."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from benchmarks.cycle_check import Found
from benchmarks.cycle_meter import Cost
from benchmarks.cycle_prepare import Size

TARGET_S = {"a": 300.0, "b": 120.0}
TARGET_PATIENTS = 10_000
MEMORY_MIB = 4096
LINEAR = (0.7, 1.3)
"""Processor seconds a patient of one size by those of the next: what counts as in proportion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One job, all shards at once: what it cost and the sum of the figures it gave."""

    job: str
    cost: Cost
    figures: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """One measured hour; `readings` arrived before it, `faults` is empty when all was right."""

    readings: int
    stages: Sequence[Stage]
    found: Found
    faults: Sequence[str]

    @property
    def wall_s(self) -> float:
        """Stages one after the other."""
        return sum(stage.cost.wall_s for stage in self.stages)

    @property
    def cpu_s(self) -> float:
        """Processor seconds of jobs and Postgres."""
        return sum(stage.cost.cpu_s for stage in self.stages)

    @property
    def peak_mib(self) -> float:
        """Memory of jobs and Postgres together, at the highest."""
        return max(stage.cost.peak_mib for stage in self.stages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything about one number of patients; `preparation` in seconds by step."""

    size: Size
    preparation: Mapping[str, float]
    hours: dict[str, Hour] = field(default_factory=dict)

    def per_core_hour(self, name: str) -> float:
        """Patients that an hour of one core would carry through this hour's work."""
        return 3600 * self.size.patients / self.hours[name].cpu_s


def as_json(runs: Sequence[Run]) -> dict[str, Any]:
    """One object: `runs` by rising size, `growth` between neighbours, `met` of the targets."""
    return {"runs": [_run_json(run) for run in runs], "growth": list(growth(runs)),
            "met": targets(runs)}


def _run_json(run: Run) -> dict[str, Any]:
    return {
        "patients": run.size.patients, "series": run.size.series, "distinct": run.size.distinct,
        "preparation_s": round(sum(run.preparation.values()), 1), "preparation": run.preparation,
        "hours": {name: {
            "wall_s": round(hour.wall_s, 2), "cpu_s": round(hour.cpu_s, 2),
            "patients_per_core_hour": round(run.per_core_hour(name)),
            "peak_mib": round(hour.peak_mib), "readings": hour.readings,
            "stages": {stage.job: _stage_json(stage) for stage in hour.stages},
            "found": asdict(hour.found), "faults": list(hour.faults),
        } for name, hour in run.hours.items()},
    }


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {**{name: round(value, 2) for name, value in asdict(stage.cost).items()},
            "figures": stage.figures}


def growth(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """What each size costs beside the next larger one, a patient; 1 is in proportion."""
    for small, large in pairwise(runs):
        factor = large.size.patients / small.size.patients
        yield {"patients": [small.size.patients, large.size.patients], **{
            f"{name}_{kind}": round(getattr(small.hours[name], kind) * factor
                                    / getattr(large.hours[name], kind), 3)
            for name in large.hours for kind in ("wall_s", "cpu_s")}}


def targets(runs: Sequence[Run]) -> dict[str, bool]:
    """Whether what was asked holds, as far as these sizes tell."""
    met = {"nothing amiss": not any(hour.faults for run in runs for hour in run.hours.values())}
    for run in runs:
        if run.size.patients == TARGET_PATIENTS:
            met |= {f"hour {name} within {limit:.0f} s": run.hours[name].wall_s <= limit
                    for name, limit in TARGET_S.items()}
            met["within 4 GiB"] = max(one.peak_mib for one in run.hours.values()) <= MEMORY_MIB
    for one in growth(runs):
        if one["patients"][1] == TARGET_PATIENTS:
            met["cost in proportion"] = all(
                LINEAR[0] <= one[f"{name}_cpu_s"] <= LINEAR[1] for name in TARGET_S)
    return met


def as_text(runs: Sequence[Run]) -> str:
    """Tables: stages of each size, then how the cost grows, then what was met."""
    lines = [f"{'patients':>8} {'hour':4} {'stage':9} {'wall s':>8} {'jobs s':>8} {'server s':>8} "
             f"{'MiB':>6} {'WAL MiB':>8} {'growth':>8} {'patients/core h':>16}"]
    for run in runs:
        for name, hour in run.hours.items():
            lines += [_stage_line(run, name, stage) for stage in hour.stages]
            lines += [f"{'':8} {name:4} {'total':9} {hour.wall_s:8.1f} {hour.cpu_s:8.1f} {'':8} "
                      f"{hour.peak_mib:6.0f} {'':17} {run.per_core_hour(name):16.0f}"]
            lines += [f"{'':13} amiss: {fault}" for fault in hour.faults]
        lines.append(f"{'':13} prepared in {sum(run.preparation.values()):.0f} s: " + ", ".join(
            f"{step} {seconds:.0f}" for step, seconds in run.preparation.items()))
    lines += [f"{one['patients'][0]} patients cost, times {one['patients'][1]}/{one['patients'][0]}"
              f", of {one['patients'][1]}: " + ", ".join(
                  f"{key} {value:.2f}" for key, value in one.items() if key != "patients")
              for one in growth(runs)]
    lines += [f"{'met' if held else 'MISSED'}: {name}" for name, held in targets(runs).items()]
    return "\n".join(lines)


def _stage_line(run: Run, name: str, stage: Stage) -> str:
    cost = stage.cost
    return (f"{run.size.patients:8} {name:4} {stage.job:9} {cost.wall_s:8.1f} "
            f"{cost.cpu_jobs_s:8.1f} {cost.cpu_postgres_s:8.1f} {cost.peak_mib:6.0f} "
            f"{cost.wal_mib:8.1f} {cost.growth_mib:8.1f}")
