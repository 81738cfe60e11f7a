"""DEMO: counterparties who ask the desk for firm quotes and take them."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.verify import acceptance_is_signed
from dmm.bootstrap import CHAIN, Desk
from dmm.market.instrument import ContractKind, Instrument, Side
from dmm.ports import Run
from dmm.sandbox.evm.actors import Actors, accept
from dmm.settlement.epoch import Job
from dmm.units.amount import Lots
from dmm.usecases import rfq
from dmm.usecases.epoch import policy_in_force

TRADES_PER_EPOCH = 4
REQUESTS_MAX = 12
"""Requests an epoch makes at the most, declined ones included."""

TTL_S = 30
SETTLE_WINDOW_S = 6 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTakers:
    """Takers of the local chain; sizes and sides come from a seed."""

    desk: Desk
    actors: Actors
    seed: int

    def trade(self, run: Run, instrument: Instrument, epoch: int) -> int:
        """Request and accept quotes until the epoch has its trades; return how many it has.

        A resumed epoch counts what was accepted before and asks for the rest only. One whose
        settlement is planned gets no more: a late acceptance might find no epoch to settle it.
        """
        if instrument.kind is ContractKind.INVERSE:
            # The position asset of an inverse contract is no token that could change hands.
            return 0
        done = self._accepted(run, epoch)
        if self._is_settled(run, epoch):
            return done
        rng = np.random.default_rng([self.seed, epoch])
        sides = rng.permutation([Side.BUY, Side.SELL] * REQUESTS_MAX)
        size_max = policy_in_force(self.desk.store).policy.quote_size_lots
        sizes = rng.integers(1, max(2, size_max), size=REQUESTS_MAX)
        for side, size in zip(sides, sizes.tolist(), strict=False):
            if done >= TRADES_PER_EPOCH:
                break
            taker = self.actors.takers[done % len(self.actors.takers)].address
            request = rfq.QuoteRequest(
                taker=taker, side=Side(str(side)), size=Lots(size), ttl_s=TTL_S
            )
            done += self._trade_one(run, instrument, epoch, request)
        return done

    def _accepted(self, run: Run, epoch: int) -> int:
        trades = self.desk.store.rfq_trades(run.run_id, epoch)
        return sum(trade.acceptance is not None for trade in trades)

    def _is_settled(self, run: Run, epoch: int) -> bool:
        return any(
            claim.job is Job.PMM_SETTLEMENT and claim.epoch == epoch and claim.plan_hash is not None
            for claim in self.desk.store.epoch_claims(run.run_id)
        )

    def _trade_one(
        self, run: Run, instrument: Instrument, epoch: int, request: rfq.QuoteRequest
    ) -> bool:
        desk = self.desk
        quoted = rfq.answer(
            store=desk.store,
            chain=desk.chain,
            clock=desk.clock,
            signer=desk.quote_signer,
            instrument=instrument,
            run_id=run.run_id,
            epoch=epoch,
            request=request,
            settle_window_s=SETTLE_WINDOW_S,
        )
        if isinstance(quoted, rfq.Declined):
            return False
        book = Book(chain_id=desk.settings.evm_chain_id, deployments=desk.store.deployments(CHAIN))
        acceptance, signature = accept(quoted.trade.quote, actors=self.actors, book=book)
        taken = rfq.accept(
            store=desk.store,
            chain=desk.chain,
            clock=desk.clock,
            run_id=run.run_id,
            epoch=epoch,
            acceptance=acceptance,
            taker_signature=signature,
            verify=functools.partial(acceptance_is_signed, book=book),
        )
        return isinstance(taken, rfq.Accepted)
