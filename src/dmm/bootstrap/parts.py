"""The desk's ports, wired by settings, each adapter made when it is first asked for."""

# An SDK is imported when its port is first used.
# ruff: noqa: PLC0415

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

from dmm.bootstrap.chains import access, statement_check
from dmm.market.instrument import Instrument
from dmm.settings import Settings
from dmm.settlement.lifecycle import LaneBounds
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import UsageFault

if TYPE_CHECKING:
    from dmm.adapters.journal.link import JournalLink
    from dmm.ports import (
        Archive,
        BuybackQuoter,
        Chain,
        ChainLog,
        Clock,
        GasMeter,
        PegSource,
        QuoteSigner,
        Run,
        Scheduler,
        Signer,
        Store,
    )
    from dmm.units.ids import Json
    from dmm.usecases.net_settlement import StatementIsSigned, StatementParty
    from dmm.usecases.rfq import VerifyAcceptance

T = TypeVar("T")

JOURNAL_WRITER = "dmm.entrypoints.journal_writer"
"""The program that keeps a live worker's journal."""


class Desk:
    """The desk's ports, wired by settings."""

    def __init__(self, config: Settings) -> None:
        self.settings = config
        self._parts: dict[tuple[str, str], object] = {}
        self._guard = threading.RLock()

    @functools.cached_property
    def clock(self) -> Clock:
        """Return the machine's clock."""
        from dmm.adapters.clock import SystemClock

        return SystemClock()

    @functools.cached_property
    def store(self) -> Store:
        """Return the journal in Postgres."""
        from dmm.adapters.postgres.store import PostgresStore

        return PostgresStore(self.settings.database_url.get_secret_value())

    @functools.cached_property
    def driver_store(self) -> Store:
        """Return the journal by the driver's own login, alone to read signed bytes."""
        from dmm.adapters.postgres.store import PostgresStore

        url = self.settings.driver_database_url.get_secret_value()
        return PostgresStore(url) if url else self.store

    # -- chains -----------------------------------------------------------------------------------

    def chains(self) -> tuple[str, ...]:
        """Return the names of the enabled chains, in the order of the settings."""
        return self.settings.chains

    def chain(self, name: str = HOME_CHAIN) -> Chain:
        """Return a chain through the desk's nodes; `UsageFault` when it is not enabled."""
        return self._part("chain", name, lambda: access(self, name).chain())

    def chain_log(self, name: str = HOME_CHAIN) -> ChainLog:
        """Return a chain's own record through the desk's nodes."""
        return self._part("chain_log", name, lambda: access(self, name).log())

    def audit_log(self, name: str = HOME_CHAIN) -> ChainLog:
        """Return a chain's own record through the auditor's own node."""
        return self._part("audit_log", name, lambda: access(self, name).audit_log())

    def signer(self, name: str = HOME_CHAIN) -> Signer:
        """Return a chain's settlement signer, another process."""
        from dmm.adapters.signers.socket import SocketSigner

        path = self.settings.settlement_socket(name)
        return self._part("signer", name, lambda: SocketSigner(path))

    def quote_signer(self, name: str = HOME_CHAIN) -> QuoteSigner:
        """Return a chain's quote signer, another process."""
        from dmm.adapters.signers.socket import SocketQuoteSigner

        path = self.settings.quote_socket(name)
        return self._part("quote_signer", name, lambda: SocketQuoteSigner(path))

    def acceptance_check(self, name: str = HOME_CHAIN) -> VerifyAcceptance:
        """Return what tells whether a taker signed an acceptance, by a chain's own scheme."""
        return self._part("acceptance_check", name, lambda: access(self, name).acceptance_check())

    def statement_check(self, name: str = HOME_CHAIN) -> StatementIsSigned | None:
        """Return what tells whether both parties signed a net statement; None: no such thing."""
        return statement_check(self, name)

    def network_id(self, name: str = HOME_CHAIN) -> int:
        """Return the number that a chain's signatures name their network by."""
        return access(self, name).network_id

    def put(self, part: str, name: str, made: object) -> None:
        """Wire one part of a chain by hand, in place of what the settings would make.

        Parameters
        ----------
        part : ``chain``, ``chain_log``, ``audit_log``, ``signer``, ``quote_signer`` or
            ``acceptance_check``
        """
        self._parts[part, name] = made

    def _part(self, part: str, name: str, make: Callable[[], T]) -> T:
        # Jobs work on several chains at once, each in its thread.
        with self._guard:
            if (part, name) not in self._parts:
                self._parts[part, name] = make()
            return cast("T", self._parts[part, name])

    # -- the rest ---------------------------------------------------------------------------------

    @functools.cached_property
    def buyback_quoter(self) -> BuybackQuoter:
        """Return who sells the desk its token back."""
        from dmm.adapters.makers.http import HttpMaker

        if not self.settings.buyback_maker_url:
            raise UsageFault("no market maker for buybacks is known: set DMM_BUYBACK_MAKER_URL")
        return HttpMaker(self.settings.buyback_maker_url)

    @functools.cached_property
    def statement_taker(self) -> StatementParty | None:
        """Return who signs net statements for the takers; None where nobody was named."""
        from dmm.adapters.takers.http import HttpTaker

        url = self.settings.statement_taker_url
        return HttpTaker(url) if url else None

    @functools.cached_property
    def scheduler(self) -> Scheduler:
        """Return Prefect's REST interface."""
        from dmm.adapters.scheduler.prefect import PrefectScheduler

        return PrefectScheduler(
            self.settings.prefect_api_url, self.settings.prefect_api_auth.get_secret_value()
        )

    @functools.cached_property
    def archive(self) -> Archive:
        """Return where rows go before retention prunes them."""
        from dmm.adapters.archive import FolderArchive

        return FolderArchive(self.settings.archive_folder)

    @functools.cached_property
    def gas_meter(self) -> GasMeter:
        """Return what tells the gas price of the home chain."""
        from dmm.adapters.evm.gas import EvmGas

        config = self.settings
        return EvmGas(rpc_urls=config.evm_rpc_urls, chain_id=config.evm_chain_id)

    @functools.cached_property
    def peg_source(self) -> PegSource | None:
        """Return what tells the cash asset's price; None where nobody was named."""
        from dmm.adapters.peg import TickerPeg

        url = self.settings.peg_url
        return TickerPeg(url, clock=self.clock) if url else None

    @property
    def lane_bounds(self) -> LaneBounds:
        """Return what the driver may have on its way at once."""
        return LaneBounds(
            in_flight_max=self.settings.settle_in_flight_max,
            value_atoms_max=self.settings.settle_value_max,
        )

    @property
    def owner(self) -> str:
        """Return the name under which this process leases work."""
        return f"pid-{os.getpid()}"

    @contextlib.contextmanager
    def worker_journal(self, run: Run) -> Iterator[JournalLink]:
        """Give the live worker a journal that never makes it wait, kept by a process of its own.

        Leaving the context writes what is left.
        """
        from dmm.adapters.journal.process import journal_process

        with journal_process([sys.executable, "-m", JOURNAL_WRITER, run.run_id]) as journal:
            yield journal

    def instrument(self, run: Run) -> Instrument:
        """Return what a run trades."""
        return Instrument.from_json(cast("dict[str, Json]", run.spec["instrument"]))

    def close(self) -> None:
        """Close what was opened."""
        for name in ("store", "driver_store"):
            if name in self.__dict__:
                self.__dict__[name].close()
