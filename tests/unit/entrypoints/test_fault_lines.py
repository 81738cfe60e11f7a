"""A daemon that cannot go on ends with one line and a code, never with a traceback."""

from __future__ import annotations

from typing import NoReturn

import pytest

from dmm.entrypoints import settler, worker
from dmm.entrypoints.faults import ends_on_fault
from dmm.units.errors import Fault, InvariantBroken, ServiceFault, UsageFault


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (UsageFault("no such\n  setting"), 2),
        (ServiceFault("no such\n  setting"), 1),
        (InvariantBroken("no such\n  setting"), 1),
    ],
)
def test_a_fault_is_one_line_and_its_kind_the_exit_code(
    fault: Fault, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, ends_on_fault("settler"):
        raise fault
    assert ended.value.code == code
    assert capsys.readouterr().err == "dmm settler: no such setting\n"


@pytest.mark.parametrize(("daemon", "first"), [(settler, "settings"), (worker, "desk")])
def test_a_daemon_without_its_database_says_so_on_one_line(
    daemon: object, first: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unreachable() -> NoReturn:
        raise ServiceFault("database 127.0.0.1:5432/dmm unreachable")

    monkeypatch.setattr(daemon, first, unreachable)
    monkeypatch.setattr("sys.argv", ["dmm"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        daemon.main()  # type: ignore[attr-defined]
    assert ended.value.code == 1
    err = capsys.readouterr().err
    assert err.endswith("unreachable\n")
    assert err.count("\n") == 1
