"""Drift: what changed in a series, and since when."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)
_FIGURES = (
    ("psi", "population stability index of the last week against the training window"),
    ("wasserstein", "Wasserstein distance of the same, in deviations of the series"),
    ("level", "mean of the last day less the usual, in deviations of the series"),
    ("spread", "variance of the last day over the usual one"),
    ("error_ratio", "size of the errors an hour ahead over what was promised, last day"),
    ("coverage_80", "share of the last day's hours inside the 80 % interval an hour ahead"),
    ("skew", "mean served less mean trained on, in deviations of the training window"),
    ("age_h", "hours from the newest reading to the cycle"),
)


def upgrade() -> None:
    op.create_table(
        "drift_events",
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False,
                  comment="level, spread, distribution, missing, gaps, error, error_size, "
                          "coverage, unit, skew"),
        sa.Column("detected", _UTC, nullable=False, comment="the cycle that found it"),
        sa.Column("began", _UTC, nullable=False,
                  comment="the hour that the change seems to start at"),
        sa.Column("score", sa.Double(), nullable=False, comment="how far from the training window"),
        sa.Column("threshold", sa.Double(), nullable=False, comment="what the score had to reach"),
        sa.Column("words", sa.Text(), nullable=False,
                  comment="the change in plain words, without a name"),
        sa.Column("closed_at", _UTC, nullable=True,
                  comment="the cycle that found it gone; null while it lasts"),
        sa.PrimaryKeyConstraint("patient_id", "vital", "kind", "detected",
                                name=op.f("pk_drift_events")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patient_id"],
                                name=op.f("fk_drift_events_patient_id")),
        comment="a series departed from its training window; one open row a series and kind")
    op.create_index("ix_drift_events_open", "drift_events", ["patient_id", "vital"],
                    postgresql_where=sa.text("closed_at IS NULL"))
    op.create_index("ix_drift_events_detected", "drift_events", ["detected"])
    op.create_table(
        "drift_figures",
        sa.Column("patient_id", sa.Text(), nullable=False),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="UTC date of the last hour looked at"),
        sa.Column("cycle", _UTC, nullable=False, comment="the last look of that day"),
        sa.Column("provider", sa.Text(), nullable=True,
                  comment="of the newest reading; null = none in the window"),
        sa.Column("observed", sa.Integer(), nullable=False,
                  comment="hours with a reading, of the last 24"),
        sa.Column("missing_usual", sa.Double(), nullable=True,
                  comment="share of hours missing in the training window"),
        sa.Column("readings", sa.Integer(), nullable=False,
                  comment="readings of the last day, of any quality"),
        sa.Column("flagged", sa.Integer(), nullable=False,
                  comment="of those, not of accepted quality"),
        *(sa.Column(name, sa.Double(), nullable=True, comment=comment)
          for name, comment in _FIGURES),
        sa.PrimaryKeyConstraint("patient_id", "vital", "day", name=op.f("pk_drift_figures")),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.patient_id"],
                                name=op.f("fk_drift_figures_patient_id")),
        comment="one row a series and day: the newest look of the day")
    op.create_index("ix_drift_figures_day", "drift_figures", ["day"])
    op.create_table(
        "drift_cohorts",
        sa.Column("provider", sa.Text(), nullable=False,
                  comment="none where no reading tells one"),
        sa.Column("vital", sa.Text(), nullable=False),
        sa.Column("age_band", sa.Text(), nullable=False,
                  comment="under 40, 40-64, 65 and over, unknown"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("drifting", sa.Integer(), nullable=False,
                  comment="series with an event open on that day"),
        sa.Column("missing", sa.Double(), nullable=False,
                  comment="share of the hours of the last days"),
        sa.Column("missing_usual", sa.Double(), nullable=True,
                  comment="the same in the training windows"),
        sa.Column("flagged", sa.Double(), nullable=True,
                  comment="share of the readings; null = no reading"),
        *(sa.Column(name, sa.Double(), nullable=True, comment="median of the series: " + comment)
          for name, comment in _FIGURES),
        sa.PrimaryKeyConstraint("day", "vital", "provider", "age_band",
                                name=op.f("pk_drift_cohorts")),
        comment="drift_figures of a day by provider, vital and age")


def downgrade() -> None:
    op.drop_table("drift_cohorts")
    op.drop_table("drift_figures")
    op.drop_table("drift_events")
