"""``dmm audit``: chain against ledger, by a role that can only read and a node of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from dmm import observe
from dmm.adapters.audit_key import AuditKey, load_audit_key
from dmm.bootstrap import Desk
from dmm.entrypoints.control import state_folder
from dmm.sandbox.journal import journal_url
from dmm.sandbox.state import StateFolder
from dmm.settings import PROJECT_ROOT, Settings, settings
from dmm.settlement.carrier import is_carrier
from dmm.settlement.intent import IntentKind, IntentState
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import Retryable, ServiceFault

if TYPE_CHECKING:
    from dmm.usecases.audit import Audited


def run_audit(
    *, state: Path | None, export: Path | None, as_json: bool, key: Path | None = None
) -> int:
    """Audit every chain, write exports when asked, and return the exit code: 1 if not in order.

    What left without a reason latches the kill switch. A chain that is silent is not in order, and
    keeps nobody from auditing the others.

    Parameters
    ----------
    export : file of the home chain; that of another chain has its name before the ending
    """
    signs = None if key is None else load_audit_key(key)
    views: dict[str, View] = {}
    silent: dict[str, str] = {}
    with _auditor(state) as (desk, reader):
        for name in reader.chains():
            path = None if export is None else export_path(export, name)
            try:
                views[name] = _audit_one(desk, reader, name, export=path, key=signs)
            except Retryable as fault:
                silent[name] = str(fault)
    if as_json:
        typer.echo(json.dumps(to_json(views, silent)))
    else:
        for view in views.values():
            typer.echo(_table(view))
        for name, why in silent.items():
            typer.echo(f"{name}: NOT audited ({why})")
    return 0 if not silent and all(view.audited.result.is_clean for view in views.values()) else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The audit of one chain, and what was done about it."""

    audited: Audited
    latched: bool
    export: Path | None


def export_path(path: Path, chain: str) -> Path:
    """Return where a chain's export goes: `path` for the home chain, else beside it."""
    return path if chain == HOME_CHAIN else path.with_name(f"{path.stem}.{chain}{path.suffix}")


def _audit_one(
    desk: Desk, reader: Desk, name: str, *, export: Path | None, key: AuditKey | None
) -> View:
    from dmm.bootstrap import latch_bounds
    from dmm.usecases.audit import audit_books, latch_losses

    audited = audit_books(store=reader.store, log=reader.audit_log(name))
    latched = latch_losses(
        store=desk.store, clock=desk.clock, result=audited.result, bounds=latch_bounds(desk)
    )
    if export is not None:
        _write_export(export, reader, audited, key)
    return View(audited=audited, latched=latched, export=export)


@contextmanager
def _auditor(state: Path | None) -> Iterator[tuple[Desk, Desk]]:
    """Give the desk, and a second one that reads as the auditor's role.

    A folder whose desk is stopped has its database and chains started for as long as this takes.
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
    from dmm.sandbox.chains import LOCAL_CHAINS, open_chain
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
        fields: dict[str, Any] = {}
        names = [name for name in LOCAL_CHAINS if (folder.run / name).is_dir()]
        with ExitStack() as started:
            for name in names:
                chain = open_chain(
                    name,
                    root=PROJECT_ROOT,
                    folder=folder.run / name,
                    cache_dir=folder.root / "npm-cache",
                )
                started.callback(chain.stop)
                chain.start()
                fields |= chain.settings()
            yield _with_database(Settings(chains=tuple(names), **fields), url)


def _with_database(config: Settings, url: str) -> Settings:
    from pydantic import SecretStr

    return config.model_copy(update={"database_url": SecretStr(url)})


def _write_export(path: Path, reader: Desk, audited: Audited, key: AuditKey | None) -> None:
    from dmm.usecases.export import export_lines

    lines = export_lines(
        store=reader.store,
        audited=audited,
        chain_id=reader.network_id(audited.result.chain),
        key=key,
    )
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


def to_json(views: Mapping[str, View], silent: Mapping[str, str]) -> dict[str, object]:
    """Return audits as plain values: what concerns all chains, then each chain's own.

    Parameters
    ----------
    silent : by chain that could not be audited, why
    """
    chains: dict[str, object] = {name: _one_to_json(view) for name, view in views.items()}
    results = [view.audited.result for view in views.values()]
    return {
        "clean": not silent and all(result.is_clean for result in results),
        "difference": sum(abs(result.difference) for result in results),
        "latched": any(view.latched for view in views.values()),
        "chains": chains | {name: {"audited": False, "why": why} for name, why in silent.items()},
    }


def _one_to_json(view: View) -> dict[str, object]:
    audited, result = view.audited, view.audited.result
    # A carrier pays nobody by itself: what it settles are intents of their own.
    payments = [seen for seen in audited.books.intents if not is_carrier(seen.intent)]
    final = Counter(seen.intent.kind for seen in payments if seen.state is IntentState.FINAL)
    return {
        "audited": True,
        "clean": result.is_clean,
        "difference": result.difference,
        "checked_at_block": result.checked_at_block,
        "block_hash": result.block_hash,
        "settlements": final.total(),
        "rewards": final[IntentKind.REWARD],
        "buybacks": final[IntentKind.BUYBACK],
        "quotes": final[IntentKind.QUOTE],
        "intents": len(payments),
        "carriers": len(audited.books.intents) - len(payments),
        "paid": len(result.paid),
        "events": len(result.events),
        "unlike_events": result.unlike,
        "latched": view.latched,
        "export": None if view.export is None else str(view.export),
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
                "intent_id": seen.intent.intent_id.hex(),
                "kind": seen.intent.kind.value,
                "state": seen.state.value,
                "tx_id": result.paid.get(seen.intent.intent_id, ("", 0))[0],
                "height": result.paid.get(seen.intent.intent_id, ("", 0))[1],
            }
            for seen in payments
        ],
        "findings": [
            {"cause": finding.cause.value, "tx_id": finding.tx_id, "height": finding.height}
            for finding in result.findings
            if finding.act is None or finding.cause.is_alarm
        ],
    }


def _table(view: View) -> str:
    from dmm.usecases.follow import told

    audited, result = view.audited, view.audited.result
    rows = [f"{'vault':<16} {'asset':<6} {'chain':>26} {'ledger':>26} {'difference':>12}  class"]
    rows += [
        f"{line.vault:<16} {line.asset:<6} {line.chain_atoms:>26} {line.ledger_atoms:>26} "
        f"{line.difference:>12}  {line.recon_class.value}"
        for line in result.lines
    ]
    rows += [f"ALARM {told(finding)}" for finding in result.alarms]
    if result.unlike:
        rows.append(f"{result.unlike} events differ between the follower's record and this node")
    payments = sum(not is_carrier(seen.intent) for seen in audited.books.intents)
    verdict = "in order" if result.is_clean else "NOT in order"
    rows.append(
        f"{result.chain} at block {result.checked_at_block}: {verdict}; "
        f"{len(result.paid)} of {payments} intents paid, "
        f"{len(result.events)} events, difference {result.difference}"
    )
    if view.latched:
        rows.append("the kill switch is latched")
    if view.export is not None:
        rows.append(f"export: {view.export}")
    return "\n".join(rows)
