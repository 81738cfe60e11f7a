"""Laws of settlement: books of an intent, the judgement of death, the walk of a hedge."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from dmm.hedging.venue_rank import UBPS_ONE, walk_book
from dmm.ledger.account import AccountKind
from dmm.market.instrument import Side
from dmm.settlement.batch import effect, paid, reserve, void
from dmm.settlement.carrier import CARRIERS
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.settlement.lifecycle import LEGAL, RETENTION_S, Death, judge_death
from dmm.units.amount import Atoms, Lots, Ticks

HELD = {AccountKind.AVAILABLE, AccountKind.PENDING}
times = st.integers(0, 2**40)


MOVES_MONEY = sorted(set(IntentKind) - CARRIERS)


@st.composite
def intents(draw: st.DrawFn, kinds: Sequence[IntentKind] = MOVES_MONEY) -> Intent:
    kind = draw(st.sampled_from(kinds))
    received = {"taker_asset": "USDT", "taker_amount": draw(st.integers(1, 10**30))}
    return Intent(
        kind=kind,
        chain="evm",
        contract="c",
        vault=draw(st.sampled_from(["desk", "treasury"])),
        scope=draw(st.text(max_size=3)),
        epoch=draw(st.integers(0, 10**6)),
        ordinal=draw(st.integers(0, 10**6)),
        asset=draw(st.sampled_from(["DCT", "BTC"])),
        recipient="0x1",
        amount=Atoms(draw(st.integers(1, 10**30))),
        deadline_s=draw(times),
        inputs={"quote": {**received}} if kind is IntentKind.QUOTE else {},
    )


@given(intents())
def test_paying_changes_what_a_vault_holds_by_exactly_the_effect_on_chain(intent: Intent) -> None:
    held: dict[tuple[str, str], int] = {}
    for posting in (reserve(intent, at_ns=0), *paid(intent, at_ns=0)):
        for account, sign in ((posting.debit, -1), (posting.credit, 1)):
            if account.kind in HELD:
                key = (account.vault, account.asset)
                held[key] = held.get(key, 0) + sign * posting.amount
    assert {key: change for key, change in held.items() if change} == effect(intent)


@given(intents())
def test_voiding_undoes_a_reservation_to_the_atom(intent: Intent) -> None:
    there, (back,) = reserve(intent, at_ns=0), void(intent, at_ns=0)
    assert (there.debit, there.credit, there.amount) == (back.credit, back.debit, back.amount)


@given(intents(kinds=sorted(CARRIERS)))
def test_a_carrier_books_nothing_for_its_members_do(intent: Intent) -> None:
    assert paid(intent, at_ns=0) == void(intent, at_ns=0) == ()
    assert effect(intent) == {}


@given(intents())
def test_every_posting_of_an_intent_has_a_source_of_its_own(intent: Intent) -> None:
    postings = (reserve(intent, at_ns=0), *paid(intent, at_ns=0), *void(intent, at_ns=0))
    assert len({posting.source_id for posting in postings}) == len(postings)


@given(times, times)
def test_nothing_is_dead_until_its_deadline_has_passed(deadline_s: int, now_s: int) -> None:
    verdict = judge_death(deadline_s=deadline_s, finalized_time_s=now_s)
    assert (verdict is Death.NOT_YET) == (now_s <= deadline_s)
    assert (verdict is Death.STALE) == (now_s > deadline_s + RETENTION_S)


@given(st.sampled_from(IntentState), st.sampled_from(IntentState))
def test_what_has_ended_never_moves_again(before: IntentState, after: IntentState) -> None:
    ended = before in (IntentState.FINAL, IntentState.FAILED, IntentState.CANCELLED)
    assert not (ended and (before, after) in LEGAL)


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 50)), max_size=12),
    st.sampled_from(Side),
    st.integers(0, 400),
    st.integers(0, 200_000_000),
)
def test_a_hedge_never_takes_more_than_asked_nor_beyond_its_slippage(
    steps: list[tuple[int, int]], side: Side, size: int, slippage_ubps_max: int
) -> None:
    price, levels = 50_000, []
    for step, lots in steps:
        levels.append((Ticks(price), Lots(lots)))
        price += side.sign * step
    walk = walk_book(levels, side=side, size=Lots(size), slippage_ubps_max=slippage_ubps_max)
    assert walk.filled == sum(lots for _, lots in walk.taken) <= size
    for taken, _ in walk.taken:
        assert (taken - 50_000) * side.sign * UBPS_ONE <= 50_000 * slippage_ubps_max
    inside = sum(lots for at, lots in levels if (walk.limit - at) * side.sign >= 0)
    assert walk.filled == min(size, inside)
