"""Every table of the registry, as SQLAlchemy Core. Rows never leave this package.

Keys are natural or content hashes, so that a job run twice writes the same rows. Columns that
tell of one particular execution (run ids, wall times, durations) are the only ones that differ.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

UTCTime = DateTime(timezone=True)
NOW = func.now()

# --- people ---------------------------------------------------------------------------------

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

# --- vendors --------------------------------------------------------------------------------

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
    Column("raw_hashes", ARRAY(Text), nullable=False, server_default="{}"),
    Column("finished_at", UTCTime, nullable=False, server_default=NOW),
    Column("duration_s", Double),
    PrimaryKeyConstraint("connection_id", "resource", "cycle"),
    comment="fetch ledger; the watermark is the newest complete row before a cycle",
)

webhook_events = Table(
    "webhook_events", metadata,
    Column("key", Text, primary_key=True, comment="sha256 of provider and body"),
    Column("provider", Text, nullable=False),
    Column("received_at", UTCTime, nullable=False, server_default=NOW),
    Column("body", LargeBinary, comment="zlib-compressed; null once it was processed"),
    Column("status", Text, nullable=False, server_default="received",
           comment="received, done, unknown_account, refused, failed"),
    Column("reason", Text),
    Column("accounts", ARRAY(Text), nullable=False, server_default="{}",
           comment="accounts that no connection has yet"),
    Column("processed_at", UTCTime),
    Index("ix_webhook_events_open", "received_at",
          postgresql_where=text("status IN ('received', 'unknown_account')")),
    comment="what vendors told by themselves; a replay has the same key",
)

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
    PrimaryKeyConstraint("raw_sha256", "record"),
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
)

observation_revisions = Table(
    "observation_revisions", metadata,
    Column("key", LargeBinary, nullable=False),
    *(Column(name, kind, nullable=null) for name, kind, null in _OBSERVATION),
    Column("fetched_at", UTCTime, nullable=False),
    Column("replaced_at", UTCTime, nullable=False, server_default=NOW),
    PrimaryKeyConstraint("key", "fetched_at"),
    comment="what an observation said before the vendor revised it",
)

# --- models ---------------------------------------------------------------------------------

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

_DOCUMENT_KEY = ["document_id", "patient_id", "vital"]
_DOCUMENT = [f"model_documents.{name}" for name in _DOCUMENT_KEY]

model_aliases = Table(
    "model_aliases", metadata,
    Column("patient_id", Text, nullable=False),
    Column("vital", Text, nullable=False),
    Column("alias", Text, nullable=False, comment="champion, ensemble"),
    Column("document_id", Text, nullable=False, index=True),
    Column("cutoff", UTCTime, nullable=False),
    Column("why", Text, nullable=False),
    PrimaryKeyConstraint("patient_id", "vital", "alias"),
    ForeignKeyConstraint(_DOCUMENT_KEY, _DOCUMENT),
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

# --- forecasts ------------------------------------------------------------------------------

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
    PrimaryKeyConstraint("patient_id", "vital", "cutoff"),
    ForeignKeyConstraint(_DOCUMENT_KEY, _DOCUMENT),
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
    Index("ix_evaluations_open", "patient_id", "vital", "cutoff",
          postgresql_where=text("NOT final")),
)

# --- operation ------------------------------------------------------------------------------

runs = Table(
    "runs", metadata,
    Column("run_id", BigInteger, Identity(), primary_key=True),
    Column("job", Text, nullable=False),
    Column("cycle", UTCTime, nullable=False),
    Column("shard", Text, nullable=False),
    Column("status", Text, nullable=False, comment="running, done, failed"),
    Column("started_at", UTCTime, nullable=False, server_default=NOW),
    Column("ended_at", UTCTime),
    Column("cpu_seconds", Double),
    Column("figures", JSON, nullable=False, server_default="{}"),
    Column("exception", Text, comment="class and place, never a message with patient data"),
    Index("ix_runs_job_cycle", "job", "cycle"),
)
