"""Links to vendors, what was asked of them, and what they said."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from registry.tables.base import NOW, UTCTime, metadata, ordered

connections = Table(
    "connections", metadata,
    Column("connection_id", Text, primary_key=True, comment="provider:patient_id"),
    Column("patient_id", Text, ForeignKey("patients.patient_id"), nullable=False, index=True),
    Column("provider", Text, nullable=False),
    Column("provider_user_id", Text),
    Column("scopes_granted", ARRAY(Text), nullable=False, server_default="{}"),
    Column("status", Text, nullable=False, server_default="active",
           comment="active, reauth_required, revoked, not_linked, subscription_lapsed, file"),
    Column("access_enc", LargeBinary),
    Column("refresh_enc", LargeBinary),
    Column("expires_at", UTCTime),
    Column("token_version", Integer, nullable=False, server_default="0"),
    Column("last_refresh_at", UTCTime),
    Column("provider_legacy_id", Text, comment="the same account's id at the vendor's former API"),
    Column("consented_at", UTCTime, comment="when the patient last consented"),
    Column("key_id", Text,
           comment="which key encrypts the tokens; null = written before keys had names"),
    # A revoked link holds no account: it may become another patient's.
    Index("uq_connections_account", "provider", "provider_user_id", unique=True,
          postgresql_where=text("status <> 'revoked'")),
)

consents = Table(
    "consents", metadata,
    Column("state_hash", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("patient_id", Text, ForeignKey("patients.patient_id", ondelete="CASCADE"),
           nullable=False),
    Column("username", Text, nullable=False),
    Column("session_hash", Text, nullable=False),
    Column("verifier_enc", LargeBinary),
    Column("expires_at", UTCTime, nullable=False),
    comment="patients on their way to a vendor's consent page; spent or expired rows go",
)

rate_calls = Table(
    "rate_calls", metadata,
    Column("provider", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("called_at", UTCTime, nullable=False),
    comment="calls of the latest period, of all workers together",
    prefixes=["UNLOGGED"],
)

fetches = Table(
    "fetches", metadata,
    Column("connection_id", Text, ForeignKey("connections.connection_id"), nullable=False),
    Column("resource", Text, nullable=False),
    Column("cycle", UTCTime, nullable=False, comment="the cycle's hour: end of the window"),
    Column("window_start", UTCTime, nullable=False),
    Column("outcome", Text, nullable=False,
           comment="complete, fetch_failed, format_discrepancy, not_entitled"),
    Column("reason", Text),
    Column("http_status", Integer),
    Column("pages", Integer, nullable=False),
    Column("received", Integer, nullable=False),
    Column("parsed", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("cursor_after", Text, comment="where the next cycle starts; null when not complete"),
    Column("last_sync", UTCTime),
    Column("device_syncs", JSON, comment="last sync of each device that measures by itself, by "
           "its id at the vendor; null where it told no devices apart"),
    Column("raw_hashes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("finished_at", UTCTime, nullable=False, server_default=NOW),
    Column("duration_s", Double),
    PrimaryKeyConstraint("connection_id", "resource", "cycle"),
    ordered("ix_fetches_cycle", "cycle"),
    comment="fetch ledger; the watermark is the newest complete row before a cycle",
)

webhook_events = Table(
    "webhook_events", metadata,
    Column("key", Text, primary_key=True, comment="sha256 of provider and body"),
    Column("provider", Text, nullable=False),
    Column("received_at", UTCTime, nullable=False, server_default=NOW),
    Column("body", LargeBinary, comment="zlib-compressed; null once it was processed"),
    Column("status", Text, nullable=False, server_default="received",
           comment="received, done, unknown_account, refused, failed, dismissed"),
    Column("reason", Text),
    Column("accounts", ARRAY(Text), nullable=False, server_default="{}",
           comment="accounts that no connection has yet"),
    Column("processed_at", UTCTime),
    Index("ix_webhook_events_open", "received_at",
          postgresql_where=text("status IN ('received', 'unknown_account')")),
    comment="what vendors told by themselves; a replay has the same key",
)
