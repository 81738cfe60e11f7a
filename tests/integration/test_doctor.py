"""The doctor on a real machine, beside a real database and a real chain."""

from __future__ import annotations

import json
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dmm import settings as settings_module
from dmm.adapters.postgres.migrate import migrate
from dmm.entrypoints import migrate as migrate_process
from dmm.entrypoints.doctor import machine, run_doctor
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import EvmNode
from dmm.sandbox.postgres import EmbeddedPostgres
from dmm.sandbox.process import free_port
from dmm.sandbox.state import StateFolder
from dmm.sandbox.wiring import Wiring
from dmm.units.ids import Json

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Root's server runs under another account, which may not enter pytest's own folders.
    with tempfile.TemporaryDirectory(prefix="dmm-doctor-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder / "postgres") as server:
        yield server


@pytest.fixture(scope="module")
def evm(folder: Path) -> Iterator[EvmNode]:
    ensure_npm(ROOT, cache_dir=folder / "npm-cache")
    with EvmNode(root=ROOT, folder=folder / "evm", tick_ms=0) as node:
        yield node


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "demo") as taken:
        taken.prepare()
        yield taken


def wire(
    state: StateFolder, *, database_url: str, evm_rpc_url: str, **others: dict[str, Json]
) -> None:
    Wiring(
        database_url=database_url,
        prefect_api_url=f"http://127.0.0.1:{free_port()}/api",
        prefect_api_auth="",
        signer_socket=str(state.run / "settlement.sock"),
        quote_signer_socket=str(state.run / "quote.sock"),
        kill_socket=str(state.run / "kill.sock"),
        buyback_maker_url="",
        state_dir=str(state.root),
        chains={"evm": {"evm_rpc_urls": [evm_rpc_url]}} | others,
    ).save(state.run)


@contextmanager
def fresh_settings(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[None]:
    """Let the process read its environment again, with these variables."""
    with monkeypatch.context() as changed:
        for name, value in variables.items():
            changed.setenv(name, value)
        settings_module.settings.cache_clear()
        try:
            yield
        finally:
            settings_module.settings.cache_clear()


def examine(
    capsys: pytest.CaptureFixture[str], state: Path | None
) -> tuple[int, dict[str, dict[str, str]]]:
    capsys.readouterr()
    code = run_doctor(as_json=True, state=state)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["ok"] is (code == 0)
    assert "Traceback" not in out + err
    for check in found["checks"]:
        assert set(check) == {"name", "ok", "detail", "cure"}
        assert check["detail"]
        assert check["ok"] or check["cure"], "what is not well has a cure"
    return code, {check["name"]: check for check in found["checks"]}


def test_a_machine_that_can_run_the_desk_is_well(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, checks = examine(capsys, folder / "demo")
    names = ["python", "disk", "loopback", "port 4200", "locked versions", "postgres"]
    assert list(checks) == [*names, "node", "anvil", "desk"]
    assert code == 0, checks
    assert "none runs" in checks["desk"]["detail"]
    assert not (folder / "demo" / "run").exists(), "a look starts nothing"


def test_the_table_says_the_same_as_the_json(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_doctor(as_json=False, state=folder / "demo") == 0
    text = capsys.readouterr().out
    assert "Doctor" in text
    assert "locked versions" in text


def test_a_package_that_differs_from_the_lock_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("httpx==0.0.1 \\\n    --hash=sha256:00\nno-such-thing==1.0\n", encoding="utf-8")
    monkeypatch.setattr(machine, "LOCK_FILE", lock)
    code, checks = examine(capsys, tmp_path / "demo")
    assert code == 1
    assert "instead of 0.0.1" in checks["locked versions"]["detail"]
    assert "no-such-thing missing instead of 1.0" in checks["locked versions"]["detail"]


def test_an_entry_of_the_lock_for_another_platform_is_not_missed() -> None:
    here = machine._locked_here()
    assert "pywin32" not in here
    assert here["prefect"] == "3.8.8"


def test_who_listens_on_a_port_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        text = machine.listener(server.getsockname()[1])
    assert text.startswith("process ")
    assert "py" in text


def test_a_full_disk_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "BYTES_FREE_MIN", 1 << 60)
    _, checks = examine(capsys, tmp_path / "demo")
    assert not checks["disk"]["ok"]
    assert "MiB free" in checks["disk"]["detail"]


def test_a_running_desk_is_looked_at_service_by_service(
    state: StateFolder,
    postgres: EmbeddedPostgres,
    evm: EvmNode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    migrate(postgres.url())
    wire(state, database_url=postgres.url(), evm_rpc_url=evm.url)
    code, checks = examine(capsys, state.root)
    assert "running on" in checks["desk"]["detail"]
    assert checks["database"]["ok"], checks["database"]
    assert checks["database clock"]["ok"], checks["database clock"]
    chain = checks["chain node 0 (127.0.0.1)"]
    assert chain["ok"], chain
    assert "chain id 31337" in chain["detail"]
    # Nothing listens where Prefect should be.
    assert not checks["prefect"]["ok"]
    assert "DMM_PREFECT_API_URL" in checks["prefect"]["cure"]
    assert code == 1


def test_a_database_without_the_schema_is_not_well_until_the_cure_is_taken(
    state: StateFolder,
    postgres: EmbeddedPostgres,
    evm: EvmNode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url = postgres.url("postgres")
    wire(state, database_url=url, evm_rpc_url=evm.url)
    _, checks = examine(capsys, state.root)
    assert not checks["database"]["ok"]
    assert "revision none" in checks["database"]["detail"]
    assert "dmm.entrypoints.migrate" in checks["database"]["cure"]
    with fresh_settings(monkeypatch, DMM_DATABASE_URL=url):
        assert migrate_process.main() == 0
        assert migrate_process.main() == 0, "again is a no-op"
    _, checks = examine(capsys, state.root)
    assert checks["database"]["ok"], checks["database"]


def test_migrating_a_database_that_is_not_there_is_one_line_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"postgresql://dmm:hunter2@127.0.0.1:{free_port()}/dmm"
    with fresh_settings(monkeypatch, DMM_DATABASE_URL=url):
        assert migrate_process.main() == 1
    err = capsys.readouterr().err
    assert err.startswith("dmm migrate: ")
    assert err.count("\n") == 1
    assert "hunter2" not in err


def test_services_that_the_environment_names_are_looked_at(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_settings(monkeypatch, DMM_DATABASE_URL=postgres.url()):
        _, checks = examine(capsys, None)
    assert "DMM_DATABASE_URL" in checks["desk"]["detail"]
    assert "database" in checks


def test_a_node_of_another_chain_is_not_well(
    state: StateFolder,
    folder: Path,
    postgres: EmbeddedPostgres,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with EvmNode(root=ROOT, folder=folder / "other", chain_id=5, tick_ms=0) as node:
        wire(state, database_url=postgres.url(), evm_rpc_url=node.url)
        _, checks = examine(capsys, state.root)
    assert (
        "answers chain id 5, the settings say 31337" in checks["chain node 0 (127.0.0.1)"]["detail"]
    )


def test_services_that_are_gone_are_told_without_their_secrets(
    state: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    wire(
        state,
        database_url=f"postgresql://dmm:hunter2@127.0.0.1:{free_port()}/dmm",
        evm_rpc_url=f"http://127.0.0.1:{free_port()}/key-hunter2",
    )
    code, checks = examine(capsys, state.root)
    assert code == 1
    gone = [name for name, check in checks.items() if not check["ok"]]
    assert set(gone) >= {"database", "database clock", "chain node 0 (127.0.0.1)", "prefect"}
    assert "hunter2" not in json.dumps(checks)


def test_every_enabled_chain_is_looked_at_and_a_silent_one_told_without_its_key(
    state: StateFolder,
    postgres: EmbeddedPostgres,
    evm: EvmNode,
    capsys: pytest.CaptureFixture[str],
) -> None:
    migrate(postgres.url())
    wire(
        state,
        database_url=postgres.url(),
        evm_rpc_url=evm.url,
        solana={
            "solana_rpc_urls": [f"http://127.0.0.1:{free_port()}/key-hunter2"],
            "solana_genesis_hash": "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d",
        },
    )
    code, checks = examine(capsys, state.root)
    assert code == 1
    assert checks["chain node 0 (127.0.0.1)"]["ok"]
    assert not checks["chain solana"]["ok"]
    assert "DMM_SOLANA_" in checks["chain solana"]["cure"]
    assert "hunter2" not in json.dumps(checks)


def test_a_desk_that_has_ended_is_not_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StateFolder(tmp_path / "demo") as ended:
        ended.prepare()
        wire(ended, database_url="postgresql://127.0.0.1:1/dmm", evm_rpc_url="http://127.0.0.1:1")
    _, checks = examine(capsys, tmp_path / "demo")
    assert "none runs" in checks["desk"]["detail"]


def test_an_unusable_setting_is_named_without_its_value(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fresh_settings(monkeypatch, DMM_EVM_CHAIN_ID="hunter2"):
        code, checks = examine(capsys, folder / "demo")
    assert code == 1
    assert "evm_chain_id" in checks["settings"]["detail"]
    assert "hunter2" not in json.dumps(checks)
