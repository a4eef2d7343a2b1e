"""The one database: unified tables made from the model, and what the hub needs to run.

One schema for SQLite and PostgreSQL. Amounts, quantities and times are BIGINT (mappings/model.py says the
units), so that both databases compute exactly and both drivers take the values raw.
"""

from __future__ import annotations

from state.schema import judging, running, writing
from state.schema.entities import metadata, unified

__all__ = ["judging", "metadata", "running", "unified", "writing"]
