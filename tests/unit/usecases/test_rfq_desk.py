"""RFQ: refusals in their order, recorded before it leaves, accepted in time, settled once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from desk_memory import BOTH_SIDES, DESK, INSTRUMENT, POLICY, RUN, Desk, a_slice

from dmm.ledger.account import AccountKind
from dmm.market.instrument import Side
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.risk.gate import RefusalReason
from dmm.settlement.epoch import JobOutcome, JobStatus
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms, Lots
from dmm.units.errors import Permanent, Retryable
from dmm.units.time import Nanos
from dmm.usecases.rfq import (
    Accepted,
    Declined,
    DeclineReason,
    Quoted,
    QuoteRequest,
    accept,
    answer,
    settle_quotes,
)


class Signer:
    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.signed_below = 0

    def next_nonce(self, chain: str) -> int:
        del chain
        return self.signed_below

    def sign_statement(self, carrier: Intent) -> bytes:
        raise AssertionError("a request for a quote needs no statement")

    def maker(self, chain: str) -> str:
        del chain
        return DESK

    def signer(self, chain: str) -> str:
        del chain
        return "0xhot"

    def sign_quote(self, quote: FirmQuote) -> bytes:
        if self.fault is not None:
            raise self.fault
        return quote.quote_id[:4]


BUY = QuoteRequest(taker="0xt1", side=Side.BUY, size=Lots(5), ttl_s=10)


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.fund("desk", "BTC", 1_200_000)
    desk.fund("desk", "USDT", 10**12)
    desk.close_slice(a_slice(), BOTH_SIDES)
    return desk


def ask(desk: Desk, request: QuoteRequest = BUY, signer: Signer | None = None) -> Quoted | Declined:
    return answer(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        signer=signer or Signer(),
        instrument=INSTRUMENT,
        run_id=RUN,
        epoch=1,
        request=request,
        settle_window_s=120,
    )


def quoted(desk: Desk, request: QuoteRequest = BUY) -> RfqTrade:
    reply = ask(desk, request)
    assert isinstance(reply, Quoted)
    return reply.trade


def take(
    desk: Desk, trade: RfqTrade, *, genuine: bool = True, amount: int | None = None
) -> Accepted | Declined:
    return accept(
        store=desk.store,
        chain=desk.chain,
        clock=desk.clock,
        run_id=RUN,
        epoch=1,
        acceptance=Acceptance(
            quote_id=trade.quote.quote_id,
            amount=Atoms(trade.quote.taker_amount if amount is None else amount),
            recipient="0xr1",
        ),
        taker_signature=b"sig",
        verify=lambda *_: genuine,
    )


def settle(desk: Desk, epoch: int = 1) -> JobOutcome:
    return settle_quotes(
        store=desk.store, chain=desk.chain, clock=desk.clock, run_id=RUN, epoch=epoch
    )


def test_a_quote_is_priced_off_the_last_slice_and_recorded_before_it_leaves(desk: Desk) -> None:
    trade = quoted(desk)
    # Mid 100,000 + 3 half spread + 0.4·5·√10 = 6.32, rounded up to 100,010 ticks.
    assert trade.quote.taker_amount == 100_010 * 5 * 100
    assert (trade.quote.maker_asset, trade.quote.maker_amount) == ("BTC", 500_000)
    assert trade.quote.expiry_s == desk.chain.snapshot().head_time_s + 10
    assert desk.store.rfq_trades(RUN, 1) == [trade]


def test_nonces_are_dense_and_never_reused_even_when_signing_failed(desk: Desk) -> None:
    signer = Signer()
    signer.fault = Permanent("above the cap")
    assert quoted(desk).quote.nonce == 0
    with pytest.raises(Permanent):
        ask(desk, signer=signer)
    assert quoted(desk).quote.nonce == 2


def test_after_a_restore_no_nonce_is_given_out_that_the_signer_signed_before(desk: Desk) -> None:
    # The backup was made before these: the journal begins at 0 again, the signer's register not.
    signer = Signer()
    signer.signed_below = 512
    first = ask(desk, signer=signer)
    assert isinstance(first, Quoted)
    assert first.trade.quote.nonce == 512
    signer.signed_below = 513
    second = ask(desk, signer=signer)
    assert isinstance(second, Quoted)
    assert second.trade.quote.nonce == 513


def test_a_signer_that_cannot_say_which_nonces_it_signed_costs_none(desk: Desk) -> None:
    class Away(Signer):
        def next_nonce(self, chain: str) -> int:
            raise Retryable("the signer is away")

    with pytest.raises(Retryable):
        ask(desk, signer=Away())
    assert quoted(desk).quote.nonce == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"size": Lots(0)}, RefusalReason.SIZE),
        ({"size": Lots(11)}, RefusalReason.SIZE),
        ({"ttl_s": 0}, DeclineReason.TTL),
        ({"ttl_s": 61}, DeclineReason.TTL),
    ],
)
def test_a_request_outside_the_limits_is_declined(
    desk: Desk, changes: dict[str, int], reason: DeclineReason | RefusalReason
) -> None:
    assert ask(desk, replace(BUY, **changes)) == Declined(reason=reason)  # type: ignore[arg-type]


def test_nothing_is_quoted_without_a_slice_or_while_killed(desk: Desk) -> None:
    assert ask(Desk()) == Declined(reason=DeclineReason.NO_FAIR_VALUE)
    desk.store.kill(reason="test", operator="op", now_ns=Nanos(1))
    assert ask(desk) == Declined(reason=DeclineReason.KILLED)


def test_inventory_promised_to_open_quotes_is_not_promised_again(desk: Desk) -> None:
    quoted(desk)
    quoted(desk)
    assert ask(desk) == Declined(reason=DeclineReason.INVENTORY)
    desk.chain.time_s += 11
    assert isinstance(ask(desk), Quoted)


def test_a_quote_that_would_break_the_hard_limit_is_declined_but_one_that_reduces_is_not(
    desk: Desk,
) -> None:
    desk.close_slice(a_slice(epoch=1, position=-76), BOTH_SIDES)
    declined = ask(desk)
    assert declined == Declined(reason=RefusalReason.HARD_INVENTORY)
    assert isinstance(declined, Declined)
    assert declined.detail == "short 81 lots if everything fills, 80 allowed"
    assert isinstance(ask(desk, replace(BUY, side=Side.SELL)), Quoted)


def test_each_side_has_its_own_hard_limit(desk: Desk) -> None:
    desk.adopt(replace(POLICY, inventory_soft_short_bps=2_500, inventory_hard_short_bps=2_500))
    desk.close_slice(a_slice(epoch=1, position=-16), BOTH_SIDES)
    assert ask(desk) == Declined(reason=RefusalReason.HARD_INVENTORY)
    desk.close_slice(a_slice(epoch=2, position=16), BOTH_SIDES)
    assert isinstance(ask(desk, replace(BUY, side=Side.SELL)), Quoted)


def test_open_quotes_and_the_workers_own_orders_count_as_filled_for_the_limits(desk: Desk) -> None:
    # Short 64, 6 of the worker's own orders and 5 of each open quote: the second reaches 80.
    desk.close_slice(a_slice(epoch=1, position=-64), BOTH_SIDES)
    assert isinstance(ask(desk), Quoted)
    assert isinstance(ask(desk), Quoted)
    assert ask(desk) == Declined(reason=RefusalReason.TOTAL_INVENTORY)


@pytest.mark.parametrize(
    ("posture", "side", "passes"),
    [
        ("widened", Side.BUY, True),
        ("one_sided", Side.BUY, False),
        ("one_sided", Side.SELL, True),
        ("paused", Side.SELL, False),
        ("cancel_only", Side.SELL, False),
        ("halted", Side.SELL, False),
    ],
)
def test_a_firm_quote_obeys_the_workers_posture(
    desk: Desk, posture: str, side: Side, passes: bool
) -> None:
    desk.close_slice(a_slice(epoch=1, position=-70), BOTH_SIDES, posture=posture)
    request = replace(BUY, side=side, size=Lots(1))
    if passes:
        assert isinstance(ask(desk, request), Quoted)
    else:
        assert ask(desk, request) == Declined(reason=RefusalReason.POSTURE)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"unknown_orders": 1}, RefusalReason.ORDER_STATE_UNKNOWN),
        ({"clock_offset_ns": None}, RefusalReason.CLOCK_OFFSET),
        ({"feed_is_fresh": False}, RefusalReason.STALE_FEED),
        ({"drawdown_atoms": POLICY.drawdown_atoms_max + 1}, RefusalReason.DRAWDOWN),
    ],
)
def test_a_firm_quote_passes_the_gate_with_what_the_worker_last_knew(
    desk: Desk, inputs: dict[str, Any], reason: RefusalReason
) -> None:
    desk.close_slice(a_slice(epoch=1), BOTH_SIDES, **inputs)
    assert ask(desk) == Declined(reason=reason)


def test_nothing_is_quoted_while_halted_and_again_after_the_reset(desk: Desk) -> None:
    desk.store.halt(run_id=RUN, reason="drawdown", now_ns=Nanos(1))
    assert ask(desk) == Declined(reason=RefusalReason.POSTURE)
    desk.store.reset_halt(operator="ann", reason="hedged", now_ns=Nanos(2))
    assert isinstance(ask(desk), Quoted)


def test_an_acceptance_is_taken_while_halted_for_the_quote_was_firm(desk: Desk) -> None:
    trade = quoted(desk)
    desk.store.halt(run_id=RUN, reason="drawdown", now_ns=Nanos(1))
    assert isinstance(take(desk, trade), Accepted)


def test_an_acceptance_counts_at_expiry_and_not_a_second_later(desk: Desk) -> None:
    late, on_time = quoted(desk), quoted(desk)
    desk.chain.time_s += 10
    assert isinstance(take(desk, on_time), Accepted)
    desk.chain.time_s += 1
    assert take(desk, late) == Declined(reason=DeclineReason.EXPIRED)


def test_an_acceptance_must_be_whole_signed_and_of_a_known_quote(desk: Desk) -> None:
    trade = quoted(desk)
    unknown = replace(trade, quote=replace(trade.quote, nonce=99))
    assert take(desk, unknown) == Declined(reason=DeclineReason.UNKNOWN_QUOTE)
    assert take(desk, trade, amount=7) == Declined(reason=DeclineReason.TERMS)
    assert take(desk, trade, genuine=False) == Declined(reason=DeclineReason.SIGNATURE)


def test_accepting_again_is_the_same_acceptance(desk: Desk) -> None:
    trade = quoted(desk)
    assert take(desk, trade) == take(desk, trade)


def test_each_accepted_quote_is_settled_once_under_the_makers_nonce(desk: Desk) -> None:
    taken, ignored = quoted(desk), quoted(desk)
    take(desk, taken)
    outcome = settle(desk)
    assert outcome.rows == {"rfq_settlement": 1}
    ((intent, _),) = desk.store.intents()
    assert (intent.kind, intent.scope, intent.ordinal) == (IntentKind.QUOTE, DESK, 0)
    assert (intent.recipient, intent.deadline_s) == ("0xr1", taken.quote.settle_by_s)
    assert desk.held("desk", "BTC", AccountKind.PENDING) == 500_000
    assert settle(desk).status is JobStatus.ALREADY
    assert settle(desk, epoch=2).note == "no accepted quotes to settle"
    assert ignored.quote.nonce == 1


def test_a_quote_accepted_after_its_epochs_settlement_is_taken_by_the_next_one(
    desk: Desk,
) -> None:
    trade = quoted(desk)
    assert settle(desk).rows == {}
    take(desk, trade)
    assert settle(desk, epoch=2).rows == {"rfq_settlement": 1}


def test_a_quote_past_its_settle_by_is_left_out_and_counted(desk: Desk) -> None:
    trade = quoted(desk)
    take(desk, trade)
    desk.chain.time_s = trade.quote.settle_by_s + 1
    assert settle(desk).note == "no accepted quotes to settle; 1 are past their settle_by"


def ask_on(desk: Desk, chain: str, request: QuoteRequest = BUY) -> Quoted | Declined:
    return answer(
        store=desk.store,
        chain=desk.on(chain),
        clock=desk.clock,
        signer=Signer(),
        instrument=INSTRUMENT,
        run_id=RUN,
        epoch=1,
        request=request,
        settle_window_s=120,
    )


def test_a_restored_journal_quotes_nothing_on_that_chain_until_it_is_adopted(desk: Desk) -> None:
    desk.add_chain("solana")
    desk.fund("desk@solana", "BTC", 1_200_000)
    desk.store.enter_adopt_only(chain="evm", until_s=77, reason="drill", now_ns=Nanos(3))
    declined = ask(desk)
    assert declined == Declined(reason=DeclineReason.RESTORED)
    assert isinstance(declined, Declined)
    assert declined.detail == "drill"
    assert isinstance(ask_on(desk, "solana"), Quoted)
    desk.store.leave_adopt_only(chain="evm", proof={"height": 9}, now_ns=Nanos(4))
    assert isinstance(ask(desk), Quoted)


def test_a_quote_gives_the_inventory_of_its_own_chain(desk: Desk) -> None:
    desk.add_chain("solana")
    declined = ask_on(desk, "solana")
    assert declined == Declined(reason=DeclineReason.INVENTORY)
    desk.fund("desk@solana", "BTC", 600_000)
    reply = ask_on(desk, "solana")
    assert isinstance(reply, Quoted)
    assert (reply.trade.quote.chain, reply.trade.quote.maker_amount) == ("solana", 500_000)
    assert reply.trade.quote.contract == "settlement-on-solana"
    # What is promised there is not there twice, and takes nothing from the home chain.
    assert ask_on(desk, "solana") == Declined(reason=DeclineReason.INVENTORY)
    assert isinstance(ask(desk), Quoted)


def test_quotes_of_another_chain_count_against_the_desks_limit(desk: Desk) -> None:
    desk.add_chain("solana")
    desk.fund("desk@solana", "BTC", 10**12)
    refused = [ask_on(desk, "solana", replace(BUY, size=Lots(10))) for _ in range(12)]
    assert isinstance(refused[-1], Declined)
    # The other chain's clock is a little ahead: what is open here still counts.
    desk.chain.time_s += 100
    last = ask(desk, replace(BUY, size=Lots(10)))
    assert isinstance(last, Declined)
    assert last.reason is refused[-1].reason


def test_a_chains_quotes_are_settled_by_its_own_claim(desk: Desk) -> None:
    desk.add_chain("solana")
    desk.fund("desk@solana", "BTC", 600_000)
    there = ask_on(desk, "solana")
    assert isinstance(there, Quoted)
    take(desk, there.trade)
    take(desk, quoted(desk))
    settle(desk)
    assert {intent.chain for intent, _ in desk.store.intents()} == {"evm"}
    settle_quotes(store=desk.store, chain=desk.on("solana"), clock=desk.clock, run_id=RUN, epoch=1)
    settled = {intent.chain: intent.vault for intent, _ in desk.store.intents()}
    assert settled == {"evm": "desk", "solana": "desk@solana"}
