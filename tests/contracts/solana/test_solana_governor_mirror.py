"""The mirror of the home chain's log, and authorities without a key of their own."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing

START_S = 2_000_000_000
GENESIS = hashlib.sha256(b"what the desk starts with").digest()


class Log:
    """A governor of some authority, and orders on its head."""

    def __init__(self, world: Any, authority: Pubkey) -> None:
        self.world, self.authority = world, authority
        self.address = signing.governor_address(world.program, authority)

    def init(self) -> Instruction:
        accounts = {
            "payer": self.world.payer.pubkey(),
            "authority": self.authority,
            "governor": self.address,
        }
        call: Instruction = self.world.call(
            "init_governor", accounts, home=b"\x07" * 32, head=GENESIS
        )
        return call

    def mirror(self, sequence: int, head: bytes, link: bytes, expiry: int = START_S) -> Instruction:
        accounts = {"authority": self.authority, "governor": self.address}
        call: Instruction = self.world.call(
            "mirror_order",
            accounts,
            sequence=sequence,
            previous_head=head,
            link=link,
            expiry=expiry,
        )
        return call


@pytest.fixture
def log(bare: Any) -> Log:
    found = Log(bare, bare.authority.pubkey())
    bare.done([found.init()], bare.payer, bare.authority)
    return found


def test_orders_chain_as_on_the_home_chain(log: Log) -> None:
    head = GENESIS
    for sequence in range(1, 4):
        link = hashlib.sha256(bytes([sequence])).digest()
        outcome = log.world.done([log.mirror(sequence, head, link)], log.world.authority)
        head = hashlib.sha256(head + link).digest()
        assert outcome.event.fields["head"] == head
    state = log.world.state("Governor", log.address)
    assert (state["sequence"], state["head"]) == (3, head)


@pytest.mark.parametrize(
    ("sequence", "head", "expiry", "refusal"),
    [
        (0, GENESIS, START_S, "WrongSequence"),
        (2, GENESIS, START_S, "WrongSequence"),
        (2**64 - 1, GENESIS, START_S, "WrongSequence"),
        (1, bytes(32), START_S, "WrongHead"),
        (1, GENESIS, START_S - 1, "OrderExpired"),
    ],
)
def test_an_order_out_of_place_or_time_is_refused(
    log: Log, sequence: int, head: bytes, expiry: int, refusal: str
) -> None:
    call = log.mirror(sequence, head, b"\x01" * 32, expiry)
    assert log.world.refusal([call], log.world.authority) == refusal


def test_only_the_authority_mirrors_and_a_log_begins_once(log: Log) -> None:
    world = log.world
    call = log.mirror(1, GENESIS, b"\x01" * 32)
    metas = [AccountMeta(world.stranger.pubkey(), True, False), *call.accounts[1:]]
    other = Instruction(call.program_id, bytes(call.data), metas)
    assert world.refusal([other], world.stranger) == "NotAuthority"
    assert world.refusal([log.init()], world.payer, world.authority) == "AccountInUse"


# -- a multisig's address as authority: it signs by a call of its program, not by a key


class Multisig:
    """Two of three owners, whose vault has no key."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.owners = [world.funded(f"owner {i}") for i in range(3)]
        digest = hashlib.sha256(b"".join(bytes(o.pubkey()) for o in self.owners)).digest()
        self.vault, self.bump = Pubkey.find_program_address(
            [b"vault", b"\x02", digest], world.multisig
        )

    def execute(
        self, call: Instruction, signing_owners: int = 2, threshold: int = 2
    ) -> tuple[Instruction, list[Keypair]]:
        """Wrap a call; the vault's signature in it comes from the multisig."""
        signers = self.owners[:signing_owners]
        owners = [AccountMeta(o.pubkey(), o in signers, False) for o in self.owners]
        inner = [
            AccountMeta(m.pubkey, m.is_signer and m.pubkey != self.vault, m.is_writable)
            for m in call.accounts
        ]
        rest = [
            AccountMeta(self.vault, False, False),
            AccountMeta(call.program_id, False, False),
            *inner,
        ]
        data = bytes([self.bump, threshold, len(owners)]) + bytes(call.data)
        return Instruction(self.world.multisig, data, [*owners, *rest]), signers


def test_an_address_without_a_key_governs_by_its_owners(bare: Any) -> None:
    multisig = Multisig(bare)
    log = Log(bare, multisig.vault)
    call, signers = multisig.execute(log.init())
    bare.done([call], bare.payer, *signers)
    call, signers = multisig.execute(log.mirror(1, GENESIS, b"\x01" * 32))
    outcome = bare.done([call], bare.payer, *signers)
    assert outcome.event.fields["sequence"] == 1
    too_few, signers = multisig.execute(log.mirror(2, bytes(32), b"\x02" * 32), signing_owners=1)
    assert bare.refusal([too_few], bare.payer, *signers) == "MissingRequiredSignature"


def test_another_quorum_is_another_address(bare: Any) -> None:
    multisig = Multisig(bare)
    log = Log(bare, multisig.vault)
    call, signers = multisig.execute(log.init(), signing_owners=1, threshold=1)
    assert bare.refusal([call], bare.payer, *signers) == "PrivilegeEscalation"


def test_a_quote_settles_through_another_program(world: Any) -> None:
    """A router may call us: the check stands before the router's instruction, the taker signs."""
    multisig = Multisig(world)
    check, call = world.settle(world.terms())
    routed, signers = multisig.execute(call)
    world.done([check, routed], world.taker, *signers)


def test_a_program_cannot_sign_for_a_taker_by_calling_us(world: Any) -> None:
    multisig = Multisig(world)
    check, call = world.settle(world.terms())
    metas = [AccountMeta(m.pubkey, False, m.is_writable) for m in call.accounts]
    routed, signers = multisig.execute(Instruction(call.program_id, bytes(call.data), metas))
    assert world.refusal([check, routed], world.payer, *signers) == "WrongTaker"
    data = bytes(routed.data)
    assert data[3:11] == bytes(call.data)[:8]


def test_a_check_behind_the_calling_instruction_does_not_count(world: Any) -> None:
    multisig = Multisig(world)
    check, call = world.settle(world.terms())
    routed, signers = multisig.execute(call)
    found = world.refusal([routed, check], world.taker, *signers)
    assert found == "NoSignatureInstruction"
