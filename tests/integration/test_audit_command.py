"""`dmm audit`, `dmm backup` and `dmm restore` on a state folder that nobody runs."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import journal_samples as make
import pytest
from desk_memory import INSTRUMENT
from typer.testing import CliRunner

from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.postgres.migrate import migrate
from dmm.adapters.postgres.store import PostgresStore
from dmm.bootstrap import ARTEFACT_DIR
from dmm.entrypoints.cli import app
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.evm.actors import Actors
from dmm.sandbox.evm.deploy import deploy
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import EvmNode
from dmm.sandbox.evm.transact import Sender
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.settings import PROJECT_ROOT
from dmm.usecases.audit import record_funding

CHAIN_ID = 31_337
RUN = replace(make.run(), spec={"instrument": INSTRUMENT.to_json()})


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Return a state folder with a funded desk on its own chain, both stopped."""
    ensure_npm(PROJECT_ROOT, cache_dir=PROJECT_ROOT / ".dmm" / "npm-cache")
    made = Path(tempfile.mkdtemp(prefix="dmm-audit-"))
    made.chmod(0o755)
    run = made / "desk" / "run"
    with (
        EmbeddedPostgres(run / "postgres") as postgres,
        EvmNode(root=PROJECT_ROOT, folder=run / "evm", tick_ms=0) as node,
    ):
        migrate(postgres.url())
        deployments = deploy(
            node=node,
            artefact_dir=ARTEFACT_DIR,
            actors=Actors.of(run / "evm"),
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
        )
        with PostgresStore(postgres.url()) as store:
            store.record_deployments(deployments)
            log = EvmLog(
                rpc_urls=(node.url,),
                chain_id=CHAIN_ID,
                deployments={d.name: d for d in deployments},
                artefact_dir=ARTEFACT_DIR,
            )
            height = max(d.height for d in deployments)
            record_funding(store=store, log=log, clock=SystemClock(), height=height, wait_s_max=1)
            store.open_run(RUN)
    yield made
    shutil.rmtree(made)


def dmm(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    return done.exit_code, done.output


def audit(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    code, said = dmm("audit", "--json", "--state", str(folder / "desk"), *options)
    found = json.loads(said)
    assert list(found["chains"]) == ["evm"]
    return code, found


def test_a_folder_without_a_desk_is_named(tmp_path: Path) -> None:
    code, said = dmm("audit", "--state", str(tmp_path))
    assert code == 2
    assert "holds no journal" in said


def test_a_desk_in_order_exits_0_and_writes_its_export(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "export.jsonl"
    code, found = audit(folder, "--export", str(out))
    assert code == 0
    assert (found["clean"], found["difference"], found["latched"]) == (True, 0, False)
    header, *_, end = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert header["chain_id"] == CHAIN_ID
    assert end["type"] == "end"
    assert list(tmp_path.iterdir()) == [out]


def test_an_export_that_cannot_be_written_is_a_fault(folder: Path, tmp_path: Path) -> None:
    code, said = dmm(
        "audit", "--state", str(folder / "desk"), "--export", str(tmp_path / "no" / "x")
    )
    assert code == 1
    assert "cannot be written" in said


def test_a_backup_comes_back_on_another_server_and_adopts_only(
    folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "journal.backup"
    code, said = dmm("backup", "--json", "--state", str(folder / "desk"), "--out", str(file))
    assert code == 0, said
    second = folder / "second"
    code, said = dmm("restore", str(file), "--state", str(second))
    assert code == 0, said
    assert "adopts only, until chain time" in said
    code, said = dmm("restore", str(file), "--state", str(second))
    assert code == 2
    assert "nothing is written over" in said
    with (
        EmbeddedPostgres(second / "run" / "postgres") as postgres,
        PostgresStore(postgres.url()) as store,
    ):
        assert store.run(make.RUN) == RUN
        assert store.adopt_only("evm") is not None


def test_a_theft_latches_and_exits_1(folder: Path) -> None:
    run = folder / "desk" / "run"
    with EvmNode(root=PROJECT_ROOT, folder=run / "evm", tick_ms=0) as node:
        actors = Actors.of(run / "evm")
        tokens = json.loads((run / "evm" / "deployments.json").read_text(encoding="utf-8"))
        token = next(Deployment(**t) for t in tokens if t["name"] == "token:BTC")
        Sender(rpc=node.rpc, key=actors.desk, chain_id=CHAIN_ID).submit(
            token.address, calldata("transfer(address,uint256)", actors.takers[0].address, 25)
        )
        node.mine(20)
    code, found = audit(folder)
    assert code == 1
    assert (found["clean"], found["difference"], found["latched"]) == (False, 25, True)
    evm = found["chains"]["evm"]
    assert [finding["cause"] for finding in evm["findings"]] == ["outflow"]
    assert (evm["audited"], evm["difference"], evm["latched"]) == (True, 25, True)
    code, said = dmm("audit", "--state", str(folder / "desk"))
    assert code == 1
    assert "ALARM outflow in 0x" in said
    assert "the kill switch is latched" in said
