"""What happened: an outbox that the log store is fed from. No row names a patient."""

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    text,
)

from registry.tables.base import NOW, UTCTime, metadata

events = Table(
    "events", metadata,
    Column("event_id", Text, primary_key=True,
           comment="keyed hash of what happened: a job run again writes it once"),
    Column("number", BigInteger, Identity(), nullable=False, comment="order of arrival"),
    Column("recorded_at", UTCTime, nullable=False, server_default=NOW),
    Column("kind", Text, nullable=False, comment="a name of registry.event_words.KINDS"),
    Column("severity", Text, nullable=False, comment="info, warning, error"),
    Column("job", Text),
    Column("cycle", UTCTime),
    Column("shard", Text),
    Column("run_id", BigInteger),
    Column("provider", Text),
    Column("vital", Text),
    Column("member", Text),
    Column("reason", Text, comment="a word of registry.event_words.REASONS"),
    Column("series_hash", Text, comment="patient and vital, or link, under the installation's key"),
    Column("exception", Text, comment="class of an exception, never its message"),
    Column("fingerprint", Text, comment="of class and stack: the same fault has the same"),
    Column("stack", Text, comment="the frames of an exception, innermost last"),
    Column("message", Text, nullable=False, comment="from a closed vocabulary"),
    Column("data", JSON, nullable=False, server_default="{}",
           comment="numbers, words of the vocabulary and hashes"),
    Column("sent_at", UTCTime, comment="when it was last sent without an answer that it is there"),
    Column("delivered_at", UTCTime, comment="when Elasticsearch said that it has it"),
    Column("refused", Text, comment="why Elasticsearch will never take it"),
    Index("ix_events_number", "number"),
    Index("ix_events_cycle", "cycle", "kind"),
    Index("ix_events_recorded", "recorded_at"),
    Index("ix_events_waiting", "number",
          postgresql_where=text("delivered_at IS NULL AND refused IS NULL")),
    comment="what happened, patient-free; from here to Elasticsearch",
)

event_keys = Table(
    "event_keys", metadata,
    Column("number", SmallInteger, primary_key=True, autoincrement=False),
    Column("secret", LargeBinary, nullable=False),
    CheckConstraint("number = 1", name="only_one"),
    comment="what ids and series in events are hashed with; made at the first event",
)

event_sinks = Table(
    "event_sinks", metadata,
    Column("sink", Text, primary_key=True, comment="elasticsearch"),
    Column("failures", Integer, nullable=False, comment="in a row; 0 = it answers"),
    Column("retry_at", UTCTime, comment="nobody is asked before"),
    Column("fault", Text, comment="unreachable, overloaded, unauthorised, unsupported, refused"),
    Column("changed_at", UTCTime, nullable=False, server_default=NOW),
    comment="the circuit breaker of each log store, shared by all workers",
)
