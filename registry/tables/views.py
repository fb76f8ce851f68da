"""Rollups: what boards and reporting tools read, counted once a cycle.

Every row is a count over patients and names none. A cycle's rows are replaced as a whole when it is
rolled up again (`registry.rollups`).
"""

from sqlalchemy import BigInteger, Column, Double, Integer, PrimaryKeyConstraint, Table, Text

from registry.tables.base import NOW, UTCTime, metadata

rollup_cycles = Table(
    "rollup_cycles", metadata,
    Column("cycle", UTCTime, primary_key=True),
    Column("patients", Integer, nullable=False, comment="scored at the cycle"),
    Column("arrived_from", UTCTime, comment="readings stored after this are the cycle's"),
    Column("arrived_until", UTCTime,
           comment="end of the cycle's last fetch; null where nothing was fetched"),
    Column("rolled_at", UTCTime, nullable=False, server_default=NOW),
    comment="cycles that the other rollup tables have rows of",
)

rollup_arrivals = Table(
    "rollup_arrivals", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("provider", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("readings", Integer, nullable=False,
           comment="of links that were fetched from before"),
    Column("history", Integer, nullable=False,
           comment="others: of a link's first fetch or a file; never late"),
    Column("revised", Integer, nullable=False, comment="known before, with another value"),
    Column("flagged", Integer, nullable=False, comment="not of accepted quality, of all three"),
    Column("lateness_sum_s", Double, nullable=False, comment="end of the reading to its storage"),
    Column("lateness_p50_s", Double),
    Column("lateness_p95_s", Double),
    Column("lateness_max_s", Double),
    PrimaryKeyConstraint("cycle", "provider", "vital"),
    comment="readings that a cycle brought",
)

rollup_flags = Table(
    "rollup_flags", metadata,
    Column("hour", UTCTime, nullable=False, comment="of the readings"),
    Column("provider", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("flag", Text, nullable=False),
    Column("readings", Integer, nullable=False),
    Column("kept_out", Integer, nullable=False, comment="of those, not forecast from"),
    PrimaryKeyConstraint("hour", "provider", "vital", "flag"),
    comment="standing flags of quality; one reading may have several",
)

rollup_fetches = Table(
    "rollup_fetches", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("provider", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("fetches", Integer, nullable=False),
    Column("received", BigInteger, nullable=False, comment="records"),
    Column("refused", BigInteger, nullable=False, comment="records"),
    Column("seconds", Double, nullable=False),
    Column("slowest_s", Double, nullable=False),
    PrimaryKeyConstraint("cycle", "provider", "resource", "outcome"),
    comment="what was asked of the vendors",
)

rollup_coverage = Table(
    "rollup_coverage", metadata,
    Column("hour", UTCTime, nullable=False),
    Column("provider", Text, nullable=False, comment="several, or none without a link"),
    Column("vital", Text, nullable=False),
    Column("state", Text, nullable=False, comment="ok, or why there is no reading"),
    Column("series", Integer, nullable=False),
    PrimaryKeyConstraint("hour", "provider", "vital", "state"),
    comment="series in each state of coverage",
)

rollup_quarantine = Table(
    "rollup_quarantine", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("arrived", Integer, nullable=False, comment="entries that came first in this cycle"),
    Column("held", Integer, nullable=False, comment="entries held at the cycle's end"),
    Column("records", BigInteger, nullable=False, comment="records of those held"),
    PrimaryKeyConstraint("cycle", "provider", "kind"),
    comment="payloads that were not understood",
)

rollup_fits = Table(
    "rollup_fits", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("vital", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("made_by", Text, nullable=False, comment="search or refit; empty where nothing was"),
    Column("fits", Integer, nullable=False),
    Column("cpu_seconds", Double, nullable=False),
    Column("slowest_s", Double, nullable=False, comment="CPU seconds of the slowest"),
    PrimaryKeyConstraint("cycle", "vital", "member", "outcome", "made_by"),
    comment="fits by outcome",
)

rollup_failures = Table(
    "rollup_failures", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("member", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("reason", Text, nullable=False, comment="numbers replaced by #"),
    Column("fits", Integer, nullable=False),
    PrimaryKeyConstraint("cycle", "member", "outcome", "reason"),
    comment="why fits came to nothing",
)

rollup_forecasts = Table(
    "rollup_forecasts", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("vital", Text, nullable=False),
    Column("reason", Text, nullable=False,
           comment="numbers replaced by #; empty where there is a forecast"),
    Column("series", Integer, nullable=False),
    Column("width_80", Double, comment="mean width of the 80 % interval over the horizon"),
    PrimaryKeyConstraint("cycle", "vital", "reason"),
    comment="series with and without a forecast",
)

rollup_severities = Table(
    "rollup_severities", metadata,
    Column("cycle", UTCTime, nullable=False),
    Column("band", Text, nullable=False),
    Column("patients", Integer, nullable=False),
    PrimaryKeyConstraint("cycle", "band"),
    comment="patients in each band of severity",
)

rollup_accuracy = Table(
    "rollup_accuracy", metadata,
    Column("cycle", UTCTime, nullable=False, comment="cutoff of the forecasts that are scored"),
    Column("vital", Text, nullable=False),
    Column("bucket", Text, nullable=False, comment="hours ahead: 1, 2-6, 7-12, 13-24"),
    Column("hours", BigInteger, nullable=False, comment="forecast hours that were observed"),
    Column("error_sum", Double, nullable=False, comment="of actual minus forecast"),
    Column("absolute_sum", Double, nullable=False),
    Column("covered_50", BigInteger, nullable=False),
    Column("covered_80", BigInteger, nullable=False),
    Column("covered_95", BigInteger, nullable=False),
    PrimaryKeyConstraint("cycle", "vital", "bucket"),
    comment="errors and coverage of the forecasts of a cycle, as far as observed",
)

rollup_members = Table(
    "rollup_members", metadata,
    Column("cycle", UTCTime, nullable=False, comment="cutoff of the forecasts that are scored"),
    Column("vital", Text, nullable=False),
    Column("member", Text, nullable=False, comment="a member's name, or ensemble"),
    Column("series", Integer, nullable=False),
    Column("hours", BigInteger, nullable=False),
    Column("absolute_sum", Double, nullable=False),
    Column("ensemble_sum", Double, nullable=False,
           comment="of the ensemble over the same series"),
    PrimaryKeyConstraint("cycle", "vital", "member"),
    comment="errors of each member beside the ensemble's, over the whole horizon",
)
