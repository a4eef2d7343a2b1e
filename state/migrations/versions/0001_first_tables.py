"""The tables of the first release.

Until 0.1 is out there is no older database to upgrade, so the first revision makes what state.schema says; it
is frozen into explicit statements with the release.
"""

from __future__ import annotations

from alembic import op

from state import schema
from state.migrations import guard_audit

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes every table."""
    connection = op.get_bind()
    schema.metadata.create_all(connection)
    guard_audit(connection)
