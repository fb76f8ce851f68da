"""What checks say of readings, what each series is usually like, and a report a day."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from registry.tables.base import NOW, UTCTime, metadata

quality_flags = Table(
    "quality_flags", metadata,
    # No foreign key: its lock would touch the reading's page, which index-only reads then revisit.
    Column("key", LargeBinary, nullable=False, comment="of the reading in observations"),
    Column("flag", Text, nullable=False,
           comment="out_of_range, jump, flat_line, impossible_pair, devices_differ, duplicate, "
                   "clock_ahead, clock_shift"),
    Column("flagged_at", UTCTime, nullable=False, server_default=NOW),
    Column("cleared_at", UTCTime, comment="null while the flag stands"),
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("effective_start", UTCTime, nullable=False),
    Column("value", Numeric, nullable=False,
           comment="what the flagged version of the reading said"),
    Column("keeps_out", Boolean, nullable=False,
           comment="the reading is not forecast from and not scored; it is shown all the same"),
    Column("reason", Text, nullable=False, comment="in words, with values: patient data"),
    PrimaryKeyConstraint("key", "flag", "flagged_at"),
    Index("ix_quality_flags_standing", "patient_id", "vital", "effective_start",
          postgresql_where=text("cleared_at IS NULL")),
    Index("ix_quality_flags_kept_out", "patient_id", "vital", "effective_start",
          postgresql_include=["value", "flagged_at", "cleared_at"],
          postgresql_where=text("keeps_out")),
    Index("ix_quality_flags_day", "effective_start", postgresql_where=text("cleared_at IS NULL")),
    comment="a row for each time a check found something about a reading; nothing is deleted",
)

profiles = Table(
    "profiles", metadata,
    Column("scope", Text, nullable=False, comment="patient or provider"),
    Column("subject", Text, nullable=False, comment="patient id or provider"),
    Column("vital", Text, nullable=False),
    Column("day", Date, nullable=False, comment="UTC, the last day of the profile"),
    Column("days", Integer, nullable=False, comment="how many days the profile reaches back"),
    Column("patients", Integer, nullable=False, comment="with a reading"),
    Column("readings", Integer, nullable=False),
    Column("hours", Integer, nullable=False, comment="patient-hours with a reading"),
    Column("missing_share", Double, nullable=False,
           comment="of the patient-hours since each patient's first reading in the profile"),
    Column("q05", Double, nullable=False, comment="5 % quantile, in the vital's own unit"),
    Column("q25", Double, nullable=False),
    Column("median", Double, nullable=False),
    Column("q75", Double, nullable=False),
    Column("q95", Double, nullable=False),
    Column("lateness_median_s", Double,
           comment="from a reading's end to its arrival; null where nothing came since a consent"),
    Column("lateness_q95_s", Double),
    Column("lateness_max_s", Double),
    Column("late", Integer, nullable=False, comment="readings that came more than 72 h late"),
    Column("devices", ARRAY(Text), nullable=False, comment="models"),
    Column("flags", JSON, nullable=False, comment="{flag: readings}, of standing flags"),
    PrimaryKeyConstraint("scope", "subject", "vital"),
    comment="what a patient's, or a provider's, readings of a vital are usually like",
)

quality_reports = Table(
    "quality_reports", metadata,
    Column("day", Date, primary_key=True, comment="UTC"),
    Column("report", JSON, nullable=False, comment="counts alone: no patient, no reading"),
    Column("made_at", UTCTime, nullable=False, server_default=NOW),
    comment="the daily quality report",
)
