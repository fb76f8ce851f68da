"""Every table of the registry, as SQLAlchemy Core. Rows never leave this package.

Keys are natural or content hashes, so that a job run twice writes the same rows. Columns that
tell of one particular execution (run ids, wall times, durations) are the only ones that differ.
"""

from registry.tables.base import metadata
from registry.tables.coverage import coverage, coverage_revisions, device_syncs, wear_days
from registry.tables.drift import drift_cohorts, drift_events, drift_figures
from registry.tables.events import event_keys, event_sinks, events
from registry.tables.forecasts import evaluations, forecasts, severities
from registry.tables.models import (
    fits,
    model_aliases,
    model_configs,
    model_documents,
    series_statistics,
)
from registry.tables.operation import runs
from registry.tables.people import care, clinical_entries, ended_sessions, patients, users
from registry.tables.quality import profiles, quality_flags, quality_reports
from registry.tables.quarantine import quarantine
from registry.tables.readings import (
    observation_revisions,
    observations,
    raw_payloads,
    refusals,
)
from registry.tables.vendors import (
    connections,
    consents,
    fetches,
    rate_calls,
    webhook_events,
)
from registry.tables.views import (
    rollup_accuracy,
    rollup_arrivals,
    rollup_coverage,
    rollup_cycles,
    rollup_failures,
    rollup_fetches,
    rollup_fits,
    rollup_flags,
    rollup_forecasts,
    rollup_members,
    rollup_quarantine,
    rollup_severities,
)

__all__ = [
    "care",
    "clinical_entries",
    "connections",
    "consents",
    "coverage",
    "coverage_revisions",
    "device_syncs",
    "drift_cohorts",
    "drift_events",
    "drift_figures",
    "ended_sessions",
    "evaluations",
    "event_keys",
    "event_sinks",
    "events",
    "fetches",
    "fits",
    "forecasts",
    "metadata",
    "model_aliases",
    "model_configs",
    "model_documents",
    "observation_revisions",
    "observations",
    "patients",
    "profiles",
    "quality_flags",
    "quality_reports",
    "quarantine",
    "rate_calls",
    "raw_payloads",
    "refusals",
    "rollup_accuracy",
    "rollup_arrivals",
    "rollup_coverage",
    "rollup_cycles",
    "rollup_failures",
    "rollup_fetches",
    "rollup_fits",
    "rollup_flags",
    "rollup_forecasts",
    "rollup_members",
    "rollup_quarantine",
    "rollup_severities",
    "runs",
    "series_statistics",
    "severities",
    "users",
    "wear_days",
    "webhook_events",
]
