"""Prune the journal by hand, or prove what was pruned: ``python -m dmm.entrypoints.retain``.

Without an option it does what the daily flow does with the journal. One JSON object goes to stdout.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmm.entrypoints.faults import exit_code, one_line
from dmm.units.errors import Fault

if TYPE_CHECKING:
    from dmm.bootstrap import Desk
    from dmm.ledger.anchor import Anchor
    from dmm.ports import Store

OPERATOR = "terminal"


def main(argv: list[str] | None = None) -> int:
    """Prune, or prove; return the exit code."""
    parser = argparse.ArgumentParser(prog="dmm retain", description=__doc__)
    parser.add_argument("--keep-days", type=int, default=30, help="younger runs stay (30)")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--archive", type=Path, help="folder of the archive, not DMM_ARCHIVE_DIR")
    where.add_argument("--no-archive", action="store_true", help="keep only the anchors")
    parser.add_argument("--prove", metavar="FILE", help="compare an archived file with its anchor")
    parser.add_argument(
        "--verify",
        metavar="RUN",
        help="verify a run's chain across its anchors: an id, its beginning, or latest",
    )
    parser.add_argument("--state", type=Path, help="with --verify: state folder of that journal")
    asked = parser.parse_args(argv)
    if asked.state and not asked.verify:
        parser.error("--state goes with --verify: what is pruned is what DMM_DATABASE_URL names")
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
            with _journal(wired, asked.state) as store:
                proof = verify_chain(store=store, run_id=_named(store, asked.verify))
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


@contextmanager
def _journal(wired: Desk, state: Path | None) -> Iterator[Store]:
    """Give the journal the settings name; without one, or when told so, that of a state folder."""
    from dmm.entrypoints.journal import journal_of

    if state is None and "database_url" in wired.settings.model_fields_set:
        yield wired.store
        return
    with journal_of(state) as store:
        yield store


def _named(store: Store, name: str) -> str:
    """Return the run meant: a whole id, however short, its beginning, or `latest`."""
    from dmm.entrypoints.journal import resolve

    whole = any(run.run_id == name for run in store.runs(prefix=name, limit=2))
    return name if whole else resolve(store, name)


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
