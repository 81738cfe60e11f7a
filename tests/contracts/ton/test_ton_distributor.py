"""Cumulative claims: one tree for all chains, one contract a holder, everybody paid once."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.machine import Transaction
from dmm.treasury.merkle import MerkleTree, build
from tests.contracts.ton.conftest import BUILD, LEG_TON, NETWORK, TON1, TonWorld

NOT_AUTHORITY, NOT_GUARDIAN, PAUSED, VALUE_TOO_LOW, WRONG_SENDER = 1020, 1022, 1023, 1103, 1111
NOT_OPEN, TOO_EARLY = 1108, 1109
WRONG_VERSION, NOT_READY, ENDED, STILL_CHALLENGED, CHALLENGE_OVER = 1050, 1051, 1052, 1053, 1054
TOTAL_FELL, BUDGET_EXCEEDED, BUDGET_NOT_LOWER, NOT_FUNDED = 1055, 1056, 1057, 1058
NOTHING_TO_CLAIM, WRONG_PROOF, NOTHING_TO_TAKE, ZERO_ROOT = 1059, 1066, 1067, 1068
CHALLENGE_S = 3_600
LIFE_S = 30 * 86_400
FUNDS = 10**9
LOCKED_OUT, LOCKED_IN = 1, 2


class Drop:
    """A funded distributor and the tree that its authority proposes."""

    def __init__(self, world: TonWorld) -> None:
        self.world = world
        data = desk_cells.distributor_data(
            authority=world.authority,
            guardian=world.guardian,
            challenge_s=CHALLENGE_S,
            claimant_code=cells.code_of(BUILD, "Claimant"),
        )
        self.at = world.deploy("Distributor", data, nanoton=TON1)
        self.wallet = world.wallet(world.ja.minter, self.at)
        held = desk_cells.holding(
            layout=1,
            leg_nanoton=LEG_TON,
            minter=world.ja.minter,
            code=cells.code_of(BUILD, "JettonWallet"),
        )
        self.admin(
            desk_cells.OP_DISTRIBUTOR_LIST_ASSET,
            lambda b: b.store_uint(self.wallet, 256).store_ref(held),
        )
        self.admin(desk_cells.OP_SET_BUDGET, lambda b: b.store_coins(FUNDS))
        fund = world.jetton_body(
            FUNDS, cells.op(desk_cells.OP_FUND), forward=TON1 // 20, to=self.at
        )
        world.ok(world.authority, world.wallet(world.ja.minter, world.authority), TON1 // 4, fund)
        self.holders = {0xB1: 400, 0xB2: 300_001, 0xC1: 77, 0xF00D: 5_000}

    def admin(self, code: int, write: Any = None, *, by: int | None = None) -> None:
        sender = self.world.authority if by is None else by
        self.world.ok(sender, self.at, TON1 // 5, cells.op(code, write=write))

    def leaf(
        self, holder: int, cumulative: int, *, network: int = NETWORK, at: int | None = None
    ) -> bytes:
        words = (
            network % 2**256,
            self.at if at is None else at,
            self.world.ja.minter,
            holder,
            cumulative,
        )
        return keccak(keccak(b"".join(word.to_bytes(32, "big") for word in words)))

    def tree(self, holders: dict[int, int] | None = None, **where: Any) -> MerkleTree:
        named = self.holders if holders is None else holders
        return build([self.leaf(*item, **where) for item in named.items()], hash_bytes=keccak)

    def propose_body(self, version: int, root: bytes, total: int, *, life_s: int = LIFE_S) -> Any:
        ends = self.world.now_s + life_s
        return cells.op(
            desk_cells.OP_PROPOSE,
            write=lambda b: (
                b.store_uint(version, 32).store_bytes(root).store_coins(total).store_uint(ends, 32)
            ),
        )

    def propose(self, version: int, holders: dict[int, int] | None = None, **change: Any) -> None:
        named = self.holders if holders is None else holders
        total = change.pop("total", sum(named.values()))
        body = self.propose_body(version, self.tree(named).root, total, **change)
        self.world.ok(self.world.authority, self.at, TON1 // 5, body)

    def open(self, version: int = 1, holders: dict[int, int] | None = None) -> None:
        """Propose a version and wait until it can be claimed."""
        self.propose(version, holders)
        self.world.at_s(self.world.now_s + CHALLENGE_S)

    def claim_body(
        self, who: int, *, version: int = 1, holders: dict[int, int] | None = None, **change: Any
    ) -> Any:
        named = self.holders if holders is None else holders
        tree = self.tree(named)
        terms: dict[str, Any] = {
            "version": version,
            "holder": who,
            "cumulative": named[who],
            "siblings": tree.proof(self.leaf(who, named[who])),
        }
        return desk_cells.claim(**(terms | change))

    def claim(
        self, holder: int, *, by: int = 0xB1, nano: int = TON1 // 2, **change: Any
    ) -> list[Transaction]:
        return self.world.send(by, self.at, nano, self.claim_body(holder, **change))

    def got(self, holder: int) -> int:
        return self.world.jettons_of(self.world.ja, holder)

    def view(self) -> tuple[int, int, int]:
        """Return what was claimed in all, what is held, and what of it is under way."""
        seen = self.world.get(self.at, "distributor")
        return int(seen[2]), int(seen[4]), int(seen[5])

    def refused(self, body: Any, *, by: int | None = None) -> int:
        return self.world.refusal(self.world.authority if by is None else by, self.at, TON1, body)


@pytest.fixture(scope="module")
def made(ton_world: TonWorld) -> Drop:
    ton_world.reset()
    drop = Drop(ton_world)
    ton_world.machine.snapshot("drop")
    return drop


@pytest.fixture
def drop(made: Drop) -> Drop:
    made.world.reset()
    made.world.machine.restore("drop")
    return made


def test_everybody_gets_exactly_what_the_tree_says_whoever_sends_the_claim(drop: Drop) -> None:
    drop.open()
    before = {holder: drop.got(holder) for holder in drop.holders}
    for holder, amount in drop.holders.items():
        done = drop.claim(holder, by=0xB2)
        assert drop.got(holder) - before[holder] == amount, [(tx.exit_code, tx.gas) for tx in done]
    total = sum(drop.holders.values())
    assert drop.view() == (total, FUNDS - total, 0)
    assert drop.got(drop.at) == FUNDS - total


def test_the_leaf_is_that_of_every_chain(drop: Drop) -> None:
    for holder, amount in drop.holders.items():
        (leaf,) = drop.world.get(drop.at, "leaf", holder, amount)
        assert leaf == int.from_bytes(drop.leaf(holder, amount), "big")


def test_a_later_version_pays_the_difference(drop: Drop) -> None:
    drop.open()
    drop.claim(0xB2)
    before = drop.got(0xB2)
    more = {holder: amount * 2 + 5 for holder, amount in drop.holders.items()}
    drop.open(2, more)
    drop.claim(0xB2, version=2, holders=more)
    assert drop.got(0xB2) - before == 300_001 + 5


def test_what_was_claimed_is_not_paid_again_and_the_ton_comes_back(drop: Drop) -> None:
    drop.open()
    drop.claim(0xB2)
    got, view, ton = drop.got(0xB2), drop.view(), drop.world.ton(0xB1)
    done = drop.claim(0xB2)
    assert NOTHING_TO_CLAIM in {tx.exit_code for tx in done}
    assert (drop.got(0xB2), drop.view()) == (got, view)
    assert drop.world.ton(0xB1) - ton > 400_000_000


def test_proofs_of_other_leaves_places_and_networks_are_refused(drop: Drop) -> None:
    drop.open()
    good = drop.tree().proof(drop.leaf(0xB2, 300_001))
    for change in (
        {"cumulative": 300_002},
        {"holder": 0xB3},
        {"siblings": good[:-1]},
        {"siblings": (*good, bytes(32))},
        {"siblings": ()},
        {"siblings": tuple(bytes(32) for _ in range(65))},
    ):
        assert drop.refused(drop.claim_body(0xB2, **change)) == WRONG_PROOF, change
    for where in ({"network": NETWORK + 1}, {"at": 0x77}):
        other = drop.tree(**where)
        drop.world.reset()
        drop.world.machine.restore("drop")
        drop.world.ok(drop.world.authority, drop.at, TON1, drop.propose_body(1, other.root, 10**6))
        drop.world.at_s(drop.world.now_s + CHALLENGE_S)
        siblings = other.proof(drop.leaf(0xB2, 300_001, **where))
        assert drop.refused(drop.claim_body(0xB2, siblings=siblings)) == WRONG_PROOF


def test_an_inner_node_is_no_leaf(drop: Drop) -> None:
    drop.open()
    nodes = drop.tree().nodes
    # A leaf is hashed twice, so no claim's leaf can be made to equal a node.
    assert drop.leaf(0xB2, 300_001) not in nodes[: len(nodes) // 2]
    assert drop.refused(drop.claim_body(0xB2, siblings=(nodes[1],))) == WRONG_PROOF


def test_a_version_is_claimed_between_its_challenge_and_its_end(drop: Drop) -> None:
    drop.propose(1)
    assert drop.refused(drop.claim_body(0xB2)) == NOT_READY
    drop.world.at_s(drop.world.now_s + CHALLENGE_S - 1)
    assert drop.refused(drop.claim_body(0xB2)) == NOT_READY
    drop.world.at_s(drop.world.now_s + 1)
    assert drop.refused(drop.claim_body(0xB2, version=2)) == WRONG_VERSION
    assert drop.refused(drop.claim_body(0xB2, version=0)) == WRONG_VERSION
    drop.world.at_s(drop.world.now_s + LIFE_S - CHALLENGE_S)
    drop.claim(0xB2)
    assert drop.view()[0] == 300_001
    drop.world.at_s(drop.world.now_s + 1)
    assert drop.refused(drop.claim_body(0xB1)) == ENDED


def test_the_version_before_stays_claimable_during_a_challenge_and_after_a_veto(drop: Drop) -> None:
    drop.open()
    more = {holder: amount * 2 for holder, amount in drop.holders.items()}
    drop.propose(2, more)
    drop.claim(0xB1, by=0xB2)
    assert drop.view()[0] == 400
    veto = cells.op(desk_cells.OP_VETO, write=lambda b: b.store_uint(2, 32))
    assert drop.refused(veto, by=0xB1) == NOT_GUARDIAN
    drop.world.ok(drop.world.guardian, drop.at, TON1 // 10, veto)
    drop.world.at_s(drop.world.now_s + CHALLENGE_S)
    drop.claim(0xC1)
    assert drop.view()[0] == 477
    assert drop.refused(drop.claim_body(0xB2, version=2, holders=more)) == WRONG_VERSION
    assert (
        drop.refused(cells.op(desk_cells.OP_VETO, write=lambda b: b.store_uint(1, 32)))
        == CHALLENGE_OVER
    )


def test_what_may_be_proposed_is_bounded(drop: Drop) -> None:
    root = drop.tree().root
    assert drop.refused(drop.propose_body(1, root, 1), by=drop.world.guardian) == NOT_AUTHORITY
    assert drop.refused(drop.propose_body(2, root, 1)) == WRONG_VERSION
    assert drop.refused(drop.propose_body(1, bytes(32), 1)) == ZERO_ROOT
    assert drop.refused(drop.propose_body(1, root, FUNDS + 1)) == BUDGET_EXCEEDED
    assert drop.refused(drop.propose_body(1, root, 1, life_s=CHALLENGE_S - 1)) == ENDED
    drop.admin(desk_cells.OP_SET_BUDGET, lambda b: b.store_coins(10 * FUNDS))
    assert drop.refused(drop.propose_body(1, root, FUNDS + 1)) == NOT_FUNDED
    drop.propose(1)
    assert drop.refused(drop.propose_body(2, root, 10**6)) == STILL_CHALLENGED
    drop.world.at_s(drop.world.now_s + CHALLENGE_S)
    assert drop.refused(drop.propose_body(2, root, 1)) == TOTAL_FELL


def test_a_tree_that_promises_more_than_its_total_pays_no_more_than_that(drop: Drop) -> None:
    drop.propose(1, total=300_001)
    drop.world.at_s(drop.world.now_s + CHALLENGE_S)
    drop.claim(0xB2)
    before = drop.got(0xB1)
    drop.claim(0xB1, by=0xB2)
    assert drop.got(0xB1) == before
    assert drop.view() == (300_001, FUNDS - 300_001, 0)
    # What was not paid is not counted as claimed: with a right total it is paid.
    drop.open(2)
    drop.claim(0xB1, by=0xB2, version=2)
    assert drop.got(0xB1) == before + 400


def test_a_payment_that_our_wallet_refuses_can_be_claimed_again(drop: Drop) -> None:
    drop.open()
    drop.world.brake(drop.world.ja, drop.at, LOCKED_OUT)
    drop.claim(0xB2)
    assert drop.view() == (0, FUNDS, 0)
    drop.world.brake(drop.world.ja, drop.at, 0)
    before = drop.got(0xB2)
    drop.claim(0xB2)
    assert drop.got(0xB2) - before == 300_001


def test_a_silent_loss_is_ended_by_hand_and_claimed_again(drop: Drop) -> None:
    drop.open()
    drop.world.brake(drop.world.ja, 0xB1, LOCKED_IN)
    drop.claim(0xB1, by=0xB2)
    assert drop.view() == (400, FUNDS, 400)

    def resolve(delivered: int) -> Any:
        return cells.op(
            desk_cells.OP_DISTRIBUTOR_RESOLVE,
            write=lambda b: b.store_uint(0, 64).store_bit_int(delivered),
        )

    assert drop.refused(resolve(0)) == TOO_EARLY
    drop.world.at_s(drop.world.now_s + 3_601)
    assert drop.refused(resolve(0), by=drop.world.guardian) == NOT_AUTHORITY
    drop.world.ok(drop.world.authority, drop.at, TON1 // 5, resolve(0))
    assert drop.refused(resolve(0)) == NOT_OPEN
    drop.world.brake(drop.world.ja, 0xB1, 0)
    before = drop.got(0xB1)
    drop.claim(0xB1, by=0xB2)
    assert drop.got(0xB1) - before == 400
    assert drop.view() == (400, FUNDS - 400, 0)


def test_a_holders_contract_obeys_its_distributor_only(drop: Drop) -> None:
    drop.open()
    drop.claim(0xB2)
    (answer,) = drop.world.get(drop.at, "claimant", 0xB2)
    child = int.from_bytes(answer.load_address().hash_part, "big")
    advance = cells.op(
        desk_cells.OP_ADVANCE, write=lambda b: b.store_coins(10**9).store_uint(1, 256)
    )
    restore = cells.op(desk_cells.OP_RESTORE, write=lambda b: b.store_coins(1))
    for body in (advance, restore):
        for sender in (drop.world.authority, 0xB2, child):
            assert drop.world.refusal(sender, child, TON1, body) == WRONG_SENDER
    forged = cells.op(
        desk_cells.OP_ADVANCED,
        write=lambda b: b.store_uint(0xB1, 256).store_coins(10**8).store_uint(0xB1, 256),
    )
    for sender in (0xB1, drop.world.authority, child):
        assert drop.world.refusal(sender, drop.at, TON1, forged) == WRONG_SENDER
    evidence = cells.op(cells.OP_EXCESSES, query_id=0)
    assert drop.world.refusal(0xB1, drop.at, TON1, evidence) == NOT_OPEN


def test_only_what_nobody_is_owed_can_be_taken_back(drop: Drop) -> None:
    def take(amount: int) -> Any:
        return cells.op(
            desk_cells.OP_CLAWBACK, write=lambda b: b.store_uint(0xA1, 256).store_coins(amount)
        )

    drop.open()
    free = FUNDS - sum(drop.holders.values())
    assert drop.refused(take(free + 1)) == NOTHING_TO_TAKE
    assert drop.refused(take(0)) == NOTHING_TO_TAKE
    assert drop.refused(take(1), by=drop.world.guardian) == NOT_AUTHORITY
    drop.world.send(drop.world.authority, drop.at, TON1, take(free))
    assert drop.got(drop.at) == sum(drop.holders.values())
    drop.claim(0xB2)
    drop.world.at_s(drop.world.now_s + LIFE_S)
    drop.world.send(drop.world.authority, drop.at, TON1, take(405_477 - 400_000))
    assert drop.view()[1] == drop.got(drop.at)


def test_guardian_and_authority_stop_and_only_the_authority_goes_on(drop: Drop) -> None:
    drop.open()
    stop = cells.op(desk_cells.OP_DISTRIBUTOR_SET_PAUSED, write=lambda b: b.store_bit_int(1))
    go = cells.op(desk_cells.OP_DISTRIBUTOR_SET_PAUSED, write=lambda b: b.store_bit_int(0))
    lower = cells.op(desk_cells.OP_LOWER_BUDGET, write=lambda b: b.store_coins(5))
    assert drop.refused(stop, by=0xB1) == NOT_GUARDIAN
    drop.world.ok(drop.world.guardian, drop.at, TON1 // 10, stop)
    assert drop.refused(drop.claim_body(0xB2)) == PAUSED
    assert drop.refused(go, by=drop.world.guardian) == NOT_AUTHORITY
    drop.world.ok(drop.world.authority, drop.at, TON1 // 10, go)
    drop.world.ok(drop.world.guardian, drop.at, TON1 // 10, lower)
    assert drop.refused(lower, by=drop.world.guardian) == BUDGET_NOT_LOWER
    drop.claim(0xB2)
    assert drop.view()[0] == 300_001


def test_a_claim_with_too_little_ton_is_refused_before_anything_is_counted(drop: Drop) -> None:
    drop.open()
    body = drop.claim_body(0xB2)
    assert drop.world.refusal(0xB2, drop.at, 159_999_999, body) == VALUE_TOO_LOW
    drop.world.send(0xB2, drop.at, 160_000_000, body)
    assert drop.view() == (300_001, FUNDS - 300_001, 0)


@settings(
    max_examples=6,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    amounts=st.lists(st.integers(1, 10**6), min_size=1, max_size=4),
    repeats=st.integers(1, 3),
    choices=st.lists(st.integers(0, 9), min_size=1, max_size=40),
    locked=st.sampled_from([0, LOCKED_OUT, LOCKED_IN]),
)
def test_claims_in_any_order_pay_everybody_once(
    drop: Drop, amounts: list[int], repeats: int, choices: list[int], locked: int
) -> None:
    drop.world.reset()
    drop.world.machine.restore("drop")
    holders = {0x5000 + n: amount for n, amount in enumerate(amounts)}
    drop.open(1, holders)
    drop.world.mint(drop.world.ja, 0x5000, 1)
    if locked:
        drop.world.brake(drop.world.ja, drop.at if locked == LOCKED_OUT else 0x5000, locked)
    for _ in range(repeats):
        for n, holder in enumerate(holders):
            drop.world.post(0xB1 + n, drop.at, TON1 // 2, drop.claim_body(holder, holders=holders))
    step = 0
    while len(drop.world.traffic):
        drop.world.traffic.deliver(choices[step % len(choices)] % len(drop.world.traffic.heads()))
        step += 1
    got = {holder: drop.got(holder) - (holder == 0x5000) for holder in holders}
    for holder, amount in holders.items():
        assert got[holder] in (0, amount)
        if not locked:
            assert got[holder] == amount
    claimed, held, flying = drop.view()
    assert claimed - flying == sum(got.values())
    assert held == FUNDS - sum(got.values()) == drop.got(drop.at)
