"""Run by Alembic: applies the migrations over the connection that `migrate` opened."""

from alembic import context

from imagegen_server.stores.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
