"""The numbered invariants of the settlement design that hold without a database or a contract.

Those of the driver are looked at in every world of a small campaign, and each test asserts that
its own was looked at where it could have broken; test_mutants shows that each of them can break.
The others stand here with a law of their own. Numbers 3, 8, 16, 18, 19, 32 are held by the database
(tests/integration/postgres/test_settlement_invariants.py), 37 by the contract (tests/contracts).
41, 46 and 47, where somebody outside has a hand, are in test_outside_invariants.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from desk_memory import Desk, order
from hypothesis import given
from hypothesis import strategies as st
from journal_memory import MemoryJournal
from simulation.chain_model import KINDS, Kind
from simulation.scenarios import (
    calm,
    go_on,
    is_complete,
    killed_in_flight,
    lane_with_a_refusal,
    states,
    two_classes,
)
from simulation.world import Faults, World

from dmm import observe
from dmm.adapters.evm.codec import order_head
from dmm.adapters.signers.guard import check_burn, check_settlement
from dmm.adapters.signers.policy import Cap, SignerPolicy
from dmm.adapters.signers.register import Entry, Register
from dmm.governance.proposal import Link, broken_link
from dmm.ledger.account import AccountKind
from dmm.ports import SignedTx, SignRequest
from dmm.settlement.batch import account, paid, reserve, void
from dmm.settlement.epoch import EpochPlan, Job, JobStatus
from dmm.settlement.intent import Intent, IntentKind, IntentState, Purpose
from dmm.treasury.rewards import split_budget
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, Permanent, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32, canonical_json
from dmm.units.time import Nanos
from dmm.usecases.control import resume
from dmm.usecases.quarantine import (
    IntentRelease,
    Verdict,
    release_quarantined,
    reverse_payment,
)

observe.configure_logging("CRITICAL")

CAMPAIGN_SEEDS = 60
LOOKS_MIN = 5
"""How often an invariant must have been looked at; number 7 needs a nonce that is not final yet."""

IN_CAMPAIGN = {
    1: "at_most_one_payment_per_intent_on_every_fork",
    2: "one_attempt_is_final",
    4: "what_is_sent_was_stored",
    5: "signed_bytes_never_change",
    6: "a_slot_belongs_to_one_intent",
    7: "no_slot_below_the_next_belongs_to_nobody",
    9: "an_end_is_an_end",
    10: "fence_and_generation_never_go_back",
    11: "a_writer_holds_the_fence",
    12: "final_means_paid_where_it_is_final",
    13: "failed_means_never_paid",
    14: "a_new_slot_needs_the_proof_of_the_old",
    15: "every_intent_ends_once_faults_stop",
    17: "available_pending_and_paid_stay_what_they_sum_to",
    20: "ledger_and_chain_have_no_difference",
    22: "while_latched_nothing_that_pays_is_signed_or_sent",
    28: "no_decision_rests_on_two_snapshots",
    29: "unknown_opens_nothing",
    34: "after_a_restore_nothing_is_signed_before_adoption",
    35: "death_is_proven_by_the_key_past_the_deadline",
    36: "the_replay_key_follows_from_the_intent",
    38: "ends_rest_on_a_quorum",
    43: "value_on_its_way_is_bounded",
}


@pytest.fixture(scope="module")
def campaign() -> tuple[Counter[int], list[World]]:
    looked: Counter[int] = Counter()
    worlds = []
    for kind in KINDS:
        for seed in range(CAMPAIGN_SEEDS):
            world = World(9_000 + seed, kind=kind, guard=False).run()
            looked += world.checked
            worlds.append(world)
    return looked, worlds


def _test_of(number: int) -> Any:
    def test(campaign: tuple[Counter[int], list[World]]) -> None:
        looked, _ = campaign
        assert looked[number] >= LOOKS_MIN, f"{number} was looked at {looked[number]} times"

    test.__doc__ = f"Invariant {number}: {IN_CAMPAIGN[number].replace('_', ' ')}."
    return test


for _number, _name in IN_CAMPAIGN.items():
    globals()[f"test_invariant_{_number:02}_{_name}"] = _test_of(_number)


def test_invariant_01_no_fork_ever_held_two_payments(
    campaign: tuple[Counter[int], list[World]],
) -> None:
    _, worlds = campaign
    heads = [head for world in worlds for head in world.model.heads]
    assert len(heads) > 10_000
    assert max(times for head in heads for times in head.paid.values()) == 1


def wiped(seed: int, *, kind: Kind, guard: bool) -> int:
    """Lose the whole journal and the register in flight, plan again; return payments at most."""
    world = World(seed, kind=kind, guard=guard, chaos=False, faults=Faults())
    rng = random.Random(seed)  # noqa: S311
    for _ in range(rng.randint(1, 8)):
        world.turn()
        if rng.random() < 0.4:
            world.model.mine()
    world.journal = MemoryJournal(now_ns=lambda: world.now_ns)
    world.register = {}
    world.life += 1
    world.forget()
    world.check_now = lambda: None  # type: ignore[method-assign]
    world._fund()
    world.plan(epoch=0)
    go_on(world, 40)
    return max(world.model.head.paid.values())


def test_invariant_21_the_contract_alone_pays_once_when_the_journal_is_lost() -> None:
    for kind in KINDS:
        assert {wiped(seed, kind=kind, guard=True) for seed in range(40)} == {1}
    assert 2 in {wiped(seed, kind="solana", guard=False) for seed in range(40)}, "nothing was lost"


# -- release, orders, authority -------------------------------------------------------------------


def killed(desk: Desk) -> None:
    desk.store.kill(reason="drill", operator="op", now_ns=Nanos(1))


def test_invariant_23_a_kill_is_released_by_one_executed_order_used_once() -> None:
    desk = Desk()
    killed(desk)
    with pytest.raises(UsageFault):
        resume(store=desk.store, chain=desk.chain, clock=desk.clock, operator="op")
    desk.chain.orders.append(
        order(1, "release", canonical_json({"kill_id": 1}), previous=ZERO_HASH)
    )
    assert not resume(store=desk.store, chain=desk.chain, clock=desk.clock, operator="op").killed
    killed(desk)
    with pytest.raises(UsageFault):
        resume(store=desk.store, chain=desk.chain, clock=desk.clock, operator="op")


def test_invariant_33_a_kill_is_complete_only_when_slots_are_burnt_or_past_their_deadline() -> None:
    world, sent = killed_in_flight()
    assert set(sent) == {"BURN"}
    assert not world.model.head.paid
    assert is_complete(world)


def test_invariant_33_a_slot_in_the_mempool_keeps_a_kill_incomplete() -> None:
    world = calm(intents=1)
    world.turn()
    world.journal.kill(reason="drill", operator="op", now_ns=Nanos(world.now_ns))
    assert not is_complete(world)


HEAD = {
    "chain_id": 31_337,
    "contract": "0x" + "11" * 20,
    "sequence": 4,
    "family": b"policy".ljust(32, b"\0"),
    "previous_head": b"\x07" * 32,
    "body": b"{}",
    "expiry_s": 99,
}


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"contract": "0x" + "22" * 20},
        {"sequence": 5},
        {"previous_head": b"\x08" * 32},
        {"family": b"release".ljust(32, b"\0")},
        {"expiry_s": 100},
    ],
    ids=lambda change: next(iter(change)),
)
def test_invariant_44_an_order_is_valid_for_one_chain_contract_and_sequence(
    change: dict[str, Any],
) -> None:
    assert order_head(**(HEAD | change)) != order_head(**HEAD)
    links = [
        Link(sequence=n, previous_head=Hash32(bytes([n - 1]) * 32), head=Hash32(bytes([n]) * 32))
        for n in (1, 2, 3)
    ]
    assert broken_link(links) is None
    assert broken_link([links[0], links[2]]) is not None


def test_invariant_45_only_executed_orders_loosen() -> None:
    world = calm(intents=1)
    (intent,) = world.plans.values()
    desk = Desk()
    desk.store = world.journal
    claimed = world.journal.claim_due(chain="evm", owner="w", lease_s=1)
    assert claimed is not None
    world.journal.quarantine(claimed, reason="doubt")
    for refused in (
        lambda: release_quarantined(
            store=desk.store,
            chain=desk.chain,
            clock=desk.clock,
            intent_id=intent.intent_id,
            operator="op",
        ),
        lambda: reverse_payment(
            store=desk.store,
            chain=desk.chain,
            clock=desk.clock,
            intent_id=intent.intent_id,
            operator="op",
        ),
    ):
        with pytest.raises(UsageFault):
            refused()
    assert states(world) == [IntentState.QUARANTINED]


# -- ledger --------------------------------------------------------------------------------


@given(
    budget=st.integers(1, 2**90),
    scores=st.dictionaries(st.text("abcdef", min_size=1), st.integers(1, 2**60), min_size=1),
)
def test_invariant_24_rewards_sum_to_the_budget_exactly(
    budget: int, scores: dict[str, int]
) -> None:
    assert sum(split_budget(Atoms(budget), scores).values()) == budget


def an_intent(ordinal: int = 0, *, amount: int = 30, deadline_s: int = 50) -> Intent:
    return Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="r1:x",
        epoch=1,
        ordinal=ordinal,
        asset="DCT",
        recipient="0xa1",
        amount=Atoms(amount),
        deadline_s=deadline_s,
        inputs={},
    )


@given(data=st.data())
def test_invariant_27_events_twice_and_in_any_order_leave_the_same_ledger(data: Any) -> None:
    intents = [an_intent(ordinal) for ordinal in range(4)]
    ends = [paid(one, at_ns=9) if one.ordinal % 2 else void(one, at_ns=9) for one in intents]
    once = [posting for end in ends for posting in end]
    seen = data.draw(st.permutations(once + data.draw(st.lists(st.sampled_from(once)))))
    ledgers = []
    for events in (once, seen):
        desk = Desk()
        desk.fund("treasury", "DCT", 1_000)
        desk.store.post([reserve(one, at_ns=1) for one in intents])
        for posting in events:
            desk.store.post([posting])
        ledgers.append(desk.store.balances())
    assert ledgers[0] == ledgers[1]


def test_invariant_26_the_same_seed_makes_the_same_journal() -> None:
    assert World(77).run().journal.entries == World(77).run().journal.entries
    assert World(77).run().journal.entries != World(78).run().journal.entries


def test_invariant_30_a_finished_epoch_run_again_does_nothing() -> None:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_000)
    plan = EpochPlan(intents=(an_intent(),), postings=(reserve(an_intent(), at_ns=1),))
    terms: dict[str, Any] = {
        "run_id": "r1",
        "job": Job.LIQUIDITY_REWARDS,
        "scope": "r1:x",
        "epoch": 1,
        "now_ns": Nanos(0),
        "chain_time_s": 5,
    }
    claim = desk.store.open_epoch(**terms)
    assert desk.store.record_epoch(claim, plan) is JobStatus.RECORDED
    before = (desk.store.balances(), desk.store.intents())
    again = desk.store.open_epoch(**(terms | {"now_ns": Nanos(99), "chain_time_s": 77}))
    assert desk.store.record_epoch(again, plan) is JobStatus.ALREADY
    assert (desk.store.balances(), desk.store.intents()) == before
    other = EpochPlan(intents=(an_intent(amount=31),), postings=(reserve(an_intent(), at_ns=1),))
    assert desk.store.record_epoch(again, other) is JobStatus.QUARANTINED
    assert (desk.store.balances(), desk.store.intents()) == before


def test_invariant_31_no_fraction_enters_an_id_or_a_content_hash() -> None:
    fraction: Any = {"share": 0.5}
    with pytest.raises(TypeError, match="no floats"):
        canonical_json(fraction)
    whole = an_intent()
    with pytest.raises(TypeError, match="no floats"):
        _ = Intent(**({n: getattr(whole, n) for n in FIELDS} | {"inputs": fraction})).content_hash


FIELDS = tuple(name for name in Intent.__dataclass_fields__)


def test_invariant_42_a_payment_taken_back_below_finality_is_undone_by_linked_postings() -> None:
    desk = Desk()
    desk.fund("treasury", "DCT", 1_000)
    intent = an_intent(deadline_s=desk.chain.time_s - 1)
    claim = desk.store.open_epoch(
        run_id="r1",
        job=Job.LIQUIDITY_REWARDS,
        scope="r1:x",
        epoch=1,
        now_ns=Nanos(0),
        chain_time_s=5,
    )
    desk.store.record_epoch(
        claim, EpochPlan(intents=(intent,), postings=(reserve(intent, at_ns=1),))
    )
    claimed = desk.store.claim_due(chain="evm", owner="w", lease_s=5)
    assert claimed is not None
    desk.store.finish_final(claimed, tx_id=None, height=9, postings=paid(intent, at_ns=2))
    terms: dict[str, Any] = {
        "store": desk.store,
        "chain": desk.chain,
        "clock": desk.clock,
        "intent_id": intent.intent_id,
        "operator": "ann",
    }
    with pytest.raises(UsageFault, match="execute a release order"):
        reverse_payment(**terms)
    body = IntentRelease(intent_id=intent.intent_id, verdict=Verdict.REVERSED).canonical_bytes
    desk.chain.orders.append(order(1, "release", body, previous=ZERO_HASH))
    desk.chain.used.add(intent.intent_id)
    with pytest.raises(InvariantBroken, match="is used on evm"):
        reverse_payment(**terms)
    desk.chain.used.clear()
    before = desk.store.balances()
    assert reverse_payment(**terms)
    assert not reverse_payment(**terms)
    kinds = {kind: desk.store.balance(account("treasury", "DCT", kind)) for kind in AccountKind}
    assert kinds[AccountKind.AVAILABLE] == 1_000
    assert kinds[AccountKind.PAID] == 0
    assert before != desk.store.balances()
    assert [state for _, state in desk.store.intents()] == [IntentState.FINAL]


# -- signers -------------------------------------------------------------------------------

POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker="0x" + "a1" * 20,
    contracts={"settlement": "0x" + "a3" * 20, "treasury": "0x" + "a4" * 20},
    caps={"DCT": Cap(each_atoms=40, day_atoms=100)},
    unit_fee_max=200,
    gas_max=400_000,
    ttl_s_max=60,
    settle_s_max=600,
)


def a_request(ordinal: int, *, slot: int, bump: int = 0, **change: Any) -> SignRequest:
    terms: dict[str, Any] = {
        "intent": an_intent(ordinal),
        "generation": 0,
        "bump": bump,
        "slot": slot,
        "unit_fee_max": 150,
        "unit_tip": 3,
        "gas_max": 21_000,
    }
    return SignRequest(**(terms | change))


@pytest.mark.parametrize("seed", range(20))
def test_invariant_25_caps_hold_whatever_crashes(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311
    path, signed = tmp_path / "register.sqlite", set()
    for number in range(40):
        register = Register(path)
        ordinal = rng.randrange(8)
        request = a_request(ordinal, slot=ordinal, bump=rng.randrange(2))
        entry = Entry(request=request, key="0xk", day_atoms_max=100, now_s=1_000 + number)

        def sign(*, dies: bool = rng.random() < 0.3, at: int = ordinal) -> SignedTx:
            if dies:
                raise KeyboardInterrupt
            signed.add(at)
            return SignedTx(tx_id=f"t{at}", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))

        try:
            register.sign_once(entry, sign)
        except (Permanent, KeyboardInterrupt):
            pass
        finally:
            register.close()
        assert 30 * len(signed) <= 100
    assert len(signed) == 3


def test_invariant_47_every_signature_counts_against_a_cap_and_no_approval_is_signed() -> None:
    check_settlement(a_request(0, slot=1), POLICY)
    for refused in (
        an_intent(amount=41),
        Intent(**({n: getattr(an_intent(), n) for n in FIELDS} | {"asset": "USDT"})),
        Intent(**({n: getattr(an_intent(), n) for n in FIELDS} | {"contract": "token:DCT"})),
    ):
        with pytest.raises(Permanent):
            check_settlement(a_request(0, slot=1, intent=refused), POLICY)
    burn = a_request(0, slot=1, purpose=Purpose.BURN)
    check_burn(burn, POLICY, gas_max=21_000)
    for change in ({"unit_fee_max": 401}, {"gas_max": 21_001}):
        with pytest.raises(Permanent):
            check_burn(a_request(0, slot=1, purpose=Purpose.BURN, **change), POLICY, gas_max=21_000)


# -- lanes ---------------------------------------------------------------------------------


def test_invariant_39_lanes_of_one_class_never_hold_up_another() -> None:
    two_classes()


def test_invariant_40_a_leg_that_cannot_be_paid_holds_up_no_other() -> None:
    lane_with_a_refusal()
    world = calm(intents=3, lifetime_s_min=300)
    first = next(iter(world.plans.values()))
    world.model.bad = {first.intent_id.hex()}
    go_on(world, 90)
    assert states(world)[1:] == [IntentState.FINAL, IntentState.FINAL]
    assert states(world)[0] in (IntentState.FAILED, IntentState.QUARANTINED)
