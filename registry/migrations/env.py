"""Alembic's entry: runs the revisions in the transaction that `registry.migrate` opened."""

from alembic import context

from registry.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
