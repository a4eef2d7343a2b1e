"""Runs Alembic inside the connection and transaction that state.migrations hands it."""

from __future__ import annotations

from alembic import context

from state import schema

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=schema.metadata, render_as_batch=True)
context.run_migrations()
