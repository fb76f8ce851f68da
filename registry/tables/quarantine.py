"""Payloads that were not understood, until a fixed parser reads them or a person lets them go."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

from registry.tables.base import NOW, UTCTime, metadata

quarantine = Table(
    "quarantine", metadata,
    Column("entry_id", Text, nullable=False, unique=True,
           comment="16 hex digits of a hash of the key: tells nothing of the patient"),
    Column("raw_sha256", Text, ForeignKey("raw_payloads.sha256", ondelete="CASCADE"),
           nullable=False),
    Column("connection_id", Text, ForeignKey("connections.connection_id", ondelete="CASCADE"),
           nullable=False),
    Column("resource", Text, nullable=False,
           comment="as fetched; webhook for a push, file <format> for an import"),
    Column("kind", Text, nullable=False,
           comment="page: not understood as a whole; discrepancy: too much of the fetch was "
                   "refused; records: single ones were"),
    Column("reason", Text, nullable=False, comment="what is wrong, never a value"),
    Column("records", Integer, nullable=False, comment="records refused, 1 for a whole page"),
    Column("first_cycle", UTCTime, nullable=False),
    Column("last_cycle", UTCTime, nullable=False,
           comment="of the newest cycle that it came in"),
    Column("cycles", Integer, nullable=False, server_default="1",
           comment="how many cycles it came in"),
    Column("zone", Text, comment="of local times, where the file was imported with --timezone"),
    Column("parser_version", Integer, nullable=False,
           comment="that did not understand it; after a replay the one that did"),
    Column("status", Text, nullable=False, server_default="held",
           comment="held, replayed, dismissed"),
    Column("first_seen_at", UTCTime, nullable=False, server_default=NOW),
    Column("decided_at", UTCTime),
    Column("decided_by", Text, comment="login of the operator, or the job that read it"),
    Column("why", Text, comment="why it was dismissed"),
    PrimaryKeyConstraint("raw_sha256", "connection_id", "resource"),
    Index("ix_quarantine_held", "connection_id", postgresql_where=text("status = 'held'")),
    comment="a payload stays here once for each connection and resource it came for",
)
