"""Solana as a desk uses it: its nodes, the program on the cluster, and what must be made ahead."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from dmm.adapters.clock import SystemClock
from dmm.adapters.solana import abi
from dmm.adapters.solana.calls import NONCES_PER_PAGE
from dmm.adapters.solana.deployer import program_at
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.nonce_accounts import not_set_up
from dmm.bootstrap import Desk
from dmm.entrypoints.doctor.check import Check, beside_clock, look
from dmm.entrypoints.solana import deployed, opened, view_of
from dmm.settings import PROJECT_ROOT, Settings
from dmm.units.errors import ServiceFault
from dmm.units.time import NS_PER_S
from dmm.units.web_address import host_of, port_of

_PACKAGED = Path(abi.__file__).with_name("dmm.so")
CODE = (
    _PACKAGED if _PACKAGED.exists() else PROJECT_ROOT / "contracts" / "solana" / "build" / "dmm.so"
)
"""The committed program; an installed wheel has none beside it."""

PAGES_LOOKED = 4
NONCES_LEFT_MIN = NONCES_PER_PAGE
"""Fewer quotes than this without a new page are too few: whoever makes pages needs time."""


def check_solana(config: Settings) -> Iterator[Check]:
    """Look at each node, and through the first one at what the desk needs there."""
    own = (config.solana_audit_rpc_url,) if config.solana_audit_rpc_url else ()
    for number, url in enumerate(dict.fromkeys((*config.solana_rpc_urls, *own))):
        yield look(
            f"solana node {number} ({host_of(url)})",
            functools.partial(_node, url, config.solana_genesis_hash),
            cure="start the node, or correct DMM_SOLANA_RPC_URLS and DMM_SOLANA_GENESIS_HASH",
        )
    yield look(
        "solana program",
        functools.partial(_program, config),
        cure="deploy the committed program: python -m dmm.entrypoints.deploy_solana --help",
    )
    yield look(
        "solana nonce pages",
        functools.partial(_pages, config),
        cure="run `dmm settle pages --key FILE` with a key that pays for them",
    )
    if config.solana_nonce_accounts:
        yield look(
            "solana nonce accounts",
            functools.partial(_nonces, config),
            cure="run `dmm settle nonces --key FILE` and name what it prints",
        )


def _node(url: str, genesis_hash: str) -> str:
    node = Node(url, genesis_hash=genesis_hash)
    try:
        head, final = node.slot("confirmed"), node.slot("finalized")
        late_s = SystemClock().now_ns() // NS_PER_S - node.block_time_s(final)
        version = str(node.call("getVersion").get("solana-core", "unknown"))
    finally:
        node.close()
    port = port_of(url)
    where = f"port {port}, " if port else ""
    return (
        f"{where}version {version}, genesis hash {genesis_hash}, head {head}, final {final}, "
        f"{beside_clock(late_s)}"
    )


def _program(config: Settings) -> str:
    desk = Desk(config)
    try:
        with opened(desk) as node:
            address = deployed(desk, "settlement")
            there = program_at(node, address)
    finally:
        desk.close()
    if there is None:
        raise ServiceFault(f"there is no program at {address}")
    by = f"changed by {there.authority}" if there.authority else "changed by nobody any more"
    if not CODE.exists():
        return f"{address}, {by}; not compared: this installation has no committed program"
    if not there.holds(CODE.read_bytes()):
        raise ServiceFault(f"{address}, {by}, is not the committed program {CODE.name}")
    return f"{address} is the committed program, {by}"


def _pages(config: Settings) -> str:
    desk = Desk(config)
    try:
        with opened(desk) as node:
            view = view_of(desk, node, pages=PAGES_LOOKED)
    finally:
        desk.close()
    text = f"next nonce {view.next_nonce}, pages for {view.nonces_left} more quotes"
    if view.nonces_left < NONCES_LEFT_MIN:
        raise ServiceFault(f"{text}: at least {NONCES_LEFT_MIN} should be there")
    return text


def _nonces(config: Settings) -> str:
    desk = Desk(config)
    try:
        with opened(desk) as node:
            accounts = list(config.solana_nonce_accounts)
            missing = not_set_up(node, accounts)
    finally:
        desk.close()
    if missing:
        raise ServiceFault(f"{accounts[missing[0]]} is no nonce account; {len(missing)} are none")
    return f"{len(accounts)} are set up"
