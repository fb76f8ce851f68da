"""Events: the outbox that operators and the log store read."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("event_id", sa.Text(), nullable=False,
                  comment="keyed hash of what happened: a job run again writes it once"),
        sa.Column("number", sa.BigInteger(), sa.Identity(), nullable=False,
                  comment="order of arrival"),
        sa.Column("recorded_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False,
                  comment="a name of registry.event_words.KINDS"),
        sa.Column("severity", sa.Text(), nullable=False, comment="info, warning, error"),
        sa.Column("job", sa.Text(), nullable=True),
        sa.Column("cycle", _UTC, nullable=True),
        sa.Column("shard", sa.Text(), nullable=True),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("vital", sa.Text(), nullable=True),
        sa.Column("member", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True,
                  comment="a word of registry.event_words.REASONS"),
        sa.Column("series_hash", sa.Text(), nullable=True,
                  comment="patient and vital, or link, under the installation's key"),
        sa.Column("exception", sa.Text(), nullable=True,
                  comment="class of an exception, never its message"),
        sa.Column("fingerprint", sa.Text(), nullable=True,
                  comment="of class and stack: the same fault has the same"),
        sa.Column("stack", sa.Text(), nullable=True,
                  comment="the frames of an exception, innermost last"),
        sa.Column("message", sa.Text(), nullable=False, comment="from a closed vocabulary"),
        sa.Column("data", sa.JSON(), server_default="{}", nullable=False,
                  comment="numbers, words of the vocabulary and hashes"),
        sa.Column("sent_at", _UTC, nullable=True,
                  comment="when it was last sent without an answer that it is there"),
        sa.Column("delivered_at", _UTC, nullable=True,
                  comment="when Elasticsearch said that it has it"),
        sa.Column("refused", sa.Text(), nullable=True,
                  comment="why Elasticsearch will never take it"),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_events")),
        comment="what happened, patient-free; from here to Elasticsearch")
    op.create_index("ix_events_number", "events", ["number"])
    op.create_index("ix_events_cycle", "events", ["cycle", "kind"])
    op.create_index("ix_events_recorded", "events", ["recorded_at"])
    op.create_index("ix_events_waiting", "events", ["number"],
                    postgresql_where=sa.text("delivered_at IS NULL AND refused IS NULL"))
    op.create_table(
        "event_keys",
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("number = 1", name="only_one"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_event_keys")),
        comment="what ids and series in events are hashed with; made at the first event")
    op.create_table(
        "event_sinks",
        sa.Column("sink", sa.Text(), nullable=False, comment="elasticsearch"),
        sa.Column("failures", sa.Integer(), nullable=False, comment="in a row; 0 = it answers"),
        sa.Column("retry_at", _UTC, nullable=True, comment="nobody is asked before"),
        sa.Column("fault", sa.Text(), nullable=True,
                  comment="unreachable, overloaded, unauthorised, unsupported, refused"),
        sa.Column("changed_at", _UTC, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sink", name=op.f("pk_event_sinks")),
        comment="the circuit breaker of each log store, shared by all workers")


def downgrade() -> None:
    op.drop_table("event_sinks")
    op.drop_table("event_keys")
    op.drop_table("events")
