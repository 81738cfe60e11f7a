from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path

import pytest

from dmm.sandbox import stack as module
from dmm.sandbox.stack import Stack
from dmm.sandbox.state import StateFolder
from dmm.units.errors import ServiceFault


class Starting(Future[None]):
    """A start under way, at which a second signal arrives while we wait for it."""

    def exception(self, timeout: float | None = None) -> BaseException | None:
        del timeout
        raise KeyboardInterrupt


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    monkeypatch.setattr(module, "free_port", lambda: 1)
    return Stack(StateFolder(tmp_path), say=lambda _text: None)


def test_a_second_signal_while_stopping_leaves_nothing_running(stack: Stack) -> None:
    ended: list[str] = []
    stack._stopping.callback(ended.append, "child")
    stack._started["prefect"] = Starting()
    with pytest.raises(KeyboardInterrupt):
        stack.__exit__(None, None, None)
    assert ended == ["child"]


def test_a_service_that_never_starts_is_named(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STARTED_S_MAX", 0.01)
    stack._started["postgres"] = Future()
    with pytest.raises(ServiceFault, match="postgres did not start"):
        stack.desk()
