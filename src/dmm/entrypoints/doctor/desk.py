"""The services of a desk: database, chain, scheduler, and their clocks against this host's."""

from __future__ import annotations

import fcntl
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from pydantic import ValidationError

from dmm.adapters.clock import SystemClock
from dmm.adapters.postgres.health import look as look_at_database
from dmm.bootstrap import Desk
from dmm.entrypoints.control import STATE_FOLDERS
from dmm.entrypoints.doctor.check import Check, beside_clock, look
from dmm.entrypoints.doctor.solana import check_solana
from dmm.sandbox.state import LOCK_FILE, RUN_FOLDER
from dmm.sandbox.wiring import WIRING_FILE, Wiring
from dmm.settings import PROJECT_ROOT, Settings, settings
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import ServiceFault, UsageFault
from dmm.units.time import NS_PER_MS, NS_PER_S
from dmm.units.web_address import host_of, port_of, shown

DATABASE_OFFSET_MS_MAX = 250
"""Beyond this the desk and its database do not agree on the order of things."""

DATABASE_CURE = "start it, then run python -m dmm.entrypoints.migrate"

CALL_S_MAX = 5.0
"""How long a service may take to answer, seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The services to look at, and where their addresses come from."""

    config: Settings
    origin: str


def find_desk(state: Path | None) -> Found | None:
    """Return the desk that the settings name, else the one that runs on a state folder, if any.

    Parameters
    ----------
    state : looks there alone; None looks at the settings, then at the folders of this checkout

    Raises
    ------
    UsageFault
        If a setting is not what it should be.
    """
    try:
        config = settings()
        if state is None and "database_url" in config.model_fields_set:
            return Found(config=config, origin="named by DMM_DATABASE_URL or DMM_CONFIG")
        for folder in (state,) if state else default_folders():
            if _is_owned(folder) and (folder / RUN_FOLDER / WIRING_FILE).exists():
                wiring = Wiring.load(folder / RUN_FOLDER)
                return Found(config=wiring.settings(), origin=f"running on {folder}")
    except ValidationError as error:
        # The error's own text would repeat the values, and one of them may be a secret.
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()
        )
        raise UsageFault(f"settings are not usable: {wrong}") from error
    return None


def default_folders() -> list[Path]:
    """Return where a desk of this checkout runs unless told otherwise."""
    return [PROJECT_ROOT / ".dmm" / name for name in STATE_FOLDERS]


def _is_owned(folder: Path) -> bool:
    """Tell whether a process holds the state folder; the kernel lets go when it ends."""
    try:
        with (folder / LOCK_FILE).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def check_desk(found: Found) -> Iterator[Check]:
    """Look at the services of a desk that should be up."""
    config = found.config
    url = config.database_url.get_secret_value()
    yield look("database", lambda: _database(url), cure=DATABASE_CURE)
    yield look("database clock", lambda: _database_clock(url), cure="run a time service on both")
    for number, node in enumerate(_nodes(config)):
        yield look(
            # The host alone: the rest of a node's address may hold an access key.
            f"chain node {number} ({host_of(node)})",
            functools.partial(_chain, node, config.evm_chain_id),
            cure="start the node, or correct DMM_EVM_RPC_URLS and DMM_EVM_CHAIN_ID",
        )
    for name in config.chains:
        if name != HOME_CHAIN:
            yield look(
                f"chain {name}",
                functools.partial(_snapshot, config, name),
                cure=f"start its nodes, or correct the settings DMM_{name.upper()}_…",
            )
    if "solana" in config.chains:
        yield from check_solana(config)
    yield look("prefect", lambda: _prefect(config), cure="start it or correct DMM_PREFECT_API_URL")


def _snapshot(config: Settings, name: str) -> str:
    """Return what a chain's nodes agree on; nodes on another network count as silent."""
    desk = Desk(config)
    try:
        at = desk.chain(name).snapshot()
    finally:
        desk.close()
    late_s = SystemClock().now_ns() // NS_PER_S - at.head_time_s
    return (
        f"head {at.head_height}, final {at.finalized_height} by {at.witnesses} nodes, "
        f"{beside_clock(late_s)}"
    )


def _nodes(config: Settings) -> tuple[str, ...]:
    own = (config.evm_audit_rpc_url,) if config.evm_audit_rpc_url else ()
    return tuple(dict.fromkeys((*config.evm_rpc_urls, *own)))


def _database(url: str) -> str:
    health = look_at_database(url)
    if not health.is_migrated:
        raise ServiceFault(
            f"its schema is at revision {health.revision or 'none'}, the code needs {health.head}"
        )
    return f"PostgreSQL {health.server}, schema at revision {health.revision}"


def _database_clock(url: str) -> str:
    clock = SystemClock()
    before_ns = clock.now_ns()
    health = look_at_database(url)
    after_ns = clock.now_ns()
    offset_ms = (health.now_ns - (before_ns + after_ns) // 2) // NS_PER_MS
    # The answer was given somewhere within the call: half of it is the doubt.
    doubt_ms = (after_ns - before_ns) // (2 * NS_PER_MS) + 1
    if abs(offset_ms) - doubt_ms > DATABASE_OFFSET_MS_MAX:
        raise ServiceFault(
            f"{offset_ms} ms off this host's clock, at most {DATABASE_OFFSET_MS_MAX} are allowed"
        )
    return f"{offset_ms} ms (± {doubt_ms}) off this host's clock"


def _chain(node: str, chain_id: int) -> str:
    answered = int(_call(node, "eth_chainId"), 16)
    if answered != chain_id:
        raise ServiceFault(f"answers chain id {answered}, the settings say {chain_id}")
    with_transactions = False
    head = _call(node, "eth_getBlockByNumber", "latest", with_transactions)
    late_s = SystemClock().now_ns() // NS_PER_S - int(head["timestamp"], 16)
    port = port_of(node)
    where = f"port {port}, " if port else ""
    return f"{where}chain id {answered}, head {int(head['number'], 16)}, {beside_clock(late_s)}"


# The result's shape depends on the method; the callers know it.
def _call(node: str, method: str, *params: object) -> Any:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = httpx.post(node, json=request, timeout=CALL_S_MAX).json()
    if not isinstance(answer, dict) or answer.get("result") is None:
        raise ServiceFault(f"{method} is not answered: {str(answer)[:200]}")
    return answer["result"]


def _prefect(config: Settings) -> str:
    user, _, password = config.prefect_api_auth.get_secret_value().partition(":")
    auth = (user, password) if user else None
    with httpx.Client(base_url=config.prefect_api_url, auth=auth, timeout=CALL_S_MAX) as client:
        for path in ("health", "admin/version"):
            answer = client.get(path)
            if answer.status_code != HTTPStatus.OK:
                raise ServiceFault(f"/{path} answers {answer.status_code}")
    return f"Prefect {answer.json()} at {shown(config.prefect_api_url)}"
