"""Commands about money: what is on its way, whether chain and ledger agree, backups."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, State, app, reported, settle


@settle.command("status")
@reported
def settle_status(state: State = None, as_json: AsJson = False) -> None:
    """Show open intents, those in quarantine, live slots, and whether a kill is complete."""
    from dmm.entrypoints.settlement import run_status

    run_status(state=state, as_json=as_json)


@settle.command("release")
@reported
def settle_release(
    intent: Annotated[str, typer.Argument(help="Its id, 64 hex digits.")], state: State = None
) -> None:
    """End an intent's quarantine; needs an order for it, executed by the multisig."""
    from dmm.entrypoints.settlement import run_release

    run_release(intent=intent, state=state)


@settle.command("reverse")
@reported
def settle_reverse(
    intent: Annotated[str, typer.Argument(help="Its id, 64 hex digits.")], state: State = None
) -> None:
    """Undo a payment that the chain took back; needs an order for it, executed by the multisig."""
    from dmm.entrypoints.settlement import run_reverse

    run_reverse(intent=intent, state=state)


@settle.command("pages")
@reported
def settle_pages(
    pages: Annotated[int, typer.Option(help="How many must be there, the one in use counted.")] = 4,
    key: Annotated[
        Path | None,
        typer.Option(help="Key file that pays for missing ones; without it they are only named."),
    ] = None,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Look at the desk's next pages of quote nonces on Solana, and make those that are missing."""
    from dmm.entrypoints.solana import run_pages

    run_pages(pages=pages, key=key, state=state, as_json=as_json)


@settle.command("nonces")
@reported
def settle_nonces(
    count: Annotated[int, typer.Option(help="How many there must be.")] = 4,
    key: Annotated[Path | None, typer.Option(help="Key file that pays for missing ones.")] = None,
    payer: Annotated[str, typer.Option(help="Without --key: who paid for those to look at.")] = "",
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Look at the settlement signer's nonce accounts on Solana, and make those that are missing."""
    from dmm.entrypoints.solana import run_nonces

    run_nonces(count=count, key=key, payer=payer, state=state, as_json=as_json)


@app.command()
@reported
def audit(
    export: Annotated[
        Path | None,
        typer.Option(help="Write what proves every intent, for contracts/verify/verify.mjs."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Sign the export with this ed25519 key, PEM, mode 0600."),
    ] = None,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Compare the chain with the ledger, account by account; outflow without a reason latches."""
    from dmm.entrypoints.audit import run_audit

    raise typer.Exit(run_audit(state=state, export=export, key=key, as_json=as_json))


@app.command()
@reported
def backup(
    out: Annotated[Path, typer.Option("--out", help="The file to make; never written over.")],
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Write one consistent snapshot of the journal to a file, with its digest."""
    from dmm.entrypoints.backup import run_backup

    run_backup(out=out, state=state, as_json=as_json)


@app.command()
@reported
def restore(
    file: Annotated[Path, typer.Argument(help="What `dmm backup` made.")],
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Bring a backup back into an empty database; nothing is signed until the chain is adopted."""
    from dmm.entrypoints.backup import run_restore

    run_restore(file, state=state, as_json=as_json)
