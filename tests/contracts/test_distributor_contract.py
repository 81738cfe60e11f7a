"""Distributor: who is allocated is paid once, in time, and never more than there is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dmm.adapters.evm.batches import CLAIM, claim_leaf, claim_tree
from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.sign import Key
from dmm.treasury.merkle import MerkleTree
from dmm.units.amount import Atoms

STRANGER = Key(b"\x11" * 32)
ONE = 10**9
CHALLENGE_S = 3_600
DAY_S = 86_400
BUDGET = 1_000 * ONE
ZERO = "0x" + "00" * 20
PROPOSE = "propose(uint256,bytes32,uint256,uint64)"


class Drop:
    """The distributor with a budget and money, and trees over the world's providers."""

    def __init__(self, world: Any) -> None:
        self.world, self.at = world, world.at("distributor")
        self.holders = [holder.address for holder in world.actors.providers]
        world.govern(self.at, "setBudget(uint256)", BUDGET)
        token = world.book.token("DCT")
        world.call(world.actors.deployer, token, "mint(address,uint256)", self.at, BUDGET)

    def tree(self, *amounts: int, **change: Any) -> MerkleTree:
        allocations = {
            holder: Atoms(amount) for holder, amount in zip(self.holders, amounts, strict=False)
        }
        terms = {
            "chain_id": 31_337,
            "distributor": self.at,
            "token": self.world.book.token("DCT"),
        } | change
        return claim_tree(allocations, **terms)

    def proposal(self, *amounts: int, version: int = 1, **change: Any) -> list[Any]:
        terms = {
            "version": version,
            "root": self.tree(*amounts).root,
            "total": sum(amounts),
            "ends_at": self.world.now_s() + 30 * DAY_S,
        } | change
        return list(terms.values())

    def propose(self, *amounts: int, version: int = 1, ready: bool = True, **change: Any) -> None:
        terms = self.proposal(*amounts, version=version, **change)
        self.world.govern(self.at, PROPOSE, *terms)
        if ready:
            self.world.next_at(self.world.now_s() + CHALLENGE_S)
            self.world.rpc("evm_mine")

    def claim(self, index: int, *amounts: int, version: int = 1, **change: Any) -> bytes:
        leaf = claim_leaf(
            chain_id=31_337,
            distributor=self.at,
            token=self.world.book.token("DCT"),
            holder=self.holders[index],
            cumulative=Atoms(amounts[index]),
        )
        terms = {
            "version": version,
            "holder": self.holders[index],
            "cumulative": amounts[index],
            "proof": list(self.tree(*amounts).proof(leaf)),
        } | change
        return calldata(CLAIM, *terms.values())

    def pays(self, data: bytes) -> dict[str, Any]:
        receipt: dict[str, Any] = self.world.send(self.world.actors.deployer, self.at, data)
        assert int(receipt["status"], 16) == 1
        return receipt

    def refused(self, data: bytes, **at: int) -> Any:
        return self.world.refusal(self.world.actors.deployer, self.at, data, **at)

    def forbidden(self, signature: str, *values: object) -> Any:
        data = self.world.governed(self.at, signature, *values)
        return self.world.refusal(self.world.actors.deployer, self.world.at("multisig"), data)

    def paid(self, index: int) -> int:
        amount: int = self.world.balance("DCT", self.holders[index])
        return amount


@pytest.fixture
def drop(world: Any) -> Drop:
    return Drop(world)


def test_a_claim_pays_its_holder_whoever_sends_it_and_once(drop: Drop) -> None:
    drop.propose(5 * ONE, 7 * ONE, 11 * ONE)
    data = drop.claim(1, 5 * ONE, 7 * ONE, 11 * ONE)
    event = drop.world.log(drop.pays(data), "Distributor", "Claimed")
    assert drop.paid(1) == 7 * ONE
    assert (event["version"], event["amount"], event["cumulative"]) == (1, 7 * ONE, 7 * ONE)
    refusal = drop.refused(data)
    assert refusal.name == "NothingToClaim"
    assert refusal.values == (drop.holders[1].lower(), 7 * ONE)


def test_a_later_version_pays_only_what_came_on_top(drop: Drop) -> None:
    drop.propose(5 * ONE, 7 * ONE)
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    drop.propose(6 * ONE, 9 * ONE, version=2)
    for index in (0, 1):
        drop.pays(drop.claim(index, 6 * ONE, 9 * ONE, version=2))
    assert [drop.paid(0), drop.paid(1)] == [6 * ONE, 9 * ONE]
    old = drop.refused(drop.claim(1, 5 * ONE, 7 * ONE))
    assert (old.name, old.values) == ("WrongVersion", (1, 2))


def test_a_version_pays_from_the_end_of_its_challenge_on_and_the_one_before_until_then(
    drop: Drop,
) -> None:
    drop.propose(5 * ONE, 7 * ONE)
    drop.propose(6 * ONE, 9 * ONE, version=2, ready=False)
    # The answer's first of five words is the version's number.
    assert drop.world.read(drop.at, "challenged()") >> 4 * 256 == 2
    assert drop.world.read(drop.at, "current()") >> 4 * 256 == 1
    early = drop.refused(drop.claim(0, 6 * ONE, 9 * ONE, version=2))
    assert early.name == "NotReady"
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    drop.world.next_at(early.values[0])
    drop.pays(drop.claim(0, 6 * ONE, 9 * ONE, version=2))
    assert drop.paid(0) == 6 * ONE


def test_the_guardian_vetoes_only_while_a_version_is_challenged(drop: Drop) -> None:
    guardian, veto = drop.world.actors.guardian, "veto(uint256)"
    drop.propose(5 * ONE, 7 * ONE)
    late = drop.world.refusal(guardian, drop.at, calldata(veto, 1))
    assert late.name == "ChallengeOver"
    drop.propose(500 * ONE, 7 * ONE, version=2, ready=False)
    wrong = drop.world.refusal(guardian, drop.at, calldata(veto, 1))
    assert (wrong.name, wrong.values) == ("WrongVersion", (1, 2))
    drop.world.call(guardian, drop.at, veto, 2)
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    gone = drop.refused(drop.claim(0, 500 * ONE, 7 * ONE, version=2))
    assert (gone.name, gone.values) == ("WrongVersion", (2, 1))
    drop.propose(5 * ONE, 8 * ONE, version=2)
    drop.pays(drop.claim(1, 5 * ONE, 8 * ONE, version=2))


def test_the_first_version_may_be_vetoed_too(drop: Drop) -> None:
    assert drop.refused(drop.claim(0, 5 * ONE, 7 * ONE, version=0)).name == "WrongVersion"
    drop.propose(5 * ONE, 7 * ONE, ready=False)
    drop.world.call(drop.world.actors.guardian, drop.at, "veto(uint256)", 1)
    data = calldata("veto(uint256)", 0)
    assert drop.world.refusal(drop.world.actors.guardian, drop.at, data).name == "WrongVersion"
    assert drop.refused(drop.claim(0, 5 * ONE, 7 * ONE)).name == "WrongVersion"
    assert drop.world.read(drop.at, "free()") == BUDGET


def test_nobody_claims_after_the_end_and_the_rest_goes_back_then(drop: Drop) -> None:
    ends_at = drop.world.now_s() + 2 * CHALLENGE_S
    drop.propose(5 * ONE, 7 * ONE, ends_at=ends_at)
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    clawback, treasury = "clawback(address,uint256)", drop.world.at("treasury")
    greedy = drop.forbidden(clawback, treasury, BUDGET - 12 * ONE + 1)
    assert (greedy.name, greedy.values) == (
        "NothingToTake",
        (BUDGET - 12 * ONE + 1, BUDGET - 12 * ONE),
    )
    drop.world.govern(drop.at, clawback, treasury, BUDGET - 12 * ONE)
    assert drop.forbidden(clawback, treasury, 1).values == (1, 0)
    late = drop.refused(drop.claim(1, 5 * ONE, 7 * ONE), at_s=ends_at + 1)
    assert (late.name, late.values) == ("Ended", (ends_at, ends_at + 1))
    before = drop.world.balance("DCT", treasury)
    drop.world.govern(drop.at, clawback, treasury, 7 * ONE)
    assert drop.world.balance("DCT", treasury) - before == 7 * ONE
    assert drop.world.balance("DCT", drop.at) == 0


def test_after_an_end_a_new_version_may_leave_out_what_nobody_claimed(drop: Drop) -> None:
    drop.propose(5 * ONE, 7 * ONE, ends_at=drop.world.now_s() + 2 * CHALLENGE_S)
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    low = drop.forbidden(PROPOSE, *drop.proposal(6 * ONE, version=2))
    assert (low.name, low.values) == ("TotalFell", (6 * ONE, 12 * ONE))
    drop.world.next_at(drop.world.now_s() + 3 * CHALLENGE_S)
    drop.world.rpc("evm_mine")
    drop.propose(6 * ONE, version=2)
    drop.pays(drop.claim(0, 6 * ONE, version=2))
    assert drop.paid(0) == 6 * ONE


def test_a_version_beyond_budget_or_money_is_refused(drop: Drop) -> None:
    high = drop.forbidden(PROPOSE, *drop.proposal(BUDGET + 1))
    assert (high.name, high.values) == ("BudgetExceeded", (BUDGET + 1, BUDGET))
    drop.world.govern(drop.at, "setBudget(uint256)", 2 * BUDGET)
    poor = drop.forbidden(PROPOSE, *drop.proposal(BUDGET + 1))
    assert (poor.name, poor.values) == ("NotFunded", (BUDGET + 1, BUDGET))
    drop.propose(BUDGET)


def test_a_tree_that_sums_to_more_than_it_says_stops_at_what_it_said(drop: Drop) -> None:
    drop.propose(5 * ONE, 7 * ONE, total=9 * ONE)
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))
    refusal = drop.refused(drop.claim(1, 5 * ONE, 7 * ONE))
    assert (refusal.name, refusal.values) == ("BudgetExceeded", (7 * ONE, 4 * ONE))


def test_proposals_come_one_at_a_time_in_order_and_whole(drop: Drop) -> None:
    for version in (0, 2):
        refusal = drop.forbidden(PROPOSE, *drop.proposal(ONE, version=version))
        assert (refusal.name, refusal.values) == ("WrongVersion", (version, 0))
    assert drop.forbidden(PROPOSE, *drop.proposal(ONE, root=bytes(32))).name == "ZeroRoot"
    soon = drop.proposal(ONE, ends_at=drop.world.now_s() + 60)
    assert drop.forbidden(PROPOSE, *soon).name == "Ended"
    drop.propose(ONE, ready=False)
    assert drop.forbidden(PROPOSE, *drop.proposal(ONE, version=2)).name == "StillChallenged"


@pytest.mark.parametrize("wrong", ["holder", "cumulative", "proof", "inner"])
def test_a_claim_that_is_not_in_the_tree_is_refused(drop: Drop, wrong: str) -> None:
    amounts = (5 * ONE, 7 * ONE, 11 * ONE)
    drop.propose(*amounts)
    tree = drop.tree(*amounts)
    change: dict[str, Any] = {
        "holder": {"holder": STRANGER.address},
        "cumulative": {"cumulative": 6 * ONE},
        "proof": {"proof": [bytes(32)]},
        # An inner node as a leaf: its preimage is 64 bytes, and leaves are hashed twice.
        "inner": {"holder": ZERO, "cumulative": int.from_bytes(tree.nodes[1], "big"), "proof": []},
    }[wrong]
    assert drop.refused(drop.claim(0, *amounts, **change)).name == "WrongProof"


@pytest.mark.parametrize("change", [{"chain_id": 1}, {"distributor": ZERO}, {"token": ZERO}])
def test_a_tree_of_another_chain_distributor_or_token_pays_nothing(
    drop: Drop, change: dict[str, Any]
) -> None:
    foreign = drop.tree(5 * ONE, 7 * ONE, **change)
    drop.propose(5 * ONE, 7 * ONE, root=foreign.root)
    for guess in ([foreign.nodes[1]], [foreign.nodes[2]], []):
        data = drop.claim(0, 5 * ONE, 7 * ONE, proof=guess)
        assert drop.refused(data).name == "WrongProof"


def test_a_pause_stops_claims_until_the_authority_lifts_it(drop: Drop) -> None:
    drop.propose(5 * ONE, 7 * ONE)
    drop.world.call(drop.world.actors.guardian, drop.at, "pause()")
    assert drop.refused(drop.claim(0, 5 * ONE, 7 * ONE)).name == "Paused"
    drop.world.govern(drop.at, "unpause()")
    drop.pays(drop.claim(0, 5 * ONE, 7 * ONE))


def test_the_guardian_only_lowers_the_budget(drop: Drop) -> None:
    guardian, lower = drop.world.actors.guardian, "lowerBudget(uint256)"
    for budget in (BUDGET, BUDGET + 1):
        refusal = drop.world.refusal(guardian, drop.at, calldata(lower, budget))
        assert (refusal.name, refusal.values) == ("BudgetNotLower", (budget, BUDGET))
    drop.world.call(guardian, drop.at, lower, 3 * ONE)
    assert drop.forbidden(PROPOSE, *drop.proposal(4 * ONE)).values == (4 * ONE, 3 * ONE)


PRIVILEGED: list[tuple[str, list[Any], str]] = [
    (PROPOSE, [1, b"\x01" * 32, 1, 2**40], "NotAuthority"),
    ("clawback(address,uint256)", ["0x" + "11" * 20, 1], "NotAuthority"),
    ("setBudget(uint256)", [1], "NotAuthority"),
    ("setGuardian(address)", ["0x" + "11" * 20], "NotAuthority"),
    ("unpause()", [], "NotAuthority"),
    ("veto(uint256)", [1], "NotGuardian"),
    ("lowerBudget(uint256)", [0], "NotGuardian"),
    ("pause()", [], "NotGuardian"),
]


@pytest.mark.parametrize(("signature", "values", "error"), PRIVILEGED)
def test_a_privileged_function_of_the_distributor_knows_its_caller(
    world: Any, signature: str, values: list[Any], error: str
) -> None:
    actors = world.actors
    callers = [actors.operator, actors.deployer, actors.owners[0]]
    callers += [actors.guardian] if error == "NotAuthority" else []
    for caller in callers:
        refusal = world.refusal(caller, world.at("distributor"), calldata(signature, *values))
        assert (refusal.name, refusal.values) == (error, (caller.address.lower(),))


def test_nothing_is_given_to_nobody_and_no_challenge_is_endless(drop: Drop) -> None:
    assert drop.forbidden("setGuardian(address)", ZERO).name == "ZeroAddress"
    assert drop.forbidden("clawback(address,uint256)", ZERO, 1).name == "ZeroAddress"
    assert drop.forbidden("clawback(address,uint256)", STRANGER.address, 0).name == "NothingToTake"
    types = ["address", "address", "address", "uint256"]
    for values, error in (
        ([ZERO, STRANGER.address, STRANGER.address, 1], "ZeroAddress"),
        ([STRANGER.address, ZERO, STRANGER.address, 1], "ZeroAddress"),
        ([STRANGER.address, STRANGER.address, ZERO, 1], "ZeroAddress"),
        ([STRANGER.address] * 3 + [30 * DAY_S + 1], "ChallengeTooLong"),
    ):
        code = drop.world.code("Distributor", types, values)
        assert drop.world.refusal(drop.world.actors.deployer, None, code).name == error


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.integers(1, 50 * ONE), min_size=3, max_size=3),
            st.lists(st.integers(0, 2), max_size=3),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_holders_get_exactly_what_the_last_version_they_claimed_gives(
    drop: Drop, rounds: list[tuple[list[int], list[int]]]
) -> None:
    with drop.world.undone():
        totals, paid = [0, 0, 0], [0, 0, 0]
        for version, (added, claimers) in enumerate(rounds, start=1):
            totals = [total + more for total, more in zip(totals, added, strict=True)]
            drop.propose(*totals, version=version)
            for index in dict.fromkeys(claimers):
                drop.pays(drop.claim(index, *totals, version=version))
                paid[index] = totals[index]
        assert [drop.paid(index) for index in range(3)] == paid
        assert drop.world.balance("DCT", drop.at) == BUDGET - sum(paid)
        assert drop.world.read(drop.at, "free()") == BUDGET - sum(totals)
