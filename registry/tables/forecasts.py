"""What was foretold, how severe it looks, and how right it was."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from registry.tables.base import UTCTime, metadata, ordered
from registry.tables.models import DOCUMENT, DOCUMENT_KEY

forecasts = Table(
    "forecasts", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("vital", Text, nullable=False),
    Column("cutoff", UTCTime, nullable=False, comment="first forecast hour starts here"),
    Column("horizon", Integer, nullable=False),
    Column("document_id", Text, index=True,
           comment="the ensemble's; null when there is no forecast"),
    Column("state_hash", Text),
    Column("reason", Text, comment="why there is no forecast; null when there is one"),
    Column("point", ARRAY(Double), nullable=False, comment="median, one per hour"),
    Column("lower_50", ARRAY(Double), nullable=False),
    Column("upper_50", ARRAY(Double), nullable=False),
    Column("lower_80", ARRAY(Double), nullable=False),
    Column("upper_80", ARRAY(Double), nullable=False),
    Column("lower_95", ARRAY(Double), nullable=False),
    Column("upper_95", ARRAY(Double), nullable=False),
    Column("members", JSON, nullable=False,
           comment="{name: {weights: {bucket: w}, path: [...]}}"),
    Column("absent", JSON, nullable=False, comment="{name: reason}"),
    Column("coverage", JSON,
           comment="at the cutoff: state of the last hour, since when, why, shares of the window"),
    PrimaryKeyConstraint("patient_id", "vital", "cutoff"),
    ForeignKeyConstraint(DOCUMENT_KEY, DOCUMENT),
    Index("ix_forecasts_cutoff", "cutoff"),
)

severities = Table(
    "severities", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("cutoff", UTCTime, nullable=False),
    Column("rank", Double, nullable=False, comment="work list order, worst highest"),
    Column("band", Text, nullable=False, comment="now: low ... high, not applicable"),
    Column("current", JSON, nullable=False),
    Column("outlook", JSON, nullable=False, comment="severity of the forecast"),
    Column("protocol", JSON, nullable=False, comment="home-monitoring table and verdicts"),
    PrimaryKeyConstraint("patient_id", "cutoff"),
    ordered("ix_severities_cutoff", "cutoff"),
)

evaluations = Table(
    "evaluations", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("cutoff", UTCTime, nullable=False, comment="of the forecast that is scored"),
    Column("observed", Integer, nullable=False, comment="hours observed so far"),
    Column("final", Boolean, nullable=False, comment="the whole horizon has passed"),
    Column("actual", ARRAY(Double), nullable=False, comment="one per lead, null = not observed"),
    Column("errors", JSON, nullable=False, comment="{member or ensemble: [actual - forecast]}"),
    Column("mae", JSON, nullable=False, comment="{member or ensemble: mean absolute error}"),
    Column("covered", JSON, nullable=False, comment="{level: [true, false or null per lead]}"),
    PrimaryKeyConstraint("patient_id", "vital", "cutoff"),
    ordered("ix_evaluations_cutoff", "cutoff"),
    Index("ix_evaluations_open", "patient_id", "vital", "cutoff",
          postgresql_where=text("NOT final")),
)
