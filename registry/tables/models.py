"""Model documents, what became of each fit, and the windows they were fitted to."""

from sqlalchemy import (
    JSON,
    Column,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from registry.tables.base import NOW, UTCTime, metadata, ordered

model_configs = Table(
    "model_configs", metadata,
    Column("config_hash", Text, primary_key=True),
    Column("config", JSON, nullable=False),
    Column("first_used_at", UTCTime, nullable=False, server_default=NOW),
)

model_documents = Table(
    "model_documents", metadata,
    Column("document_id", Text, nullable=False, comment="sha256 of the document's text"),
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("vital", Text, nullable=False),
    Column("member", Text, nullable=False, comment="a member's name, or 'ensemble'"),
    Column("engine", Text, nullable=False),
    Column("cutoff", UTCTime, nullable=False, comment="end of the data it was fitted to"),
    Column("parent_id", Text, comment="the previous document of that member"),
    Column("made_by", Text, nullable=False, comment="search or refit"),
    Column("document", Text, nullable=False, comment="JSON, byte for byte as hashed"),
    Column("created_at", UTCTime, nullable=False, server_default=NOW),
    # Series with the same readings have the same document, and each its own row.
    PrimaryKeyConstraint("document_id", "patient_id", "vital"),
    Index("ix_model_documents_series", "patient_id", "vital", "member", "cutoff"),
)

DOCUMENT_KEY = ["document_id", "patient_id", "vital"]
DOCUMENT = [f"model_documents.{name}" for name in DOCUMENT_KEY]

model_aliases = Table(
    "model_aliases", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("alias", Text, nullable=False, comment="champion, ensemble"),
    Column("document_id", Text, nullable=False, index=True),
    Column("cutoff", UTCTime, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("patient_id", "vital", "alias"),
    ForeignKeyConstraint(DOCUMENT_KEY, DOCUMENT),
)

fits = Table(
    "fits", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("member", Text, nullable=False),
    Column("cutoff", UTCTime, nullable=False),
    Column("outcome", Text, nullable=False,
           comment="fitted, failed, timeout, too_little_data, switched_off"),
    Column("reason", Text),
    Column("document_id", Text),
    Column("config_hash", Text, nullable=False),
    Column("seconds", Double),
    Column("cpu_seconds", Double),
    Column("host", Text),
    Column("finished_at", UTCTime, nullable=False, server_default=NOW),
    Column("made_by", Text, comment="search or refit; null where nothing was fitted"),
    PrimaryKeyConstraint("patient_id", "vital", "member", "cutoff"),
    ordered("ix_fits_cutoff", "cutoff"),
)

series_statistics = Table(
    "series_statistics", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("job", Text, nullable=False, comment="train or forecast"),
    Column("cutoff", UTCTime, nullable=False),
    Column("entries", Integer, nullable=False, comment="readings in the window"),
    Column("hours", Integer, nullable=False),
    Column("missing", Integer, nullable=False, comment="hours without a reading"),
    Column("fact_start", UTCTime, nullable=False),
    Column("fact_end", UTCTime, nullable=False),
    Column("forecast_start", UTCTime, nullable=False),
    Column("forecast_end", UTCTime, nullable=False),
    Column("first_time", UTCTime),
    Column("last_time", UTCTime),
    Column("minimum", Double),
    Column("maximum", Double),
    Column("mean", Double),
    Column("std", Double),
    Column("mean_gap_s", Double),
    Column("data_hash", Text, nullable=False),
    PrimaryKeyConstraint("patient_id", "vital", "job", "cutoff"),
)
