"""DEMO: counterparties on every chain who ask the desk for firm quotes and take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmm.bootstrap import Desk
from dmm.market.instrument import ContractKind, Instrument, Side
from dmm.ports import Run
from dmm.rfq.fills import open_lots, our_side
from dmm.rfq.protocol import RfqTrade
from dmm.rfq.statement_request import requested_statement
from dmm.sandbox.chains import LocalChain
from dmm.settlement.epoch import Job
from dmm.units.amount import Lots
from dmm.units.errors import Retryable
from dmm.usecases import rfq
from dmm.usecases.epoch import policy_in_force

TRADES_PER_EPOCH = 5
"""One on each chain, and the rest by the same taker where quotes can be netted."""

REQUESTS_MAX = 15
"""Requests an epoch makes at the most, declined ones included."""

TTL_S = 30
SETTLE_WINDOW_S = 6 * 3_600
TAKERS_MAX = 8
"""DEMO takers of one chain."""


def demo_statement(
    chains: Mapping[str, LocalChain],
) -> Callable[[Mapping[str, object]], bytes | None]:
    """Return how the takers of the local chains answer who asks them for a net statement."""

    def answer(request: Mapping[str, object]) -> bytes | None:
        local = chains.get(str(request.get("chain")))
        return None if local is None else local.sign_statement(requested_statement(request))

    return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoTakers:
    """Takers of the local chains; sizes and sides come from a seed.

    An epoch has one taker on each chain, and takers go round. Where one transaction can settle
    several quotes of a taker it takes several; elsewhere one.
    """

    desk: Desk
    chains: Mapping[str, LocalChain]
    seed: int

    def trade(self, run: Run, instrument: Instrument, epoch: int) -> int:
        """Request and accept quotes until the epoch has its trades; return how many it has.

        A resumed epoch goes through its requests again, passes by those that led to a trade before
        and asks the rest, so that its trades are those it would have had. One whose settlement is
        planned gets no more: a late acceptance might find no epoch to settle it. A chain that is
        down is passed by.
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
        return self._ask(run, instrument, epoch, before=done)

    def _ask(
        self, run: Run, instrument: Instrument, epoch: int, *, before: Sequence[RfqTrade]
    ) -> int:
        rng = np.random.default_rng([self.seed, epoch])
        sides = rng.permutation([Side.BUY, Side.SELL] * REQUESTS_MAX)
        size_max = policy_in_force(self.desk.store).policy.quote_size_lots
        sizes = rng.integers(1, max(2, size_max), size=REQUESTS_MAX)
        turns, down, done = self._turns(), 0, 0
        before = sorted(before, key=lambda trade: trade.accepted_at_ns or 0)
        for side, size in zip(sides, sizes.tolist(), strict=False):
            if done + len(before) >= TRADES_PER_EPOCH:
                break
            name = turns[(done + down) % len(turns)]
            takers = self._takers(name)
            request = rfq.QuoteRequest(
                taker=takers[epoch % len(takers)],
                side=Side(str(side)),
                size=Lots(size),
                ttl_s=TTL_S,
            )
            if before and _came_of(before[0], name, request, instrument):
                before, done = before[1:], done + 1
                continue
            try:
                done += self._trade_one(name, run, instrument, epoch, request)
            except Retryable:
                down += 1
        return done + len(before)

    def _turns(self) -> list[str]:
        """Return the chains in the order of an epoch's trades."""
        names = list(self.chains)
        netted = [n for n in names if self.desk.chain(n).slot_rules.nets_max > 1] or names
        more = max(0, TRADES_PER_EPOCH - len(names))
        return [*names, *(netted[at % len(netted)] for at in range(more))]

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


def _came_of(
    trade: RfqTrade, chain: str, request: rfq.QuoteRequest, instrument: Instrument
) -> bool:
    """Tell whether a trade is what a request led to."""
    lots = open_lots(trade, instrument)
    return (
        (trade.quote.chain, trade.quote.taker) == (chain, request.taker)
        and our_side(trade, instrument) is request.side.opposite
        and (lots.buy or lots.sell) == request.size
    )
