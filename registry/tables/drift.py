"""What changed in a series and since when, and the figures that it was judged by."""

from sqlalchemy import (
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from registry.tables.base import UTCTime, metadata

drift_events = Table(
    "drift_events", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("vital", Text, nullable=False),
    Column("kind", Text, nullable=False,
           comment="level, spread, distribution, missing, gaps, error, error_size, coverage, "
                   "unit, skew"),
    Column("detected", UTCTime, nullable=False, comment="the cycle that found it"),
    Column("began", UTCTime, nullable=False, comment="the hour that the change seems to start at"),
    Column("score", Double, nullable=False, comment="how far from the training window"),
    Column("threshold", Double, nullable=False, comment="what the score had to reach"),
    Column("words", Text, nullable=False, comment="the change in plain words, without a name"),
    Column("closed_at", UTCTime, comment="the cycle that found it gone; null while it lasts"),
    PrimaryKeyConstraint("patient_id", "vital", "kind", "detected"),
    Index("ix_drift_events_open", "patient_id", "vital",
          postgresql_where=text("closed_at IS NULL")),
    Index("ix_drift_events_detected", "detected"),
    comment="a series departed from its training window; one open row a series and kind",
)

FIGURES = (
    ("psi", Double, "population stability index of the last week against the training window"),
    ("wasserstein", Double, "Wasserstein distance of the same, in deviations of the series"),
    ("level", Double, "mean of the last day less the usual, in deviations of the series"),
    ("spread", Double, "variance of the last day over the usual one"),
    ("error_ratio", Double, "size of the errors an hour ahead over what was promised, last day"),
    ("coverage_80", Double, "share of the last day's hours inside the 80 % interval an hour ahead"),
    ("skew", Double, "mean served less mean trained on, in deviations of the training window"),
    ("age_h", Double, "hours from the newest reading to the cycle"),
)
"""What a series and a cohort have alike; null where it cannot be told."""

drift_figures = Table(
    "drift_figures", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("vital", Text, nullable=False),
    Column("day", Date, nullable=False, comment="UTC date of the last hour looked at"),
    Column("cycle", UTCTime, nullable=False, comment="the last look of that day"),
    Column("provider", Text, comment="of the newest reading; null = none in the window"),
    Column("observed", Integer, nullable=False, comment="hours with a reading, of the last 24"),
    Column("missing_usual", Double, comment="share of hours missing in the training window"),
    Column("readings", Integer, nullable=False, comment="readings of the last day, of any quality"),
    Column("flagged", Integer, nullable=False, comment="of those, not of accepted quality"),
    *(Column(name, kind, comment=comment) for name, kind, comment in FIGURES),
    PrimaryKeyConstraint("patient_id", "vital", "day"),
    Index("ix_drift_figures_day", "day"),
    comment="one row a series and day: the newest look of the day",
)

drift_cohorts = Table(
    "drift_cohorts", metadata,
    Column("provider", Text, nullable=False, comment="none where no reading tells one"),
    Column("vital", Text, nullable=False),
    Column("age_band", Text, nullable=False, comment="under 40, 40-64, 65 and over, unknown"),
    Column("day", Date, nullable=False),
    Column("series", Integer, nullable=False),
    Column("drifting", Integer, nullable=False, comment="series with an event open on that day"),
    Column("missing", Double, nullable=False, comment="share of the hours of the last days"),
    Column("missing_usual", Double, comment="the same in the training windows"),
    Column("flagged", Double, comment="share of the readings; null = no reading"),
    *(Column(name, kind, comment="median of the series: " + comment)
      for name, kind, comment in FIGURES),
    PrimaryKeyConstraint("day", "vital", "provider", "age_band"),
    comment="drift_figures of a day by provider, vital and age",
)
