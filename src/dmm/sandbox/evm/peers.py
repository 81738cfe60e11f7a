"""Other people's contracts for tests and measurements on the local chain: never deployed elsewhere.

They come by npm from a lock of their own and are kept outside the repository. What a package ships
compiled is used as it is; what it ships as sources is compiled once with its own compiler.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dmm.sandbox.evm.install import ensure_npm, node_program
from dmm.units.errors import ServiceFault

PROJECT = "contracts/evm/thirdparty"
COMPILE_S_MAX = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """Creation bytecode by name, and Permit2's code as it lies on chain."""

    airswap: bytes
    limit_order_protocol: bytes
    safe: bytes
    safe_factory: bytes
    safe_fallback: bytes
    timelock: bytes
    permit2_code: bytes


def load_peers(root: Path, *, work_dir: Path) -> Peers:
    """Install, compile where needed, and return all peers.

    Parameters
    ----------
    root : the project's folder
    work_dir : where npm's downloads and compiled sources are kept; made when missing

    Raises
    ------
    ServiceFault
        If npm or the compiler fails, or a package holds something else than expected.
    """
    for project in ("contracts/evm", PROJECT):
        ensure_npm(root, cache_dir=work_dir / "npm-cache", project=project)
    modules = root / PROJECT / "node_modules"
    safe = modules / "@safe-global/safe-contracts/build/artifacts/contracts"
    ours = root / "contracts/evm/node_modules/@openzeppelin/contracts/build/contracts"
    return Peers(
        airswap=_code(modules / "@airswap/swap-erc20/build/contracts/SwapERC20.sol/SwapERC20.json"),
        limit_order_protocol=_code(_compiled(root, work_dir)),
        safe=_code(safe / "Safe.sol/Safe.json"),
        safe_factory=_code(safe / "proxies/SafeProxyFactory.sol/SafeProxyFactory.json"),
        safe_fallback=_code(
            safe / "handler/CompatibilityFallbackHandler.sol/CompatibilityFallbackHandler.json"
        ),
        timelock=_code(ours / "TimelockController.json"),
        permit2_code=_code(modules / "@1inch/solidity-utils/dist/src/permit2.json"),
    )


def _code(path: Path) -> bytes:
    try:
        code = bytes.fromhex(json.loads(path.read_bytes())["bytecode"].removeprefix("0x"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ServiceFault(
            f"{path} holds no bytecode ({error}): remove the node_modules beside it and run again"
        ) from error
    return code


def _compiled(root: Path, work_dir: Path) -> Path:
    """Compile the limit order protocol unless these sources were compiled before."""
    folder = root / PROJECT
    program = folder / "compile.cjs"
    digest = hashlib.sha256(program.read_bytes() + (folder / "package-lock.json").read_bytes())
    target = work_dir / "peers" / f"limit-order-protocol-{digest.hexdigest()[:16]}.json"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".tmp")
    try:
        done = subprocess.run(  # noqa: S603 - our own argument list
            [str(node_program()), str(program), str(draft)],
            capture_output=True,
            text=True,
            timeout=COMPILE_S_MAX,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceFault(f"the compiler of {PROJECT} did not run: {error}") from error
    if done.returncode != 0:
        words = " ".join(done.stderr.split())[-300:]
        raise ServiceFault(f"{PROJECT} did not compile (code {done.returncode}): {words}")
    draft.replace(target)
    return target
