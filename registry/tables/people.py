"""Patients, who may see them, and what people entered about them."""

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
)

from registry.tables.base import NOW, UTCTime, metadata

patients = Table(
    "patients", metadata,
    Column("patient_id", Text, primary_key=True),
    Column("birth_date", Date),
    Column("pregnant", Boolean, nullable=False, server_default="false"),
    Column("spo2_scale", Integer, nullable=False, server_default="1",
           comment="2 only by a clinician's entry"),
    Column("created_at", UTCTime, nullable=False, server_default=NOW),
)

users = Table(
    "users", metadata,
    Column("username", Text, primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False, comment="doctor, operator or service"),
    Column("created_at", UTCTime, nullable=False, server_default=NOW),
    Column("session_version", Integer, nullable=False, server_default="0",
           comment="another password makes another one, which ends every older session"),
)

ended_sessions = Table(
    "ended_sessions", metadata,
    Column("session_id", Text, primary_key=True),
    Column("expires_at", UTCTime, nullable=False),
    comment="signed out of, until the token itself has expired",
)

care = Table(
    "care", metadata,
    Column("username", Text, ForeignKey("users.username", ondelete="CASCADE"), primary_key=True),
    Column("patient_id", Text, ForeignKey("patients.patient_id", ondelete="CASCADE"),
           primary_key=True),
    comment="whose patients a doctor may see",
)

clinical_entries = Table(
    "clinical_entries", metadata,
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False),
    Column("effective_at", UTCTime, nullable=False),
    Column("item", Text, nullable=False,
           comment="supplemental_oxygen, consciousness, spo2_scale, chest_pain, ..."),
    Column("value", Text, nullable=False),
    Column("entered_by", Text, nullable=False),
    Column("entered_at", UTCTime, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("patient_id", "item", "effective_at"),
)
