"""An embedded PostgreSQL on loopback, from the binaries of a Python wheel."""

from dmm.sandbox.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
