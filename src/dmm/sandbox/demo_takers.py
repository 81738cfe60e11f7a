"""DEMO: counterparties on every chain who ask the desk for firm quotes and take them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dmm.bootstrap import Desk
from dmm.market.instrument import ContractKind, Instrument, Side
from dmm.ports import Run
from dmm.rfq.protocol import RfqTrade
from dmm.sandbox.chains import LocalChain
from dmm.settlement.epoch import Job
from dmm.units.amount import Lots
from dmm.units.errors import Retryable
from dmm.usecases import rfq
from dmm.usecases.epoch import policy_in_force

TRADES_PER_EPOCH = 4
REQUESTS_MAX = 12
"""Requests an epoch makes at the most, declined ones included."""

TTL_S = 30
SETTLE_WINDOW_S = 6 * 3_600
TAKERS_MAX = 8
"""DEMO takers of one chain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTakers:
    """Takers of the local chains; sizes and sides come from a seed, chains go round."""

    desk: Desk
    chains: Mapping[str, LocalChain]
    seed: int

    def trade(self, run: Run, instrument: Instrument, epoch: int) -> int:
        """Request and accept quotes until the epoch has its trades; return how many it has.

        A resumed epoch counts what was accepted before and asks for the rest only. One whose
        settlement is planned gets no more: a late acceptance might find no epoch to settle it. A
        chain that is down is passed by.
        """
        if instrument.kind is ContractKind.INVERSE:
            # The position asset of an inverse contract is no token that could change hands.
            return 0
        done = self._accepted(run, epoch)
        if self._is_settled(run, epoch):
            return len(done)
        for trade in done:
            # What a taker sends itself may have been cut off after it accepted.
            self.chains[trade.quote.chain].settle_as_taker(trade)
        return self._ask(run, instrument, epoch, done=len(done))

    def _ask(self, run: Run, instrument: Instrument, epoch: int, *, done: int) -> int:
        rng = np.random.default_rng([self.seed, epoch])
        sides = rng.permutation([Side.BUY, Side.SELL] * REQUESTS_MAX)
        size_max = policy_in_force(self.desk.store).policy.quote_size_lots
        sizes = rng.integers(1, max(2, size_max), size=REQUESTS_MAX)
        names, down = list(self.chains), 0
        for side, size in zip(sides, sizes.tolist(), strict=False):
            if done >= TRADES_PER_EPOCH:
                break
            turn = epoch * TRADES_PER_EPOCH + done + down
            name = names[turn % len(names)]
            takers = self._takers(name)
            request = rfq.QuoteRequest(
                taker=takers[turn // len(names) % len(takers)],
                side=Side(str(side)),
                size=Lots(size),
                ttl_s=TTL_S,
            )
            try:
                done += self._trade_one(name, run, instrument, epoch, request)
            except Retryable:
                down += 1
        return done

    def _takers(self, chain: str) -> list[str]:
        deployed = self.desk.store.deployments(chain)
        names = [f"actor:taker-{index}" for index in range(TAKERS_MAX)]
        return [deployed[name].address for name in names if name in deployed]

    def _accepted(self, run: Run, epoch: int) -> list[RfqTrade]:
        trades = self.desk.store.rfq_trades(run.run_id, epoch)
        return [trade for trade in trades if trade.acceptance is not None]

    def _is_settled(self, run: Run, epoch: int) -> bool:
        return any(
            claim.job is Job.PMM_SETTLEMENT and claim.epoch == epoch and claim.plan_hash is not None
            for claim in self.desk.store.epoch_claims(run.run_id)
        )

    def _trade_one(
        self,
        name: str,
        run: Run,
        instrument: Instrument,
        epoch: int,
        request: rfq.QuoteRequest,
    ) -> bool:
        desk, local = self.desk, self.chains[name]
        quoted = rfq.answer(
            store=desk.store,
            chain=desk.chain(name),
            clock=desk.clock,
            signer=desk.quote_signer(name),
            instrument=instrument,
            run_id=run.run_id,
            epoch=epoch,
            request=request,
            settle_window_s=SETTLE_WINDOW_S,
        )
        if isinstance(quoted, rfq.Declined):
            return False
        acceptance, signature = local.accept(
            quoted.trade.quote, maker_signature=quoted.trade.maker_signature
        )
        taken = rfq.accept(
            store=desk.store,
            chain=desk.chain(name),
            clock=desk.clock,
            run_id=run.run_id,
            epoch=epoch,
            acceptance=acceptance,
            taker_signature=signature,
            verify=desk.acceptance_check(name),
        )
        if isinstance(taken, rfq.Declined):
            return False
        local.settle_as_taker(taken.trade)
        return True
