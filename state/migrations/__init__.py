"""Brings a database to the tables of this release: makes them in an empty one, upgrades an older one."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect

from state import schema

HERE = Path(__file__).parent


def prepare(engine: Engine) -> None:
    """Makes or upgrades the tables; does nothing where they are current.

    Two processes may start at once: the work is done inside one write transaction.
    """
    with engine.connect() as connection, connection.begin():
        current = _revision(connection)
    if current == _script().get_current_head():
        return
    with engine.connect().execution_options(liuke_write=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            # Serialises concurrent starts; released with the transaction. 0x6C69756B = "liuk".
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1818850667)")
        current = _revision(connection)
        if current is None and not inspect(connection).has_table("run"):
            schema.metadata.create_all(connection)
            guard_audit(connection)
            command.stamp(_config(connection), "head")
        else:
            upgrade(connection)


def upgrade(connection: Connection) -> None:
    """Runs the revisions that the database has not seen, on this connection."""
    command.upgrade(_config(connection), "head")


def guard_audit(connection: Connection) -> None:
    """Makes the audit append-only in the database itself."""
    if connection.dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER audit_refuses_{act.lower()} BEFORE {act} ON audit "
                f"BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END"
            )
        return
    connection.exec_driver_sql(
        "CREATE OR REPLACE FUNCTION audit_refuses() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$"
    )
    connection.exec_driver_sql(
        "CREATE TRIGGER audit_refuses BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuses()"
    )


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _script() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    return ScriptDirectory.from_config(config)


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
