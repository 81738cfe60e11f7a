"""One Prefect server, and one process that serves deployments, for all tests of flows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_HOME,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from dmm.adapters.scheduler.prefect import PrefectScheduler
from dmm.sandbox.prefect import PrefectServer

WAIT_S_MAX = 20.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {WAIT_S_MAX:.0f} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool], str], None]:
    return wait_for


@pytest.fixture(scope="session")
def ui_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect-ui")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, ui_dir: Path) -> Iterator[PrefectServer]:
    with PrefectServer(tmp_path_factory.mktemp("prefect"), ui_dir=ui_dir) as running:
        yield running


@pytest.fixture(scope="session")
def child_environment(server: PrefectServer) -> dict[str, str]:
    mine = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "DMM_"))}
    return {**mine, **server.environment()}


@pytest.fixture(scope="session")
def scheduler(server: PrefectServer) -> Iterator[PrefectScheduler]:
    with PrefectScheduler(server.api_url, server.auth) as adapter:
        yield adapter


@pytest.fixture
def in_process(server: PrefectServer) -> Iterator[None]:
    """Let flows called in this process run against the server."""
    values = {
        PREFECT_API_URL: server.api_url,
        PREFECT_API_AUTH_STRING: server.auth,
        PREFECT_HOME: server.state_dir,
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    with temporary_settings(updates=values):
        yield
