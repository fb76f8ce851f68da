"""Views and rollups that boards and reporting tools read."""

import sqlalchemy as sa
from alembic import op

from registry.migrations.bi_views import CLINICAL, READONLY, VIEWS, role_statements

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)

_ROLLUPS = (
    "rollup_accuracy", "rollup_arrivals", "rollup_coverage", "rollup_cycles",
    "rollup_failures", "rollup_fetches", "rollup_fits", "rollup_flags", "rollup_forecasts",
    "rollup_members", "rollup_quarantine", "rollup_severities",
)


# Without autosummarize what came since the last vacuum, days on a large table, is read in full.
_ORDER_OF_ARRIVAL = (
    ("ix_observations_arrival", "observations", "fetched_at"),
    ("ix_observation_revisions_arrival", "observation_revisions", "fetched_at"),
    ("ix_fetches_cycle", "fetches", "cycle"),
    ("ix_fits_cutoff", "fits", "cutoff"),
    ("ix_coverage_day", "coverage", "day"),
    ("ix_coverage_revisions_replaced", "coverage_revisions", "replaced_at"),
    ("ix_severities_cutoff", "severities", "cutoff"),
    ("ix_evaluations_cutoff", "evaluations", "cutoff"),
)


def upgrade() -> None:
    _tables()
    _indexes()
    for role in (READONLY, CLINICAL):
        for statement in role_statements(role):
            op.execute(statement)
    for view in VIEWS:
        for statement in view.statements():
            op.execute(statement)


def downgrade() -> None:
    # The roles stay: they belong to the whole server.
    for view in VIEWS:
        op.execute(f"DROP VIEW {view.name}")
    for name, table, _ in reversed(_ORDER_OF_ARRIVAL):
        op.drop_index(name, table)
    for name in _ROLLUPS:
        op.drop_table(name)


def _indexes() -> None:
    for name, table, column in _ORDER_OF_ARRIVAL:
        op.create_index(name, table, [column], postgresql_using="brin",
                        postgresql_with={"autosummarize": "on"})


def _tables() -> None:
    op.create_table(
        "rollup_accuracy",
        sa.Column("cycle", _UTC, nullable=False, comment="cutoff of the forecasts that are scored"),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False, comment="hours ahead: 1, 2-6, 7-12, 13-24"),
        sa.Column("hours", sa.BigInteger(), nullable=False,
                  comment="forecast hours that were observed"),
        sa.Column("error_sum", sa.Double(), nullable=False, comment="of actual minus forecast"),
        sa.Column("absolute_sum", sa.Double(), nullable=False),
        sa.Column("covered_50", sa.BigInteger(), nullable=False),
        sa.Column("covered_80", sa.BigInteger(), nullable=False),
        sa.Column("covered_95", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", "vital", "bucket", name=op.f("pk_rollup_accuracy")),
        comment="errors and coverage of the forecasts of a cycle, as far as observed")
    op.create_table(
        "rollup_arrivals",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False,
                  comment="no older than 72 h when they came, of links followed before"),
        sa.Column("history", sa.Integer(), nullable=False,
                  comment="older ones, of a first fetch or a file; never late"),
        sa.Column("revised", sa.Integer(), nullable=False,
                  comment="known before, with another value"),
        sa.Column("flagged", sa.Integer(), nullable=False,
                  comment="not of accepted quality, of all three"),
        sa.Column("lateness_sum_s", sa.Double(), nullable=False,
                  comment="end of the reading to its storage"),
        sa.Column("lateness_p50_s", sa.Double(), nullable=True),
        sa.Column("lateness_p95_s", sa.Double(), nullable=True),
        sa.Column("lateness_max_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("cycle", "provider", "vital", name=op.f("pk_rollup_arrivals")),
        comment="readings that a cycle brought")
    op.create_table(
        "rollup_coverage",
        sa.Column("hour", _UTC, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False, comment="several, or none without a link"),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="ok, or why there is no reading"),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", "provider", "vital", "state",
                                name=op.f("pk_rollup_coverage")),
        comment="series in each state of coverage")
    op.create_table(
        "rollup_cycles",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("patients", sa.Integer(), nullable=False, comment="scored at the cycle"),
        sa.Column("arrived_from", _UTC, nullable=True,
                  comment="readings stored after this are the cycle's"),
        sa.Column("arrived_until", _UTC, nullable=True,
                  comment="end of the cycle's last fetch; null where nothing was fetched"),
        sa.Column("rolled_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("cycle", name=op.f("pk_rollup_cycles")),
        comment="cycles that the other rollup tables have rows of")
    op.create_table(
        "rollup_failures",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False, comment="numbers replaced by #"),
        sa.Column("fits", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", "member", "outcome", "reason",
                                name=op.f("pk_rollup_failures")),
        comment="why fits came to nothing")
    op.create_table(
        "rollup_fetches",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("fetches", sa.Integer(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False, comment="records"),
        sa.Column("refused", sa.BigInteger(), nullable=False, comment="records"),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("slowest_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", "provider", "resource", "outcome",
                                name=op.f("pk_rollup_fetches")),
        comment="what was asked of the vendors")
    op.create_table(
        "rollup_fits",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Text(), nullable=False,
                  comment="search or refit; empty where nothing was"),
        sa.Column("fits", sa.Integer(), nullable=False),
        sa.Column("cpu_seconds", sa.Double(), nullable=False),
        sa.Column("slowest_s", sa.Double(), nullable=False, comment="CPU seconds of the slowest"),
        sa.PrimaryKeyConstraint("cycle", "vital", "member", "outcome", "made_by",
                                name=op.f("pk_rollup_fits")),
        comment="fits by outcome")
    op.create_table(
        "rollup_flags",
        sa.Column("hour", _UTC, nullable=False, comment="of the readings"),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("flag", sa.Text(), nullable=False),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("kept_out", sa.Integer(), nullable=False, comment="of those, not forecast from"),
        sa.PrimaryKeyConstraint("hour", "provider", "vital", "flag", name=op.f("pk_rollup_flags")),
        comment="standing flags of quality; one reading may have several")
    op.create_table(
        "rollup_forecasts",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False,
                  comment="numbers replaced by #; empty where there is a forecast"),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("width_80", sa.Double(), nullable=True,
                  comment="mean width of the 80 % interval over the horizon"),
        sa.PrimaryKeyConstraint("cycle", "vital", "reason", name=op.f("pk_rollup_forecasts")),
        comment="series with and without a forecast")
    op.create_table(
        "rollup_members",
        sa.Column("cycle", _UTC, nullable=False, comment="cutoff of the forecasts that are scored"),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("member", sa.Text(), nullable=False, comment="a member's name, or ensemble"),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("hours", sa.BigInteger(), nullable=False),
        sa.Column("absolute_sum", sa.Double(), nullable=False),
        sa.Column("ensemble_sum", sa.Double(), nullable=False,
                  comment="of the ensemble over the same series"),
        sa.PrimaryKeyConstraint("cycle", "vital", "member", name=op.f("pk_rollup_members")),
        comment="errors of each member beside the ensemble's, over the whole horizon")
    op.create_table(
        "rollup_quarantine",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("arrived", sa.Integer(), nullable=False,
                  comment="entries that came first in this cycle"),
        sa.Column("held", sa.Integer(), nullable=False, comment="entries held at the cycle's end"),
        sa.Column("records", sa.BigInteger(), nullable=False, comment="records of those held"),
        sa.PrimaryKeyConstraint("cycle", "provider", "kind", name=op.f("pk_rollup_quarantine")),
        comment="payloads that were not understood")
    op.create_table(
        "rollup_severities",
        sa.Column("cycle", _UTC, nullable=False),
        sa.Column("band", sa.Text(), nullable=False),
        sa.Column("patients", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cycle", "band", name=op.f("pk_rollup_severities")),
        comment="patients in each band of severity")
