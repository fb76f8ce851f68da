"""One row a job, cycle and shard."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Identity,
    Index,
    Table,
    Text,
)

from registry.tables.base import NOW, UTCTime, metadata

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
