"""Prune the journal by hand, or prove what was pruned: ``python -m dmm.entrypoints.retain``.

Without an option it does what the daily flow does with the journal. One JSON object goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmm.entrypoints.faults import exit_code, one_line
from dmm.units.errors import Fault

if TYPE_CHECKING:
    from dmm.ledger.anchor import Anchor

OPERATOR = "terminal"


def main(argv: list[str] | None = None) -> int:
    """Prune, or prove; return the exit code."""
    parser = argparse.ArgumentParser(prog="dmm retain", description=__doc__)
    parser.add_argument("--keep-days", type=int, default=30, help="younger runs stay (30)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--archive", type=Path, help="folder of the archive, not DMM_ARCHIVE_DIR")
    where.add_argument("--no-archive", action="store_true", help="keep only the anchors")
    parser.add_argument("--prove", metavar="FILE", help="compare an archived file with its anchor")
    parser.add_argument("--verify", metavar="RUN", help="verify a run's chain across its anchors")
    asked = parser.parse_args(argv)
    try:
        result = _run(asked)
    except Fault as fault:
        sys.stderr.write(f"dmm retain: {one_line(fault)}\n")
        return exit_code(fault)
    sys.stdout.write(json.dumps(result) + "\n")
    return 0


def _run(asked: argparse.Namespace) -> dict[str, Any]:
    from dmm.adapters.archive import FolderArchive
    from dmm.bootstrap import desk
    from dmm.usecases.retain import prove_archive, prune_journal, verify_chain

    wired = desk()
    archive = FolderArchive(asked.archive.absolute()) if asked.archive else wired.archive
    try:
        if asked.prove:
            proven = prove_archive(store=wired.store, archive=archive, name=asked.prove)
            return {"proven": _described(proven)}
        if asked.verify:
            proof = verify_chain(store=wired.store, run_id=asked.verify)
            return {
                "run_id": proof.run_id,
                "anchors": proof.anchors,
                "first_seq": proof.first_seq,
                "links": proof.links,
                "head": proof.head.hex(),
            }
        done = prune_journal(
            store=wired.store,
            clock=wired.clock,
            archive=None if asked.no_archive else archive,
            keep_days=asked.keep_days,
            operator=OPERATOR,
        )
    finally:
        wired.close()
    return {
        "pruned": [_described(anchor) for anchor in done.anchors],
        "busy": done.busy,
        "more": done.more,
    }


def _described(anchor: Anchor) -> dict[str, Any]:
    return {
        "anchor": anchor.partition.name,
        "rows": anchor.extent.rows,
        "first_place": anchor.extent.first_place,
        "last_place": anchor.extent.last_place,
        "digest": anchor.extent.digest.hex(),
        "archive": anchor.archive,
    }


if __name__ == "__main__":
    sys.exit(main())
