"""Views that boards read, made anew: the first forecasts of a cycle, what is forecast from."""

from alembic import op

from registry.migrations.bi_views import VIEWS

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_COMMENTS = {
    "readings": ("no older than 72 h when they came, of links followed before",
                 "of links that were fetched from before"),
    "history": ("older ones, of a first fetch or a file; never late",
                "others: of a link's first fetch or a file; never late"),
}


def upgrade() -> None:
    for column, (before, now) in _COMMENTS.items():
        _comment(column, now, before)
    # Replaced, not dropped: rights on them and views of others upon them stay.
    for view in VIEWS:
        for statement in view.statements():
            op.execute(statement)


def downgrade() -> None:
    # The views stay: those of an older release differ in no column that it lacks.
    for column, (before, now) in _COMMENTS.items():
        _comment(column, before, now)


def _comment(column: str, now: str, before: str) -> None:
    op.alter_column("rollup_arrivals", column, comment=now, existing_comment=before)
