"""``dmm settle pages`` and ``dmm settle nonces``: accounts on Solana that must be there before use.

Both look first and make what is missing with a key of the operator's own, which pays for it and
may do nothing else; run again they make nothing. Without a key they only look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import typer

from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.history import CHAIN
from dmm.adapters.solana.key_file import load_key
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.nonce_accounts import make_nonces, nonce_addresses, not_set_up
from dmm.adapters.solana.pages import PAGES_LOOKED_MAX, PageView, look_at_pages, make_pages
from dmm.adapters.solana.slots import NONCE_ACCOUNTS_MAX
from dmm.bootstrap import Desk
from dmm.entrypoints.control import running_desk
from dmm.units.errors import UsageFault

SIGNER = "signer:settlement"
"""Under which name the settlement signer's address is recorded among the deployments."""


def run_pages(*, pages: int, key: Path | None, state: Path | None, as_json: bool) -> None:
    """Look at the desk's next pages of quote nonces, and make the missing ones if a key pays.

    Parameters
    ----------
    pages : how many must be there, the one in use counted, in [1, `PAGES_LOOKED_MAX`]

    Raises
    ------
    UsageFault
        If the desk does not settle on Solana, nothing is deployed there, or the key is none.
    Retryable
        If a page did not land.
    """
    _require("--pages", pages, PAGES_LOOKED_MAX)
    own = None if key is None else load_key(key)
    with running_desk(state) as desk, opened(desk) as node:
        view = view_of(desk, node, pages=pages)
        made = view.missing if own is not None else ()
        if own is not None and made:
            hand = Hand(node, own, clock=desk.clock)
            program, maker = deployed(desk, "settlement"), deployed(desk, "vault:desk")
            make_pages(hand, program=program, maker=maker, words=made)
            view = view_of(desk, node, pages=pages)
    if as_json:
        typer.echo(json.dumps(asdict(view) | {"made": made}))
        return
    typer.echo(f"next nonce {view.next_nonce}: pages for {view.nonces_left} more quotes")
    typer.echo(f"made {list(made)}, missing {list(view.missing)}")


def run_nonces(
    *, count: int, key: Path | None, payer: str, state: Path | None, as_json: bool
) -> None:
    """Look at the settlement signer's nonce accounts, and make the missing ones if a key pays.

    Parameters
    ----------
    count : how many there must be, in [1, `NONCE_ACCOUNTS_MAX`]
    payer : who paid for those to look at when no key is given: their addresses follow from it

    Raises
    ------
    UsageFault, Retryable
        As `run_pages` does.
    """
    _require("--count", count, NONCE_ACCOUNTS_MAX)
    own = None if key is None else load_key(key)
    if own is None and not payer:
        raise UsageFault("give --key, which pays, or --payer to look at what it has made")
    with running_desk(state) as desk, opened(desk) as node:
        authority = deployed(desk, SIGNER)
        addresses = nonce_addresses(payer if own is None else own.address, authority, count)
        missing = not_set_up(node, addresses)
        if own is not None and missing:
            make_nonces(Hand(node, own, clock=desk.clock), authority=authority, numbers=missing)
            missing = not_set_up(node, addresses)
    there = [address for place, address in enumerate(addresses) if place not in missing]
    if as_json:
        typer.echo(json.dumps({"accounts": there, "missing": len(missing)}))
        return
    typer.echo(f"solana_nonce_accounts = {json.dumps(there)}")
    if missing:
        typer.echo(f"{len(missing)} are missing: name a key that pays for them by --key")


def view_of(desk: Desk, node: Node, *, pages: int) -> PageView:
    """Return what there is of the desk's own next pages."""
    maker = deployed(desk, "vault:desk")
    return look_at_pages(
        node,
        program=deployed(desk, "settlement"),
        maker=maker,
        next_nonce=desk.store.peek_quote_nonce(maker),
        pages=pages,
    )


@contextmanager
def opened(desk: Desk) -> Iterator[Node]:
    """Open the first node of a desk; `UsageFault` when it settles on no cluster."""
    config = desk.settings
    if CHAIN not in config.chains or not config.solana_rpc_urls:
        raise UsageFault("the desk does not settle on Solana: see DMM_CHAINS, DMM_SOLANA_RPC_URLS")
    node = Node(config.solana_rpc_urls[0], genesis_hash=config.solana_genesis_hash)
    try:
        yield node
    finally:
        node.close()


def deployed(desk: Desk, name: str) -> str:
    """Return a deployment's address; `UsageFault` when none is recorded under the name."""
    found = desk.store.deployments(CHAIN).get(name)
    if found is None:
        raise UsageFault(f"no {name} is recorded on Solana: record the deployments first")
    return found.address


def _require(name: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise UsageFault(f"{name} must be in [1, {most}], got {value}")
