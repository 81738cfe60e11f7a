"""Hypothesis profiles and the house rules every test lives under."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

ROOT_UNIT_FOLDERS = ("tests/unit/", "tests/property/", "tests/golden/")

settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("local", max_examples=60, deadline=None, print_blob=True)
settings.register_profile(
    "deep",
    max_examples=5_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "local")
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Block sockets in every test that has no business with them."""
    for item in items:
        if any(folder in item.nodeid for folder in ROOT_UNIT_FOLDERS):
            item.add_marker(pytest.mark.disable_socket)
