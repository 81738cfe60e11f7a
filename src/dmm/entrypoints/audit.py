"""``dmm audit``: chain against ledger, by a role that can only read and a node of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from dmm import observe
from dmm.bootstrap import Desk
from dmm.entrypoints.control import state_folder
from dmm.sandbox.journal import journal_url
from dmm.sandbox.state import RUN_FOLDER, StateFolder
from dmm.settings import PROJECT_ROOT, Settings, settings
from dmm.units.errors import ServiceFault

if TYPE_CHECKING:
    from dmm.usecases.audit import Audited


def run_audit(*, state: Path | None, export: Path | None, as_json: bool) -> int:
    """Audit, write the export when asked, and return the exit code: 1 for anything not in order.

    What left without a reason latches the kill switch.
    """
    from dmm.bootstrap import latch_bounds
    from dmm.usecases.audit import audit_books, latch_losses

    with _auditor(state) as (desk, reader):
        audited = audit_books(store=reader.store, log=reader.audit_log)
        latched = latch_losses(
            store=desk.store, clock=desk.clock, result=audited.result, bounds=latch_bounds(desk)
        )
        if export is not None:
            _write_export(export, reader, audited)
    body = to_json(audited, latched=latched, export=export)
    typer.echo(json.dumps(body) if as_json else _table(audited, latched=latched, export=export))
    return 0 if audited.result.is_clean else 1


@contextmanager
def _auditor(state: Path | None) -> Iterator[tuple[Desk, Desk]]:
    """Give the desk, and a second one that reads as the auditor's role.

    A folder whose desk is stopped has its database and chain started for as long as this takes.
    """
    from dmm.adapters.postgres.roles import Role, as_member

    observe.configure_logging("ERROR")
    with _settings_of(state) as config:
        desk = Desk(config)
        url = config.database_url.get_secret_value()
        try:
            with as_member(url, Role.AUDITOR) as auditor_url:
                reader = Desk(_with_database(config, auditor_url))
                try:
                    yield desk, reader
                finally:
                    reader.close()
        finally:
            desk.close()


@contextmanager
def _settings_of(state: Path | None) -> Iterator[Settings]:
    from dmm.sandbox.evm.node import EvmNode
    from dmm.sandbox.wiring import Wiring

    config = settings()
    if state is None and "database_url" in config.model_fields_set:
        yield config
        return
    folder = StateFolder(state_folder(state))
    running = folder.is_taken
    with journal_url(folder) as url:
        if running:
            yield _with_database(Wiring.load(folder.run).settings(), url)
            return
        chain_folder = folder.root / RUN_FOLDER / "evm"
        with EvmNode(root=PROJECT_ROOT, folder=chain_folder, tick_ms=0) as node:
            stopped = Settings(evm_rpc_urls=(node.url,))
            yield _with_database(stopped, url)


def _with_database(config: Settings, url: str) -> Settings:
    from pydantic import SecretStr

    return config.model_copy(update={"database_url": SecretStr(url)})


def _write_export(path: Path, reader: Desk, audited: Audited) -> None:
    from dmm.usecases.export import export_lines

    lines = export_lines(store=reader.store, audited=audited, chain_id=reader.settings.evm_chain_id)
    write_whole(path, lines)


def write_whole(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    ServiceFault
        If it cannot be written.
    """
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            file.writelines(lines)
        draft.replace(path)
    except OSError as error:
        raise ServiceFault(f"{path} cannot be written: {error.strerror or error}") from error


def to_json(audited: Audited, *, latched: bool, export: Path | None) -> dict[str, object]:
    """Return an audit as plain values."""
    result = audited.result
    return {
        "chain": result.chain,
        "clean": result.is_clean,
        "difference": result.difference,
        "checked_at_block": result.checked_at_block,
        "block_hash": result.block_hash,
        "intents": len(audited.books.intents),
        "paid": len(result.paid),
        "events": len(result.events),
        "unlike_events": result.unlike,
        "latched": latched,
        "export": None if export is None else str(export),
        "lines": [
            {
                "vault": line.vault,
                "asset": line.asset,
                "chain_atoms": line.chain_atoms,
                "ledger_atoms": line.ledger_atoms,
                "difference": line.difference,
                "unexplained": line.unexplained,
                "class": line.recon_class.value,
            }
            for line in result.lines
        ],
        "evidence": [
            {
                "intent_id": view.intent.intent_id.hex(),
                "kind": view.intent.kind.value,
                "state": view.state.value,
                "tx_id": result.paid.get(view.intent.intent_id, ("", 0))[0],
                "height": result.paid.get(view.intent.intent_id, ("", 0))[1],
            }
            for view in audited.books.intents
        ],
        "findings": [
            {"cause": finding.cause.value, "tx_id": finding.tx_id, "height": finding.height}
            for finding in result.findings
            if finding.act is None or finding.cause.is_alarm
        ],
    }


def _table(audited: Audited, *, latched: bool, export: Path | None) -> str:
    from dmm.usecases.follow import told

    result = audited.result
    rows = [f"{'vault':<10} {'asset':<6} {'chain':>26} {'ledger':>26} {'difference':>12}  class"]
    rows += [
        f"{line.vault:<10} {line.asset:<6} {line.chain_atoms:>26} {line.ledger_atoms:>26} "
        f"{line.difference:>12}  {line.recon_class.value}"
        for line in result.lines
    ]
    rows += [f"ALARM {told(finding)}" for finding in result.alarms]
    if result.unlike:
        rows.append(f"{result.unlike} events differ between the follower's record and this node")
    verdict = "in order" if result.is_clean else "NOT in order"
    rows.append(
        f"{result.chain} at block {result.checked_at_block}: {verdict}; "
        f"{len(result.paid)} of {len(audited.books.intents)} intents paid, "
        f"{len(result.events)} events, difference {result.difference}"
    )
    if latched:
        rows.append("the kill switch is latched")
    if export is not None:
        rows.append(f"export: {export}")
    return "\n".join(rows)
