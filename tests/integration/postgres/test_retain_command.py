"""The command that prunes by hand and proves what was pruned: one JSON object, or one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import journal_samples as make
import pytest
from pydantic import SecretStr

from dmm import bootstrap
from dmm.adapters.postgres.store import PostgresStore
from dmm.entrypoints import retain
from dmm.settings import Settings
from dmm.units.time import Nanos


@pytest.fixture(autouse=True)
def wired(
    store: PostgresStore, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Settings(database_url=SecretStr(database_url), state_dir=tmp_path)
    monkeypatch.setattr(bootstrap, "desk", lambda: bootstrap.Desk(config))
    store.open_run(make.run())
    store.append_decisions(make.decisions(7))
    store.finish_run(make.RUN, finished_at_ns=Nanos(700))
    store.open_run(make.run("later", started_at_ns=500))


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_wrong_call_ends_with_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    for call in (["--keep-days", "0"], ["--prove", "nothing.jsonl.gz"]):
        assert retain.main(call) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("dmm retain: ")
        assert err.count("\n") == 1


def test_a_forged_archive_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert retain.main([]) == 0
    path = Path(said(capsys)["pruned"][0]["archive"])
    path.write_bytes(path.read_bytes()[:-9])
    assert retain.main(["--prove", path.name]) == 1
    assert "cut off or damaged" in capsys.readouterr().err


def test_what_is_pruned_lies_in_the_state_folder_and_is_proven_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retain.main([]) == 0
    (pruned,) = said(capsys)["pruned"]
    assert pruned["archive"] == str(tmp_path / "archive" / "decision_run-7_0.jsonl.gz")
    assert retain.main(["--prove", "decision_run-7_0.jsonl.gz"]) == 0
    assert said(capsys) == {"proven": pruned}
    assert retain.main(["--verify", make.RUN]) == 0
    proof = said(capsys)
    assert (proof["anchors"], proof["first_seq"], proof["links"]) == (1, 7, 0)
    assert proof["head"] == make.decisions(7)[-1].link_hash.hex()


def test_the_archive_may_lie_elsewhere_or_nowhere(
    tmp_path: Path, store: PostgresStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retain.main(["--archive", str(tmp_path / "other")]) == 0
    assert said(capsys)["pruned"][0]["archive"].startswith(str(tmp_path / "other"))
    store.append_decisions(make.decisions(7, run_id="later"))
    store.finish_run("later", finished_at_ns=Nanos(700))
    store.open_run(make.run("last", started_at_ns=600))
    assert retain.main(["--no-archive"]) == 0
    assert said(capsys)["pruned"][0]["archive"] == ""


def test_a_run_is_verified_by_its_beginning_or_as_the_latest(
    store: PostgresStore, capsys: pytest.CaptureFixture[str]
) -> None:
    store.append_decisions(make.decisions(3, run_id="later"))
    assert retain.main(["--verify", "latest"]) == 0
    assert said(capsys)["run_id"] == "later"
    assert retain.main(["--verify", "no-such-run"]) == 2
    assert "no run begins with 'no-such-run'" in capsys.readouterr().err


def test_pruning_takes_no_state_folder(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        retain.main(["--state", str(tmp_path)])
    assert ended.value.code == 2


def test_a_state_folder_without_a_journal_is_told_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retain.main(["--verify", make.RUN, "--state", str(tmp_path)]) == 2
    assert "holds no journal" in capsys.readouterr().err
