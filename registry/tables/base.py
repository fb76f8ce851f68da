"""The metadata that every table belongs to, and the columns' common types."""

from sqlalchemy import DateTime, Index, MetaData, func

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


def ordered(name: str, column: str) -> Index:
    """An index of a column that grows with the rows: a few pages of a hundred bytes tell where."""
    return Index(name, column, postgresql_using="brin", postgresql_with={"autosummarize": "on"})
