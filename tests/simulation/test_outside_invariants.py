"""Invariants in which somebody outside has a hand: takers, givers of dust, a caller of the signer.

41 a failed net closes gross and what is exposed stays bounded; 46 no outsider causes a latch below
a stated bound; 47 caps count in one numéraire and everything that lets money leave counts.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chain_memory import NOBODY, NodeLog
from desk_memory import DESK, RUN, TREASURY, Desk
from hypothesis import given, settings
from hypothesis import strategies as st
from simulation.chain_model import Kind
from simulation.scenarios import calm, go_on
from simulation.world import World

from dmm import observe
from dmm.adapters.signers.guard import check_settlement
from dmm.adapters.signers.numeraire import Numeraire, Rate
from dmm.adapters.signers.outflow import outflows
from dmm.adapters.signers.policy import Cap, SignerPolicy
from dmm.adapters.signers.register import Register
from dmm.adapters.signers.spending import DAY_S, Entry
from dmm.ledger.account import AccountKind
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.netting import net_intent, quote_intent
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.carrier import is_carrier
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.settlement.latch_bounds import LatchBounds, LatchCause, Price
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.usecases.audit import audit_all, audit_settlement, record_funding

observe.configure_logging("CRITICAL")

NET_KINDS: tuple[Kind, ...] = ("evm", "solana", "durable")
SEEDS = 60


def ends(world: World) -> Counter[tuple[bool, IntentState]]:
    return Counter((is_carrier(intent), state) for intent, state in world.journal.intents())


@pytest.mark.parametrize("kind", NET_KINDS)
def test_invariant_41_a_net_that_fails_takes_no_quote_along(kind: Kind) -> None:
    """Whatever goes wrong, with the contract's guard off; 41 is looked at with each signature."""
    looked, closed_gross = 0, 0
    for seed in range(SEEDS):
        world = World(5_000 + seed, kind=kind, guard=False, netted=True).run()
        looked += world.checked[41]
        found = ends(world)
        closed_gross += found[True, IntentState.FAILED] and found[False, IntentState.FINAL] > 0
        assert world.checked[43] > 0
    assert looked >= SEEDS
    assert closed_gross >= 5, "hardly a net failed: nothing was shown"


@pytest.mark.parametrize("kind", NET_KINDS)
def test_invariant_41_a_net_one_of_whose_quotes_cannot_settle_closes_the_others(kind: Kind) -> None:
    world = calm(intents=3, kind=kind, lifetime_s_min=300, netted=True)
    failing = list(world.plans.values())[1]
    world.model.bad = {failing.intent_id.hex()}
    reserved = world.held()
    go_on(world, 90)
    found = ends(world)
    assert found[True, IntentState.FAILED] == 1
    assert found[False, IntentState.FINAL] == 2
    held = world.held()
    # What a failed net exposes is what its quotes had reserved, and never more.
    assert held[AccountKind.PAID] + held[AccountKind.PENDING] <= reserved[AccountKind.PENDING]


def test_invariant_41_a_net_nobody_includes_gives_way_at_its_deadline() -> None:
    world = calm(intents=3, lifetime_s_min=300, netted=True)
    accept = world.model.accept
    world.model.accept = lambda tx: None if tx.members else accept(tx)  # type: ignore[method-assign]
    go_on(world, 90)
    found = ends(world)
    assert found[True, IntentState.FAILED] == 1
    assert found[False, IntentState.FINAL] == 3


# -- 46: outsiders ---------------------------------------------------------------------------------

TAKER = "0x" + "c1" * 20
STRANGER = "0x" + "e5" * 20
PRICES = {
    "DCT": Price(numeraire_atoms=1, atoms=10**6),
    "BTC": Price(numeraire_atoms=600, atoms=1),
    "USDT": Price(numeraire_atoms=1, atoms=1),
}
BOUND = 1_000_000
BOUNDS = LatchBounds(dust={LatchCause.REBASE: BOUND}, prices=PRICES)


def issued(nonce: int) -> RfqTrade:
    quote = FirmQuote(
        chain="evm",
        contract="0x5e",
        maker=DESK,
        signer="0x51",
        taker=TAKER,
        maker_asset="BTC",
        taker_asset="USDT",
        maker_amount=Atoms(40),
        taker_amount=Atoms(650),
        fee_bps=0,
        fee_recipient=DESK,
        expiry_s=1_999_999_000,
        settle_by_s=2_000_000_000,
        nonce=nonce,
        min_fill=Atoms(17 if nonce % 2 else 0),
    )
    return RfqTrade(
        run_id=RUN,
        epoch=0,
        quote=quote,
        maker_signature=b"\x07" * 65,
        fair_half_ticks=199_999,
        issued_at_ns=5,
    )


class Outside:
    """A funded desk, and what a taker and a stranger can do to it without a key of ours."""

    def __init__(self) -> None:
        self.desk, self.log = Desk(), NodeLog(final=50, head=60)
        for vault, asset, amount in ((TREASURY, "DCT", 5_000), (DESK, "BTC", 9_000)):
            self.log.move(NOBODY, vault, asset, amount, height=30)
        record_funding(
            store=self.desk.store, log=self.log, clock=self.desk.clock, height=30, wait_s_max=5
        )
        self.quotes = [issued(nonce) for nonce in range(6)]
        for trade in self.quotes:
            self.desk.store.record_quote(trade)
        self.height, self.epoch = 50, 0

    def act(self, what: str, amount: int, which: int) -> None:
        self.height += 1
        log, at = self.log, self.height
        match what:
            case "donate":
                log.move(STRANGER, DESK if which % 2 else TREASURY, "USDT", amount, height=at)
            case "settle" if which < len(self.quotes):
                self.fill([self.quotes.pop(which)], amount)
            case "settle all":
                self.fill(self.quotes, amount)
                self.quotes = []
            case "net of others":
                log.write(
                    "settlement",
                    "Filled",
                    height=at,
                    quoteId="ab" * 32,
                    maker=STRANGER,
                    nonce=which,
                    amount=amount,
                )
            case "cancel":
                log.write("settlement", "Cancelled", height=at, maker=STRANGER, word=0, mask=1)
            case "tax":
                # A token that rounds a balance down, below the bound.
                taken = min(amount, BOUND // 600 // 8)
                place = (DESK, "BTC")
                log.rebased[place] = log.rebased.get(place, 0) - taken
            case _:
                pass
        self.log.head = self.log.final = at

    def fill(self, trades: list[RfqTrade], amount: int) -> None:
        """Settle quotes in one transaction, in part where their maker lets the taker."""
        tx_id = ""
        for trade in trades:
            quote = trade.quote
            taken = max(quote.least, amount % quote.taker_amount)
            given = quote.given(taken)
            tx_id = self.log.move(DESK, TAKER, "BTC", given, height=self.height, tx_id=tx_id)
            self.log.move(TAKER, DESK, "USDT", taken, height=self.height, tx_id=tx_id)
            self.log.write(
                "settlement",
                "Filled",
                height=self.height,
                tx_id=tx_id,
                quoteId=quote.quote_id.hex(),
                maker=DESK,
                nonce=quote.nonce,
                amount=taken,
            )

    def audit(self) -> None:
        self.epoch += 1
        audit_settlement(
            store=self.desk.store,
            chain=self.desk.chain,
            log=self.log,
            follow_log=self.log,
            clock=self.desk.clock,
            run_id=RUN,
            epoch=self.epoch,
            bounds=BOUNDS,
        )


ACTS = st.tuples(
    st.sampled_from(["donate", "settle", "settle all", "net of others", "cancel", "tax"]),
    st.integers(1, 10**12),
    st.integers(0, 5),
)


@settings(max_examples=60, deadline=None)
@given(acts=st.lists(ACTS, min_size=1, max_size=8))
def test_invariant_46_whatever_an_outsider_does_latches_nothing(
    acts: list[tuple[str, int, int]],
) -> None:
    outside = Outside()
    for act in acts:
        outside.act(*act)
        outside.audit()
    assert outside.desk.store.latch() is None
    result = audit_all(store=outside.desk.store, log=outside.log)
    assert not result.alarms
    assert all(line.asset == "BTC" for line in result.lines if line.difference), "only the tax"


@given(dust=st.integers(1, 10**12), worth=st.integers(1, 10**9))
def test_invariant_46_a_rebase_latches_above_its_bound_and_not_below(dust: int, worth: int) -> None:
    bounds = LatchBounds(
        dust={LatchCause.REBASE: worth}, prices={"DCT": Price(numeraire_atoms=1, atoms=1)}
    )
    assert bounds.latches(LatchCause.REBASE, {"DCT": dust}) == (dust > worth)
    assert bounds.latches(LatchCause.OUTFLOW, {"DCT": 1}), "what leaves by our key always latches"


def test_invariant_46_what_leaves_by_a_key_of_ours_latches_at_one_atom() -> None:
    outside = Outside()
    outside.log.move(TREASURY, STRANGER, "DCT", 1, height=51)
    outside.log.head = outside.log.final = 51
    outside.audit()
    assert outside.desk.store.latch() is not None


# -- 47: caps in one numéraire ---------------------------------------------------------------------

CENT = Numeraire(
    name="cent",
    each_max=4_000,
    day_max=9_000,
    recipient_day_max=7_000,
    rates={"BTC": Rate(atoms=1, worth=60), "USDT": Rate(atoms=7, worth=3)},
)
WIDE = Cap(each_atoms=10**9, day_atoms=10**9)
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker=DESK,
    contracts={"settlement": "0x" + "a3" * 20, "treasury": "0x" + "a4" * 20},
    caps={"BTC": WIDE, "USDT": WIDE},
    unit_fee_max=200,
    gas_max=10**7,
    ttl_s_max=60,
    settle_s_max=10**9,
    numeraire=CENT,
)


def accepted(nonce: int, rng: random.Random) -> RfqTrade:
    trade = issued(nonce)
    terms: dict[str, Any] = {"min_fill": Atoms(0)}
    if rng.random() < 0.4:
        terms |= {
            "maker_asset": "USDT",
            "taker_asset": "BTC",
            "maker_amount": Atoms(650),
            "taker_amount": Atoms(40),
        }
    quote = replace(trade.quote, **terms)
    acceptance = Acceptance(
        quote_id=quote.quote_id, amount=quote.taker_amount, recipient=rng.choice((TAKER, STRANGER))
    )
    return replace(trade, quote=quote, acceptance=acceptance, taker_signature=b"\x09" * 65)


def drawn(rng: random.Random) -> Intent:
    """Return a quote, or a net of quotes that other requests may settle too."""
    nonces = rng.sample(range(12), rng.randint(2, 3))
    trades = [accepted(nonce, random.Random(nonce)) for nonce in nonces]  # noqa: S311
    if rng.random() < 0.5:
        return quote_intent(trades[0])
    return net_intent(trades, deadline_s=2_000_000_000)


@pytest.mark.parametrize("seed", range(12))
def test_invariant_47_no_day_s_signatures_are_worth_more_than_the_caps(
    seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)  # noqa: S311
    signed: dict[str, tuple[int, str, int]] = {}
    now_s = 20_000 * DAY_S
    for slot in range(60):
        now_s += rng.randint(0, 4_000)
        register, intent = Register(tmp_path / "register.sqlite"), drawn(rng)
        request = SignRequest(
            intent=intent,
            generation=0,
            bump=0,
            slot=slot,
            unit_fee_max=1,
            unit_tip=0,
            gas_max=1,
            chain_time_s=now_s - rng.randint(0, 10),
        )
        flows = outflows(intent, canonical=str.lower)
        entry = Entry(
            request=request,
            key="0xk",
            day_atoms_max=10**9,
            now_s=now_s,
            flows=flows,
            numeraire=CENT,
        )

        def sign(*, dies: bool = rng.random() < 0.2) -> SignedTx:
            if dies:
                raise KeyboardInterrupt
            return SignedTx(tx_id="t", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))

        try:
            check_settlement(request, POLICY)
            register.sign_once(entry, sign)
        except (Permanent, KeyboardInterrupt):
            continue
        finally:
            register.close()
        for flow in flows:
            # A quote that settles in a net and by itself can leave once, and counts once.
            worth = CENT.worth(flow.asset, flow.amount)
            signed.setdefault(flow.source, (entry.day, flow.recipient, worth))
    days: Counter[int] = Counter()
    recipients: Counter[tuple[int, str]] = Counter()
    for day, recipient, worth in signed.values():
        days[day] += worth
        recipients[day, recipient] += worth
    assert signed
    assert max(days.values()) <= CENT.day_max
    assert max(recipients.values()) <= CENT.recipient_day_max


def test_invariant_47_no_approval_permit_or_delegate_change_can_be_asked_for() -> None:
    trade = accepted(1, random.Random(1))  # noqa: S311
    whole = quote_intent(trade)
    request = SignRequest(
        intent=whole, generation=0, bump=0, slot=1, unit_fee_max=1, unit_tip=0, gas_max=1
    )
    check_settlement(request, POLICY)
    for contract in ("token:BTC", "treasury", "governor", "permit2"):
        with pytest.raises(Permanent, match="is not allowed for a quote intent"):
            check_settlement(replace(request, intent=replace(whole, contract=contract)), POLICY)
    kinds = {kind.value for kind in IntentKind}
    assert kinds == {"reward", "buyback", "quote", "net", "statement"}, "a new kind needs a cap"
