"""``python -m dmm.entrypoints.deploy_solana``: puts the program on a cluster and hands it over.

Run again it goes on where it was cut off, and does nothing when the program is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from dmm.adapters.clock import SystemClock
from dmm.adapters.solana.deployer import Deployer
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.key_file import load_key, load_or_make_key
from dmm.adapters.solana.node import Node
from dmm.entrypoints.faults import ends_on_fault
from dmm.settings import PROJECT_ROOT, settings
from dmm.units.errors import UsageFault

CODE = PROJECT_ROOT / "contracts" / "solana" / "build" / "dmm.so"
NOBODY = "none"
"""The authority of a program that is never changed again."""


def main(arguments: list[str] | None = None) -> None:
    """Deploy or upgrade by the command line, and print what was done."""
    wanted = _parser().parse_args(arguments)
    with ends_on_fault("deploy_solana"):
        print("\n".join(run(wanted)))  # noqa: T201 - the result


def run(wanted: argparse.Namespace) -> list[str]:
    """Carry out what the command line asks for; return a line for each thing done.

    Raises
    ------
    UsageFault
        If no node or genesis hash is named, a file cannot be used, or another is the authority.
    ServiceFault, Retryable
        As `Deployer.deploy` does.
    """
    config = settings()
    url = wanted.url or next(iter(config.solana_rpc_urls), "")
    genesis = wanted.genesis or config.solana_genesis_hash
    if not url or not genesis:
        raise UsageFault(
            "give --url and --genesis, or set DMM_SOLANA_RPC_URLS and DMM_SOLANA_GENESIS_HASH"
        )
    try:
        code = wanted.code.read_bytes()
    except OSError as error:
        raise UsageFault(f"{wanted.code} cannot be read: {error.strerror}") from error
    key, program = load_key(wanted.key), load_or_make_key(wanted.program)
    node = Node(url, genesis_hash=genesis)
    try:
        deployer = Deployer(node, Hand(node, key, clock=SystemClock()))
        done = deployer.deploy(code, program)
        lines = [f"program {done.program}: {', '.join(done.acts) or 'is there already'}"]
        if done.written:
            lines.append(f"{done.written} pieces written")
        if wanted.authority:
            new = None if wanted.authority == NOBODY else wanted.authority
            deployer.hand_over(done.program, new=new)
            lines.append(f"authority {wanted.authority}")
    finally:
        node.close()
    return lines


def _parser() -> argparse.ArgumentParser:
    name = "python -m dmm.entrypoints.deploy_solana"
    parser = argparse.ArgumentParser(prog=name, description=__doc__)
    parser.add_argument("--url", default="", help="a node; else the first of the settings")
    parser.add_argument("--genesis", default="", help="the cluster's genesis hash; else as set")
    parser.add_argument("--key", type=Path, required=True, help="key file that pays, mode 0600")
    parser.add_argument(
        "--program", type=Path, required=True, help="the program's key file; made if missing"
    )
    parser.add_argument("--code", type=Path, default=CODE, help="the program; our committed one")
    parser.add_argument(
        "--authority", default="", help=f"who may change it from then on; {NOBODY}: nobody"
    )
    return parser


if __name__ == "__main__":
    main()
