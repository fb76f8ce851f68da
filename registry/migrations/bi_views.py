"""The views `bi_…`: what boards and reporting tools may rely on.

A view's columns keep their names; later revisions add views and columns, and take none away. Those
of `READONLY` name no patient; those of `CLINICAL` do, and have a role of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from registry.readings import KEPT_OUT

READONLY, CLINICAL = "vitalcast_readonly", "vitalcast_clinical"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view: what it tells, its columns as name -> (expression, comment), and where they are from.
    """

    name: str
    about: str
    columns: Mapping[str, tuple[str, str]]
    source: str
    role: str = READONLY

    def statements(self) -> Iterator[str]:
        """What makes the view, explains it and lets its role read it."""
        columns = ", ".join(f"{what} AS {name}" for name, (what, _) in self.columns.items())
        yield f"CREATE OR REPLACE VIEW {self.name} AS SELECT {columns} {self.source}"
        yield f"COMMENT ON VIEW {self.name} IS {_quoted(self.about)}"
        for name, (_, comment) in self.columns.items():
            yield f"COMMENT ON COLUMN {self.name}.{name} IS {_quoted(comment)}"
        yield _where_known(f"GRANT SELECT ON {self.name} TO {self.role}")


def role_statements(role: str) -> Iterator[str]:
    """Make a role that nobody logs in by, and let this user take it, as far as that is permitted.

    Since PostgreSQL 16 who makes a role may give it away, but may not take it without a grant.
    """
    yield f"""DO $$ BEGIN CREATE ROLE {role} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN NULL; END $$"""
    yield f"""DO $$ BEGIN GRANT {role} TO CURRENT_USER;
EXCEPTION WHEN undefined_object OR insufficient_privilege OR invalid_grant_operation THEN NULL;
END $$"""


def _where_known(statement: str) -> str:
    """A statement that is left out where its role is not there."""
    return f"""DO $$ BEGIN {statement};
EXCEPTION WHEN undefined_object THEN NULL; END $$"""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _same(**comments: str) -> dict[str, tuple[str, str]]:
    """Columns that are called in the view as in the table."""
    return {name: (name, comment) for name, comment in comments.items()}


_CYCLE = "UTC hour of the cycle"
_CUTOFF = "UTC hour that the scored forecasts begin at"
_VITAL = "heart_rate, respiratory_rate, systolic_bp, diastolic_bp, body_temperature or spo2"
_PROVIDER = "vendor or kind of file"
_MAE = "mean absolute error in the vital's own unit"

# New models forecast once more, and a cycle may run again: what counts is when the doctor had it.
_FORECAST_AT = """
    SELECT cycle, max(done_at) AS forecast_at FROM (
        SELECT cycle, shard, min(ended_at) AS done_at FROM runs
        WHERE job = 'forecast' AND status = 'done' GROUP BY cycle, shard) shards
    GROUP BY cycle, split_part(shard, '/', 2)
    HAVING count(*) = CAST(split_part(shard, '/', 2) AS integer)"""

_OPERATION = (
    View(name="bi_cycles", about="One row a cycle: was it whole, on time, and what did it cost",
         columns={
             "cycle": ("r.cycle", _CYCLE),
             "patients": ("max(c.patients)", "patients scored; null before it was rolled up"),
             "began": ("min(r.started_at)", "start of its first job"),
             "forecast_at": ("min(f.forecast_at)",
                             "when every patient had its first forecast of that hour"),
             "ended": ("max(r.ended_at)", "end of its last job so far"),
             "delay_s": ("CAST(extract(epoch FROM min(f.forecast_at) - r.cycle) "
                         "AS double precision)",
                         "seconds from the full hour to these forecasts"),
             "cpu_seconds": ("sum(r.cpu_seconds)", "of all its jobs"),
             "cpu_seconds_per_patient": ("sum(r.cpu_seconds) / nullif(max(c.patients), 0)",
                                         "cost of a patient"),
             "failed": ("CAST(count(*) FILTER (WHERE r.status = 'failed') AS integer)",
                        "runs of jobs that failed"),
         }, source=f"""FROM runs r LEFT JOIN rollup_cycles c USING (cycle)
LEFT JOIN ({_FORECAST_AT}) f USING (cycle)
WHERE r.job IN ('ingest', 'train', 'forecast', 'evaluate', 'watch', 'rollup') GROUP BY r.cycle"""),
    View(name="bi_runs", about="One row a run of a job on one shard", columns={
        "run_id": ("run_id", "number of the run; `vitalcast explain` takes it"),
        **_same(cycle=_CYCLE, job="ingest, train, forecast, evaluate, rollup, webhooks, ...",
                shard="which part of the patients, as 1/4", status="running, done or failed",
                started_at="when it began", ended_at="when it ended"),
        "seconds": ("CAST(extract(epoch FROM ended_at - started_at) AS double precision)",
                    "wall time"),
        **_same(cpu_seconds="CPU time of the process and its children",
                exception="class and place of what ended it; never a message")},
        source="FROM runs"),
    View(name="bi_events", about="What happened, without a name: the outbox of the event log",
         columns=_same(
             recorded_at="when it was recorded", cycle=_CYCLE, kind="what happened",
             severity="info, warning or error", job="job", shard="part of the patients",
             run_id="run of the job", provider=_PROVIDER, vital=_VITAL, member="model member",
             reason="a word that says why", exception="class of an exception",
             fingerprint="the same fault has the same", message="in words"),
         source="FROM events"),
    View(name="bi_model_configs", about="Model configurations, each when it was first used",
         columns=_same(first_used_at="when a job first used it",
                       config_hash="SHA-256 of its text, as forecasts and fits name it",
                       config="JSON"),
         source="FROM model_configs WHERE config ->> 'train_every_hours' IS NOT NULL"),
)

_READINGS = (
    View(name="bi_arrivals", about="Readings that each cycle brought, and how late they were",
         columns={**_same(
             cycle=_CYCLE, provider=_PROVIDER, vital=_VITAL,
             readings="of links that were fetched from before",
             history="others: of a link's first fetch, or of a file; they have no lateness",
             revised="readings known before that came with another value; not in the two above",
             flagged="not of accepted quality, of all three"),
             "lateness_mean_s": ("lateness_sum_s / nullif(readings, 0)",
                                 "mean seconds from a reading's end to its storage"),
             **_same(lateness_p50_s="median seconds", lateness_p95_s="95 % of them came within",
                     lateness_max_s="the latest of them")},
         source="FROM rollup_arrivals"),
    View(name="bi_coverage", about="Series in each state of coverage, by hour: why readings miss",
         columns=_same(hour="UTC hour that is judged",
                       provider=_PROVIDER + "; several, or none without a link", vital=_VITAL,
                       state="ok, worn_no_reading, not_worn, not_measured, not_expected, "
                             "not_synced, fetch_failed, format_discrepancy, not_entitled, "
                             "unsupported or kept_out", series="patients times vitals"),
         source="FROM rollup_coverage"),
    View(name="bi_flags", about="Standing quality flags by the hour of their readings",
         columns=_same(hour="UTC hour of the readings", provider=_PROVIDER, vital=_VITAL,
                       flag="what the check found", readings="readings with that flag",
                       kept_out="of those, not forecast from"),
         source="FROM rollup_flags"),
    View(name="bi_fetches", about="What was asked of the vendors in each cycle",
         columns=_same(cycle=_CYCLE, provider=_PROVIDER, resource="what was asked for",
                       outcome="complete, fetch_failed, format_discrepancy or not_entitled",
                       fetches="how many", received="records that came",
                       refused="records that were not understood",
                       seconds="time that they took together", slowest_s="time of the slowest"),
         source="FROM rollup_fetches"),
    View(name="bi_quarantine", about="What was not understood, counted at each cycle",
         columns=_same(cycle=_CYCLE, provider=_PROVIDER, kind="page, discrepancy or records",
                       arrived="entries that came first in this cycle",
                       held="entries held at the cycle's end", records="records of those held"),
         source="FROM rollup_quarantine"),
    View(name="bi_quarantine_entries", about="What is or was held, an entry a payload",
         columns={
             "entry_id": ("q.entry_id", "as `vitalcast quarantine show` takes it"),
             "provider": ("c.provider", _PROVIDER),
             **{name: (f"q.{name}", comment) for name, comment in {
                 "resource": "what was asked for", "kind": "page, discrepancy or records",
                 "reason": "what is wrong, never a value", "records": "records held",
                 "first_cycle": "cycle it came in", "last_cycle": "cycle it came in last",
                 "cycles": "how many cycles it came in", "status": "held, replayed or dismissed",
                 "decided_at": "when it was replayed or dismissed"}.items()}},
         source="FROM quarantine q JOIN connections c USING (connection_id)"),
    View(name="bi_profiles", about="What a vendor's readings of a vital are usually like, by the "
                                   "newest profile",
         columns={"provider": ("subject", _PROVIDER), **_same(
             vital=_VITAL, day="last day of the profile", days="days that it reaches back",
             patients="with a reading", readings="how many", hours="patient-hours with one",
             missing_share="share of patient-hours without a reading", q05="5 % quantile",
             q25="25 % quantile", median="median", q75="75 % quantile", q95="95 % quantile",
             lateness_median_s="median seconds to arrival",
             lateness_q95_s="95 % came within so many seconds",
             late="readings that came more than 72 h late")},
         source="FROM profiles WHERE scope = 'provider'"),
)

_MODELS = (
    View(name="bi_fits", about="Fits of each cycle by outcome, and what they cost",
         columns=_same(cycle=_CYCLE, vital=_VITAL, member="model member",
                       outcome="fitted, failed, timeout, too_little_data or switched_off",
                       made_by="search or refit; empty where nothing was fitted",
                       fits="how many", cpu_seconds="together", slowest_s="the slowest, CPU time"),
         source="FROM rollup_fits"),
    View(name="bi_failures", about="Why fits came to nothing",
         columns=_same(cycle=_CYCLE, member="model member",
                       outcome="failed, timeout or too_little_data",
                       reason="numbers replaced by #", fits="how many"),
         source="FROM rollup_failures"),
    View(name="bi_forecasts", about="Series with a forecast, and why others have none",
         columns={**_same(cycle=_CYCLE, vital=_VITAL), "reason": (
             "nullif(reason, '')", "why there is none; null where there is one"),
             **_same(series="patients", width_80="mean width of the 80 % interval")},
         source="FROM rollup_forecasts"),
    View(name="bi_severities", about="Patients in each band of severity",
         columns=_same(cycle=_CYCLE, band="low, ..., high, or not applicable",
                       patients="how many"),
         source="FROM rollup_severities"),
    View(name="bi_accuracy", about="Errors and interval coverage of forecasts, by hours ahead",
         columns={
             **_same(cycle=_CUTOFF, vital=_VITAL, bucket="hours ahead: 1, 2-6, 7-12, 13-24",
                     hours="forecast hours that were observed"),
             "mae": ("absolute_sum / nullif(hours, 0)", _MAE),
             "bias": ("error_sum / nullif(hours, 0)",
                      "mean of observed less forecast: above 0, forecasts were too low"),
             **{f"coverage_{level}": (
                 f"CAST(covered_{level} AS double precision) / nullif(hours, 0)",
                 f"share of hours inside the {level} % interval") for level in (50, 80, 95)}},
         source="FROM rollup_accuracy"),
    View(name="bi_members", about="Errors of each member beside the ensemble's, same series",
         columns={
             **_same(cycle=_CUTOFF, vital=_VITAL, member="a member, or ensemble",
                     series="scored", hours="forecast hours that were observed"),
             "mae": ("absolute_sum / nullif(hours, 0)", _MAE),
             "ensemble_mae": ("ensemble_sum / nullif(hours, 0)", _MAE + " of the ensemble")},
         source="FROM rollup_members"),
    View(name="bi_drift", about="Drift of cohorts by day: provider, vital and age",
         columns=_same(
             day="UTC", provider=_PROVIDER, vital=_VITAL, age_band="years", series="how many",
             drifting="series with an open event", missing="share of hours missing lately",
             missing_usual="the same in the training windows", flagged="share of readings",
             psi="population stability index, median of the series",
             wasserstein="distance from the training window, in deviations",
             level="last day less the usual, in deviations", spread="variance over the usual one",
             error_ratio="errors an hour ahead over what was promised",
             coverage_80="hours inside the 80 % interval",
             skew="served less trained on, in deviations", age_h="hours since the newest reading"),
         source="FROM drift_cohorts"),
    View(name="bi_drift_events", about="Departures of series from their training windows",
         columns=_same(
             detected="cycle that found it", began="hour that it seems to start at", vital=_VITAL,
             kind="level, spread, distribution, missing, error, coverage, unit, skew, ...",
             score="how far", threshold="what the score had to reach",
             closed_at="cycle that found it gone; null while it lasts"),
         source="FROM drift_events"),
)

# As in `registry.panels`: no nightly averages or extremes, nothing that a flag keeps out.
_FORECAST_FROM = """quality = 'ok' AND granularity IN ('sample', 'interval')
    AND statistic IN ('instant', 'mean') AND NOT """ + KEPT_OUT.format("o")

_ID = "the patient's id"
_BOUNDS = {f"{side}_{level}": (f"f.{side}_{level}[h.lead]", f"{side} bound, {level} % interval")
           for level in (50, 80, 95) for side in ("lower", "upper")}

_PATIENTS = (
    View(name="bi_patients", about="Patients", role=CLINICAL, columns={
        **_same(patient_id=_ID), "enrolled_at": ("created_at", "when")}, source="FROM patients"),
    View(name="bi_patient_readings", about="Readings of a patient, single ones", role=CLINICAL,
         columns={**_same(patient_id=_ID, vital=_VITAL), "at": ("effective_start", "measured"),
                  "value": ("CAST(value AS double precision)", "in the vital's own unit"),
                  **_same(provider=_PROVIDER, quality="ok, suspect or quarantined",
                          granularity="sample, interval, night or day",
                          fetched_at="when it was stored"),
                  "forecast_from": (_FORECAST_FROM, "whether forecasts are made from it")},
         source="FROM observations o"),
    View(name="bi_patient_forecasts", about="Forecast hours of a patient", role=CLINICAL, columns={
        "patient_id": ("f.patient_id", _ID), "vital": ("f.vital", _VITAL),
        "cutoff": ("f.cutoff", "first hour of the forecast"),
        "at": ("f.cutoff + (h.lead - 1) * interval '1 hour'", "the hour that is foretold"),
        "lead": ("h.lead", "hours ahead, from 1"), "point": ("f.point[h.lead]", "median"),
        **_BOUNDS},
        source="FROM forecasts f CROSS JOIN LATERAL generate_series(1, cardinality(f.point)) "
               "AS h (lead)"),
    View(name="bi_patient_severities", about="Severity of a patient", role=CLINICAL,
         columns=_same(patient_id=_ID, cutoff="UTC hour", band="low, ..., high",
                       rank="order in the work list, worst highest"), source="FROM severities"),
    View(name="bi_patient_coverage", about="Coverage of a patient's hours", role=CLINICAL, columns={
        "patient_id": ("c.patient_id", _ID), "vital": ("c.vital", _VITAL),
        "hour": ("(CAST(c.day AS timestamp) + h.hour * interval '1 hour') AT TIME ZONE 'UTC'",
                 "UTC hour"),
        "state": ("(ARRAY['ok', 'worn_no_reading', 'not_worn', 'not_measured', 'not_expected', "
                  "'not_synced', 'fetch_failed', 'format_discrepancy', 'not_entitled', "
                  "'unsupported', 'kept_out'])[get_byte(c.states, h.hour)]", "as in bi_coverage")},
        source="FROM coverage c CROSS JOIN generate_series(0, 23) AS h (hour) "
               "WHERE get_byte(c.states, h.hour) > 0"),
    View(name="bi_patient_flags", about="Standing flags of a patient's readings", role=CLINICAL,
         columns={**_same(patient_id=_ID, vital=_VITAL), "at": ("effective_start", "measured"),
                  **_same(flag="what the check found", provider=_PROVIDER,
                          keeps_out="not forecast from", reason="in words")},
         source="FROM quality_flags WHERE cleared_at IS NULL"),
    View(name="bi_patient_drift", about="Drift of a patient's series", role=CLINICAL,
         columns=_same(patient_id=_ID, vital=_VITAL, kind="of change", detected="cycle",
                       began="hour that it seems to start at", words="in words",
                       closed_at="cycle that found it gone"),
         source="FROM drift_events"),
)

VIEWS = (*_OPERATION, *_READINGS, *_MODELS, *_PATIENTS)
