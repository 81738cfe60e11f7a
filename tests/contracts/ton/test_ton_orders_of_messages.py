"""All or compensated, whatever order the chain delivers messages in and whatever refuses them.

Several deals run at once. The order of deliveries is drawn: only messages of one pair of accounts
keep theirs. Wallets are locked and unlocked between deliveries, so that legs bounce at the first
hop, where we hear of it, or at the second, where nobody tells us.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.sandbox.ton import cells
from tests.contracts.ton.conftest import TON1, TonWorld

SETTLED, REFUND_DUE = 2, 3
UNUSED = 0
JETTONS_AT_START = 10**12
FREE_TON, FREE_JETTONS = 99_980_000_000, 10**9
FEE_BPS = 30


@dataclass(frozen=True)
class Deal:
    """A fill: which way, how much, whether the quote still lives, whether enough TON goes along."""

    way: str
    scale: int
    is_late: bool
    is_scant: bool


@dataclass(frozen=True)
class Lock:
    """A wallet's lock is set before delivery number `at`."""

    at: int
    is_vault: bool
    status: int


deals = st.builds(
    Deal,
    way=st.sampled_from(["ton-ja", "ja-ton", "jb-ja", "ja-jb"]),
    scale=st.integers(1, 9),
    is_late=st.integers(0, 9).map(lambda n: n == 0),
    is_scant=st.integers(0, 5).map(lambda n: n == 0),
)
locks = st.builds(
    Lock, at=st.integers(0, 40), is_vault=st.booleans(), status=st.sampled_from([0, 1, 2])
)


def terms(ton: TonWorld, deal: Deal, nonce: int) -> cells.VaultQuote:
    pays, gets = deal.way.split("-")
    asset = {"ton": cells.TON, "ja": ton.ja.asset, "jb": ton.jb.asset}
    amount = {"ton": deal.scale * TON1, "ja": deal.scale * 1_000_003, "jb": deal.scale * 777_001}
    return ton.quote(
        nonce=nonce,
        maker_asset=asset[gets],
        taker_asset=asset[pays],
        maker_amount=amount[gets],
        taker_amount=amount[pays],
        min_fill=amount[pays],
        expiry_s=ton.now_s + (-1 if deal.is_late else 60),
        fee_bps=FEE_BPS,
        fee_recipient=ton.fee_recipient,
    )


def start(ton: TonWorld, deal: Deal, quote: cells.VaultQuote) -> None:
    beside = TON1 // 20 if deal.is_scant else TON1 // 2
    fill = ton.fill(quote)
    if quote.taker_asset == cells.TON:
        ton.post(ton.taker, ton.vault, quote.taker_amount + beside, fill)
        return
    jetton = ton.ja if quote.taker_asset == ton.ja.asset else ton.jb
    body = ton.jetton_body(quote.taker_amount, fill, forward=beside)
    ton.post(ton.taker, ton.wallet(jetton.minter, ton.taker), beside + TON1 // 5, body)


def lock(ton: TonWorld, item: Lock) -> None:
    """The issuer's brake acts at once: a message from the minter, delivered now."""
    owner = ton.vault if item.is_vault else ton.taker
    body = cells.op(0x444D0F01, write=lambda b: b.store_uint(item.status, 4))
    wallet = ton.wallet(ton.ja.minter, owner)
    ton.machine.deliver(
        cells.internal(source=ton.ja.minter, destination=wallet, nanoton=TON1 // 10, body=body)
    )


def deliver_all(ton: TonWorld, choices: list[int], planned: list[Lock]) -> None:
    step = 0
    while len(ton.traffic):
        for item in planned:
            if item.at == step:
                lock(ton, item)
        heads = len(ton.traffic.heads())
        done = ton.traffic.deliver(choices[step % len(choices)] % heads)
        if done.address == cells.raw(ton.vault):
            free, owed = ton.book(cells.TON)
            assert ton.ton(ton.vault) >= free + owed, "TON of the books was not there for a moment"
        step += 1
        assert step < 1_000, "messages without end"


def end_by_hand(ton: TonWorld, count: int) -> None:
    """An honest operator: what is still open, and still in our wallet, was not delivered."""
    ton.at_s(ton.now_s + 600 + 3_601)
    items = [n for n in range(count) if ton.nonce_state(n) == 1]
    items += [1 << 63 | n for n in range(2 * count) if ton.get(ton.vault, "payout", 1 << 63 | n)[0]]
    for item in items:
        body = cells.op(
            cells.OP_RESOLVE, write=lambda b, i=item: b.store_uint(i, 64).store_bit_int(0)
        )
        ton.ok(ton.operator, ton.vault, TON1 // 10, body)


def fee_of(amount: int) -> int:
    return -(-amount * FEE_BPS // 10_000)


def check(ton: TonWorld, quotes: list[cells.VaultQuote]) -> None:
    settled = [quote for quote in quotes if ton.nonce_state(quote.nonce) == SETTLED]
    for quote in quotes:
        assert ton.nonce_state(quote.nonce) in (UNUSED, SETTLED, REFUND_DUE)
    for jetton in ton.jettons:
        asset = jetton.asset
        paid = sum(q.taker_amount for q in settled if q.taker_asset == asset)
        gross = [q.maker_amount for q in settled if q.maker_asset == asset]
        fees = sum(fee_of(amount) for amount in gross)
        credit = ton.credit(ton.taker, asset)
        # The taker has, in hand or to claim, exactly what it had, less what its settled deals cost,
        # plus what they brought. A deal that was not settled has cost it no jetton.
        assert (
            ton.jettons_of(jetton, ton.taker) + credit
            == JETTONS_AT_START - paid + sum(gross) - fees
        )
        assert ton.credit(ton.fee_recipient, asset) == fees
        assert ton.book(asset) == (FREE_JETTONS + paid - sum(gross), credit + fees)
    given = sum(q.maker_amount for q in settled if q.maker_asset == cells.TON)
    taken = sum(q.taker_amount for q in settled if q.taker_asset == cells.TON)
    refunds = sum(
        q.taker_amount
        for q in quotes
        if q.taker_asset == cells.TON and ton.nonce_state(q.nonce) == REFUND_DUE
    )
    assert ton.book(cells.TON) == (FREE_TON + taken - given, refunds)
    assert ton.credit(ton.taker, cells.TON) == refunds
    ton.require_funded()


def run(ton: TonWorld, plan: list[Deal], planned: list[Lock], choices: list[int]) -> None:
    ton.reset()
    quotes = [terms(ton, deal, nonce) for nonce, deal in enumerate(plan)]
    for deal, quote in zip(plan, quotes, strict=True):
        start(ton, deal, quote)
    deliver_all(ton, choices, planned)
    end_by_hand(ton, len(plan))
    check(ton, quotes)


PLANS = st.lists(deals, min_size=1, max_size=5)
LOCKS = st.lists(locks, max_size=4)
CHOICES = st.lists(st.integers(0, 11), min_size=1, max_size=60)


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=PLANS, planned=LOCKS, choices=CHOICES)
def test_every_order_of_messages_ends_in_all_or_compensated(
    ton: TonWorld, plan: list[Deal], planned: list[Lock], choices: list[int]
) -> None:
    run(ton, plan, planned, choices)


@pytest.mark.deep
@settings(
    max_examples=2_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=PLANS, planned=LOCKS, choices=CHOICES)
def test_every_order_of_many_messages_ends_in_all_or_compensated(
    ton: TonWorld, plan: list[Deal], planned: list[Lock], choices: list[int]
) -> None:
    run(ton, plan, planned, choices)
