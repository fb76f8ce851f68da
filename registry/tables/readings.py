"""What vendors sent, byte for byte, and the observations read from it."""

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
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

from registry.tables.base import NOW, UTCTime, metadata, ordered

raw_payloads = Table(
    "raw_payloads", metadata,
    Column("sha256", Text, primary_key=True, comment="of the uncompressed body"),
    Column("provider", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("body", LargeBinary, nullable=False, comment="zlib-compressed"),
    Column("stored_at", UTCTime, nullable=False, server_default=NOW),
)

refusals = Table(
    "refusals", metadata,
    Column("raw_sha256", Text, ForeignKey("raw_payloads.sha256", ondelete="CASCADE"),
           nullable=False),
    Column("record", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("connection_id", Text, nullable=False),
    PrimaryKeyConstraint("raw_sha256", "connection_id", "record"),
    comment="records of a payload that were not understood",
)

_OBSERVATION = (
    ("patient_id", Text, False), ("vital", Text, False), ("provider", Text, False),
    ("connection_id", Text, True), ("value", Numeric, False),
    ("effective_start", UTCTime, False), ("effective_end", UTCTime, False),
    ("utc_offset_s", Integer, True), ("civil_date", Date, True),
    ("granularity", Text, False), ("statistic", Text, False), ("context", Text, False),
    ("method", Text, False), ("body_site", Text, True), ("device_id", Text, True),
    ("device_model", Text, True), ("source_record_id", Text, True), ("group_id", Text, True),
    ("provider_modified_at", UTCTime, True), ("raw_sha256", Text, True),
    ("parser_version", Integer, False), ("quality", Text, False),
    ("quality_reasons", ARRAY(Text), False),
)

observations = Table(
    "observations", metadata,
    Column("key", LargeBinary, primary_key=True),
    *(Column(name, kind, nullable=null) for name, kind, null in _OBSERVATION),
    Column("fetched_at", UTCTime, nullable=False, server_default=NOW),
    # Everything that chooses hourly readings, so that the jobs' windows come from the index alone.
    Index("ix_observations_series", "patient_id", "vital", "effective_start",
          postgresql_include=["value", "quality", "granularity", "statistic", "context",
                              "utc_offset_s", "civil_date"]),
    Index("ix_observations_nights", "patient_id", "vital", "effective_start",
          postgresql_include=["value", "quality", "statistic"],
          postgresql_where=text("granularity IN ('night', 'day')")),
    # Rare: coverage asks who has any, for they show neither wear nor a sync.
    Index("ix_observations_manual", "patient_id", "effective_start",
          postgresql_where=text("method = 'manual'")),
    ordered("ix_observations_arrival", "fetched_at"),
)

observation_revisions = Table(
    "observation_revisions", metadata,
    Column("key", LargeBinary, nullable=False),
    *(Column(name, kind, nullable=null) for name, kind, null in _OBSERVATION),
    Column("fetched_at", UTCTime, nullable=False),
    Column("replaced_at", UTCTime, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("key", "fetched_at"),
    ordered("ix_observation_revisions_arrival", "fetched_at"),
    comment="what an observation said before the vendor revised it",
)
