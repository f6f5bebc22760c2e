"""Alembic's entry: runs the migrations on the connection that ``katib.storage.migrate`` opened and will commit."""

from __future__ import annotations

from alembic import context

from katib.storage.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=context.config.attributes["transactional_ddl"],
)
with context.begin_transaction():
    context.run_migrations()
