"""Cumulative claims: versions, challenge and veto, proofs, budgets, and what goes back."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils import keccak
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing

START_S = 2_000_000_000
NUMBER = 3
CHALLENGE_S = 3_600
END_S = START_S + 100_000
BUDGET = 5_000
HELD = 10_000
NETWORK = b"\x05" * 32


class Tree:
    """A keccak tree with sorted pairs over (holder, cumulative amount)."""

    def __init__(self, world: Any, distributor: Pubkey, shares: dict[Pubkey, int]) -> None:
        fixed = NETWORK + bytes(distributor) + bytes(world.base)
        self.leaves = {
            holder: keccak(keccak(fixed + bytes(holder) + amount.to_bytes(32, "big")))
            for holder, amount in shares.items()
        }
        self.layers = [sorted(self.leaves.values())]
        while len(self.layers[-1]) > 1:
            row = self.layers[-1]
            pairs = [row[i : i + 2] for i in range(0, len(row), 2)]
            self.layers.append(
                [keccak(b"".join(sorted(pair))) if len(pair) == 2 else pair[0] for pair in pairs]
            )

    @property
    def root(self) -> bytes:
        return self.layers[-1][0]

    def proof(self, holder: Pubkey) -> list[bytes]:
        found, index = [], self.layers[0].index(self.leaves[holder])
        for row in self.layers[:-1]:
            if index ^ 1 < len(row):
                found.append(row[index ^ 1])
            index //= 2
        return found


class Site:
    """A distributor with money, and its calls."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.address = self.at(NUMBER)
        self.vault = world.hold(self.address, world.base, HELD)
        world.done([self.init()], world.payer, world.authority)

    def at(self, number: int) -> Pubkey:
        authority = self.world.authority.pubkey()
        return signing.distributor_address(self.world.program, authority, number)

    def init(self, number: int = NUMBER, vault: Pubkey | None = None, **change: Any) -> Any:
        world, address = self.world, self.at(number)
        arguments = {
            "number": number,
            "network": NETWORK,
            "guardian": world.guardian.pubkey(),
            "budget": BUDGET,
            "challenge_s": CHALLENGE_S,
        }
        accounts = {
            "payer": world.payer.pubkey(),
            "authority": world.authority.pubkey(),
            "distributor": address,
            "vault": vault or world.vault(address, world.base),
            "mint": world.base,
        }
        return world.call("init_distributor", accounts, **(arguments | change))

    def admin(self, name: str, who: Keypair, **arguments: Any) -> Any:
        role = "guardian" if name in ("veto_version", "lower_budget") else "authority"
        accounts = {role: who.pubkey(), "distributor": self.address, "vault": self.vault}
        return self.world.call(name, accounts, **arguments)

    def propose(
        self,
        root: bytes,
        total: int,
        *,
        version: int = 1,
        ends_at: int = END_S,
        who: Keypair | None = None,
    ) -> Any:
        values = {"version": version, "root": root, "total": total, "ends_at": ends_at}
        return self.admin("propose_version", who or self.world.authority, **values)

    def claim(
        self,
        holder: Pubkey,
        cumulative: int,
        proof: list[bytes],
        *,
        version: int = 1,
        **change: Any,
    ) -> Any:
        world = self.world
        accounts = {
            "payer": world.payer.pubkey(),
            "distributor": self.address,
            "status": signing.claim_address(world.program, self.address, holder),
            "holder": holder,
            "destination": world.vault(holder, world.base),
            "vault": self.vault,
            "mint": world.base,
        }
        return world.call(
            "claim", accounts | change, version=version, cumulative=cumulative, proof=proof
        )

    def clawback(self, amount: int, who: Keypair | None = None, **change: Pubkey) -> Instruction:
        world = self.world
        accounts = {
            "authority": (who or world.authority).pubkey(),
            "distributor": self.address,
            "vault": self.vault,
            "destination": world.vault(world.taker.pubkey(), world.base),
            "mint": world.base,
        }
        call: Instruction = world.call("clawback", accounts | change, amount=amount)
        return call

    def tree(self, shares: dict[Pubkey, int]) -> Tree:
        for holder in shares:
            if self.world.svm.get_account(self.world.vault(holder, self.world.base)) is None:
                self.world.hold(holder, self.world.base, 0)
        return Tree(self.world, self.address, shares)

    def publish(self, shares: dict[Pubkey, int], version: int = 1) -> Tree:
        tree = self.tree(shares)
        call = self.propose(tree.root, sum(shares.values()), version=version)
        self.world.done([call], self.world.authority)
        return tree

    def after_challenges(self, count: int = 1) -> None:
        self.world.set_time(START_S + count * CHALLENGE_S)


def holders(count: int) -> list[Pubkey]:
    return [Keypair.from_seed(bytes([i]) * 32).pubkey() for i in range(1, count + 1)]


@pytest.fixture
def site(bare: Any) -> Site:
    return Site(bare)


def test_holders_claim_what_a_version_gives_them_once(site: Site) -> None:
    world = site.world
    shares = {holder: 100 + i for i, holder in enumerate(holders(5))}
    tree = site.publish(shares)
    site.after_challenges()
    for holder, amount in shares.items():
        outcome = world.done([site.claim(holder, amount, tree.proof(holder))], world.payer)
        assert world.balance(world.vault(holder, world.base)) == amount
        assert outcome.event.fields == {
            "distributor": site.address,
            "version": 1,
            "holder": holder,
            "amount": amount,
            "cumulative": amount,
        }
        again = site.claim(holder, amount, tree.proof(holder))
        assert world.refusal([again], world.payer) == "NothingToClaim"
    assert world.state("Distributor", site.address)["claimed_total"] == sum(shares.values())


def test_claims_are_cumulative_over_versions(site: Site) -> None:
    world = site.world
    one, two = holders(2)
    first = site.publish({one: 100, two: 50})
    site.after_challenges()
    world.done([site.claim(one, 100, first.proof(one))], world.payer)
    second = site.publish({one: 130, two: 80}, version=2)
    site.after_challenges(2)
    world.done([site.claim(one, 130, second.proof(one), version=2)], world.payer)
    world.done([site.claim(two, 80, second.proof(two), version=2)], world.payer)
    assert world.balance(world.vault(one, world.base)) == 130
    stale = site.claim(two, 50, first.proof(two))
    assert world.refusal([stale], world.payer) == "WrongVersion"


def test_a_version_counts_after_its_challenge_and_not_a_second_before(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 100})
    call = site.claim(holder, 100, [])
    world.set_time(START_S + CHALLENGE_S - 1)
    assert world.refusal([call], world.payer) == "NotReady"
    site.after_challenges()
    world.done([call], world.payer)


def test_the_guardian_vetoes_under_challenge_and_not_after(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 100})
    for who in (world.authority, world.stranger):
        veto = site.admin("veto_version", who, version=1)
        assert world.refusal([veto], who) == "NotGuardian"
    veto = site.admin("veto_version", world.guardian, version=1)
    for version in (0, 2):
        wrong = site.admin("veto_version", world.guardian, version=version)
        assert world.refusal([wrong], world.guardian) == "WrongVersion"
    world.done([veto], world.guardian)
    assert world.refusal([veto], world.guardian) == "WrongVersion"
    site.after_challenges()
    assert world.refusal([site.claim(holder, 100, [])], world.payer) == "WrongVersion"
    site.publish({holder: 100})
    site.after_challenges(2)
    assert world.refusal([veto], world.guardian) == "ChallengeOver"
    world.done([site.claim(holder, 100, [])], world.payer)


def test_the_current_version_stays_good_while_another_is_challenged(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 100})
    site.after_challenges()
    site.publish({holder: 200}, version=2)
    assert world.refusal([site.claim(holder, 200, [], version=2)], world.payer) == "NotReady"
    world.done([site.claim(holder, 100, [])], world.payer)
    site.after_challenges(2)
    outcome = world.done([site.claim(holder, 200, [], version=2)], world.payer)
    assert outcome.event.fields["amount"] == 100


def test_a_vetoed_version_leaves_the_one_before_as_it_was(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 100})
    site.after_challenges()
    site.publish({holder: 4_000}, version=2)
    world.done([site.admin("veto_version", world.guardian, version=2)], world.guardian)
    site.after_challenges(2)
    assert world.refusal([site.claim(holder, 4_000, [], version=2)], world.payer) == "WrongVersion"
    world.done([site.claim(holder, 100, [])], world.payer)


def test_what_may_not_be_proposed_is_refused_by_name(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    root, ready_s = b"\x01" * 32, START_S + CHALLENGE_S
    for who in (world.guardian, world.stranger):
        assert world.refusal([site.propose(root, 1, who=who)], who) == "NotAuthority"
    for call, refusal in (
        (site.propose(root, 1, version=2), "WrongVersion"),
        (site.propose(root, 1, version=0), "WrongVersion"),
        (site.propose(bytes(32), 1), "ZeroRoot"),
        (site.propose(root, BUDGET + 1), "BudgetExceeded"),
        (site.propose(root, 1, ends_at=ready_s - 1), "Ended"),
    ):
        assert world.refusal([call], world.authority) == refusal
    site.publish({holder: 100})
    assert world.refusal([site.propose(root, 100, version=2)], world.authority) == "StillChallenged"
    site.after_challenges()
    less = site.propose(root, 99, version=2)
    assert world.refusal([less], world.authority) == "TotalFell"


def test_a_version_is_proposed_only_with_the_money_for_it(site: Site) -> None:
    world = site.world
    world.hold(site.address, world.base, 99)
    assert world.refusal([site.propose(b"\x01" * 32, 100)], world.authority) == "NotFunded"
    rich = world.hold(world.stranger.pubkey(), world.base, HELD)
    call = site.propose(b"\x01" * 32, 100)
    metas = [*call.accounts[:2], type(call.accounts[2])(rich, False, False)]
    other = Instruction(call.program_id, bytes(call.data), metas)
    assert world.refusal([other], world.authority) == "WrongTokenAccount"
    world.hold(site.address, world.base, 100)
    world.done([call], world.authority)


def test_a_version_pays_out_no_more_than_its_total_whatever_its_leaves_say(site: Site) -> None:
    world = site.world
    one, two = holders(2)
    tree = site.tree({one: 100, two: 100})
    world.done([site.propose(tree.root, 150)], world.authority)
    site.after_challenges()
    world.done([site.claim(one, 100, tree.proof(one))], world.payer)
    call = site.claim(two, 100, tree.proof(two))
    assert world.refusal([call], world.payer) == "BudgetExceeded"


def test_proofs_of_something_else_are_refused(site: Site) -> None:
    world = site.world
    one, two, three = holders(3)
    tree = site.publish({one: 100, two: 50, three: 10})
    site.after_challenges()
    wrong: list[tuple[Pubkey, int, list[bytes]]] = [
        (one, 101, tree.proof(one)),
        (one, 50, tree.proof(two)),
        (one, 100, [*tree.proof(one), bytes(32)]),
        (one, 100, []),
    ]
    for holder, amount, proof in wrong:
        assert world.refusal([site.claim(holder, amount, proof)], world.payer) == "WrongProof"
    long = site.claim(one, 100, [bytes(32)] * 21)
    assert world.refusal([long], world.payer) == "BatchTooLong"


def test_nobody_is_paid_in_a_holder_s_place(site: Site) -> None:
    world = site.world
    one, two = holders(2)
    tree = site.publish({one: 100, two: 50})
    site.after_challenges()
    call = site.claim(one, 100, tree.proof(one), destination=world.vault(two, world.base))
    assert world.refusal([call], world.payer) == "WrongTokenAccount"
    other = signing.claim_address(world.program, site.address, two)
    call = site.claim(one, 100, tree.proof(one), status=other)
    assert world.refusal([call], world.payer) == "WrongAccount"
    world.done([site.claim(two, 50, tree.proof(two))], world.payer)
    assert world.refusal([call], world.payer) == "WrongAccount"


def test_claims_of_one_distributor_are_none_on_another(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    tree = site.publish({holder: 100})
    other = site.at(4)
    vault = world.hold(other, world.base, 100)
    world.done([site.init(4, challenge_s=0)], world.payer, world.authority)
    accounts = {"authority": world.authority.pubkey(), "distributor": other, "vault": vault}
    values = {"version": 1, "root": tree.root, "total": 100, "ends_at": END_S}
    world.done([world.call("propose_version", accounts, **values)], world.authority)
    status = signing.claim_address(world.program, other, holder)
    call = site.claim(holder, 100, [], distributor=other, vault=vault, status=status)
    assert world.refusal([call], world.payer) == "WrongProof"


def test_roles_pause_and_budget_as_everywhere(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 100})
    site.after_challenges()
    claim = site.claim(holder, 100, [])
    world.done([site.admin("set_distributor_paused", world.guardian, paused=True)], world.guardian)
    assert world.refusal([claim], world.payer) == "Paused"
    loosen = site.admin("set_distributor_paused", world.guardian, paused=False)
    assert world.refusal([loosen], world.guardian) == "NotAuthority"
    world.done(
        [site.admin("set_distributor_paused", world.authority, paused=False)], world.authority
    )
    world.done([claim], world.payer)
    for who in (world.guardian, world.stranger):
        assert world.refusal([site.admin("set_budget", who, budget=1)], who) == "NotAuthority"
    same = site.admin("lower_budget", world.guardian, budget=BUDGET)
    assert world.refusal([same], world.guardian) == "BudgetNotLower"
    stranger = site.admin("lower_budget", world.authority, budget=1)
    assert world.refusal([stranger], world.authority) == "NotGuardian"
    world.done([site.admin("lower_budget", world.guardian, budget=1)], world.guardian)
    over = site.propose(b"\x01" * 32, 102, version=2)
    assert world.refusal([over], world.authority) == "BudgetExceeded"
    new = {"guardian": world.taker.pubkey()}
    take_over = site.admin("set_distributor_guardian", world.guardian, **new)
    assert world.refusal([take_over], world.guardian) == "NotAuthority"
    world.done([site.admin("set_distributor_guardian", world.authority, **new)], world.authority)
    world.done([site.admin("lower_budget", world.taker, budget=0)], world.taker)


def test_before_the_end_only_what_no_version_allocates_goes_back(site: Site) -> None:
    world, holder = site.world, holders(1)[0]
    site.publish({holder: 4_000})
    stolen = site.clawback(1, world.guardian)
    assert world.refusal([stolen], world.payer, world.guardian) == "NotAuthority"
    signers = (world.payer, world.authority)
    assert world.refusal([site.clawback(HELD - 4_000 + 1)], *signers) == "NothingToTake"
    assert world.refusal([site.clawback(0)], *signers) == "NothingToTake"
    world.done([site.clawback(HELD - 4_000)], *signers)
    assert world.refusal([site.clawback(1)], *signers) == "NothingToTake"
    site.after_challenges()
    world.done([site.claim(holder, 4_000, [])], world.payer)


def test_after_the_end_everything_goes_back_and_claims_are_over(site: Site) -> None:
    world = site.world
    one, two = holders(2)
    tree = site.publish({one: 4_000, two: 10})
    world.set_time(END_S)
    world.done([site.claim(one, 4_000, tree.proof(one))], world.payer)
    world.set_time(END_S + 1)
    late = site.claim(two, 10, tree.proof(two))
    assert world.refusal([late], world.payer) == "Ended"
    world.done([site.clawback(HELD - 4_000)], world.payer, world.authority)
    assert world.balance(site.vault) == 0


def test_a_distributor_is_made_once_with_sense(site: Site) -> None:
    world = site.world
    signers = (world.payer, world.authority)
    assert world.refusal([site.init()], *signers) == "AccountInUse"
    for change, refusal in (
        ({"network": bytes(32)}, "WrongNetwork"),
        ({"guardian": Pubkey.default()}, "ZeroAddress"),
        ({"challenge_s": 30 * 86_400 + 1}, "ChallengeTooLong"),
        ({"vault": world.vault(world.taker.pubkey(), world.base)}, "WrongTokenAccount"),
    ):
        assert world.refusal([site.init(**change)], *signers) == refusal
