"""The journal's process beside a quoting worker; the worker starts it, nobody else."""

from __future__ import annotations

import argparse
import contextlib
import signal
import socket
import threading
from dataclasses import replace

from dmm.adapters.journal.keeper import Keeper
from dmm.adapters.postgres.store import PostgresStore
from dmm.bootstrap import desk
from dmm.entrypoints.faults import ends_on_fault
from dmm.market.order import Fill
from dmm.risk.inventory import OpenLots
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.quote_live import Hedges
from dmm.usecases.quoted import QuotedWatch
from dmm.usecases.situation import EpochInputs
from dmm.usecases.surroundings import SurroundingsWatch


def main() -> None:
    """Serve until the worker hangs up; signals are the worker's business."""
    parser = argparse.ArgumentParser(prog="dmm journal-writer", description=__doc__)
    parser.add_argument("run", help="id of the worker's run")
    parser.add_argument("descriptor", type=int, help="of the socket to the worker")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with ends_on_fault("journal-writer"):
        keep(arguments.run, socket.socket(fileno=arguments.descriptor))


def keep(run_id: str, line: socket.socket) -> None:
    """Serve one worker's run over a line."""
    wired = desk()
    url = wired.settings.database_url.get_secret_value()
    with (
        contextlib.closing(PostgresStore(url)) as writes,
        contextlib.closing(PostgresStore(url)) as switches,
        contextlib.closing(PostgresStore(url)) as reads,
    ):
        known, quotes = Hedges(reads, run_id), QuotedWatch(reads, run_id, wired.clock)
        guard = threading.Lock()  # each question has a thread; these three share a connection

        def inputs(epoch: int) -> EpochInputs:
            # Here hedges come when their job has booked them, which may be in any later epoch.
            with guard:
                found = epoch_inputs(reads, run_id, epoch)
                quotes.take_inputs(epoch, found.settled)
                return replace(found, hedges=known.new(epoch))

        def hedges(epoch: int) -> tuple[Fill, ...]:
            with guard:
                return known.new(epoch)

        def quoted() -> OpenLots:
            with guard:
                return quotes.look()

        around = SurroundingsWatch(
            gas=wired.gas_meter, peg=wired.peg_source, clock=wired.clock, quoted=quoted
        )
        Keeper(
            line,
            store=writes,
            switches=switches,
            clock=wired.clock,
            answers={
                "inputs": inputs,
                "hedges": hedges,
                "surroundings": lambda _: around.look(),
            },
        ).serve()


if __name__ == "__main__":
    main()
