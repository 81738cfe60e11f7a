"""Faults of the driver's journal."""

from __future__ import annotations

from dmm.units.errors import Fault


class Fenced(Fault):
    """Another worker holds the intent now: stop, write nothing, claim again."""
