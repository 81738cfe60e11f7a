"""The program through the upgradeable loader itself, from an empty buffer to nobody's authority.

The main environment's runtime has every feature on, also the one that ends new deployments of this
loader (SIMD-0167), which the main network has not; there what a deployment leaves is written by
hand. The newer runtime takes the main network's features and carries out all of it:

    .dmm/bench-solana/bin/python -m pytest --noconftest -c /dev/null --rootdir . \
        tests/contracts/solana/test_solana_loader.py     # with src on PYTHONPATH
"""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from solders.account import Account
from solders.clock import Clock
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.transaction import VersionedTransaction
from solders.transaction_metadata import FailedTransactionMetadata

from dmm.adapters.solana import loader
from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.abi import program_abi

SOLANA = Path(__file__).resolve().parents[3] / "contracts" / "solana"
CODE = (SOLANA / "build" / "dmm.so").read_bytes()
SMALL = (SOLANA / "build" / "multisig.so").read_bytes()
DEPLOYS = hasattr(LiteSVM, "with_mainnet_features")
SYSTEM = Pubkey.default()


class Cluster:
    """A runtime with one who pays and one program's key."""

    def __init__(self) -> None:
        self.svm = LiteSVM()
        if DEPLOYS:
            self.svm = self.svm.with_mainnet_features()
        self.slot = 10
        self.payer, self.program = (Keypair.from_seed(bytes([n]) * 32) for n in (3, 4))
        self.svm.airdrop(self.payer.pubkey(), 10**12)
        self.turn()

    def turn(self) -> None:
        """Let a slot pass: a program is seen, and may be changed, in the one after."""
        self.slot += 1
        self.svm.set_clock(Clock(self.slot, 0, 0, 0, 1_700_000_000 + self.slot))
        self.svm.expire_blockhash()

    def run(self, calls: list[Instruction], *signers: Keypair) -> str:
        """Carry a transaction out; return the runtime's error, empty when there was none."""
        recent = self.svm.latest_blockhash()
        message = MessageV0.try_compile(self.payer.pubkey(), calls, [], recent)
        transaction = VersionedTransaction(message, [self.payer, *signers])
        assert len(bytes(transaction)) <= 1_232
        found = self.svm.send_transaction(transaction)
        self.svm.expire_blockhash()
        return found.to_json() if isinstance(found, FailedTransactionMetadata) else ""

    def rent(self, space: int) -> int:
        return int(self.svm.minimum_balance_for_rent_exemption(space))

    def held(self, address: Pubkey) -> tuple[Pubkey | None, bytes]:
        found = self.svm.get_account(address)
        return (None, b"") if found is None else (found.owner, bytes(found.data))

    def view(self) -> loader.Program | None:
        address = self.program.pubkey()
        owner, data = self.held(address)
        code_owner, code = self.held(loader.data_of(address))
        return loader.program_of(address, owner=owner, data=data, code_owner=code_owner, code=code)

    def fill(self, code: bytes) -> Pubkey:
        """Write a program into a buffer of its own."""
        payer, seed = self.payer.pubkey(), f"buffer-{len(code)}-{self.slot}"
        buffer, size = loader.buffer_address(payer, seed), len(code)
        lamports = self.rent(loader.BUFFER_HEAD_BYTES + size)
        assert self.run(loader.make_buffer(payer, seed, lamports=lamports, size=size)) == ""
        for at in range(0, size, loader.PIECE_BYTES):
            piece = code[at : at + loader.PIECE_BYTES]
            assert not self.run(
                [loader.write_piece(buffer, authority=payer, offset=at, piece=piece)]
            )
        owner, data = self.held(buffer)
        assert loader.buffer_code(owner, data, authority=payer) == code
        assert loader.buffer_code(owner, data, authority=SYSTEM) is None
        return buffer

    def deploy(self, code: bytes, *, room: int) -> None:
        payer, program = self.payer.pubkey(), self.program.pubkey()
        buffer, lamports = self.fill(code), self.rent(loader.PROGRAM_BYTES)
        calls = loader.deploy(payer, program, buffer, lamports=lamports, size_max=room)
        refusal = self.run(calls, self.program)
        if DEPLOYS:
            assert refusal == ""
        else:
            assert "InvalidInstructionData" in refusal
            address = loader.data_of(program)
            head = struct.pack("<IQ", 3, self.slot) + b"\x01" + bytes(payer)
            body = head + code.ljust(room, b"\0")
            self.svm.set_account(address, Account(self.rent(len(body)), body, loader.LOADER))
            made = struct.pack("<I", 2) + bytes(address)
            self.svm.set_account(program, Account(lamports, made, loader.LOADER, executable=True))
        self.turn()


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def init_maker(cluster: Cluster) -> Instruction:
    program, who = cluster.program.pubkey(), cluster.payer.pubkey()
    accounts = {
        "payer": who,
        "authority": who,
        "maker": signing.maker_address(program, who),
        "system_program": SYSTEM,
    }
    return program_abi().instruction(
        program,
        "init_maker",
        accounts,
        network=b"\x07" * 32,
        guardian=who,
        lifetime_s_max=60,
    )


def test_a_program_is_deployed_runs_and_names_its_authority(cluster: Cluster) -> None:
    cluster.deploy(CODE, room=len(CODE) * 3 // 2)
    view = cluster.view()
    assert view is not None
    assert view.holds(CODE)
    assert not view.holds(CODE + b"\x01")
    assert not view.holds(SMALL)
    assert (view.authority, len(view.code)) == (str(cluster.payer.pubkey()), len(CODE) * 3 // 2)
    assert cluster.run([init_maker(cluster)]) == ""


def test_a_longer_program_takes_its_place_after_it_was_given_room(cluster: Cluster) -> None:
    payer, program = cluster.payer.pubkey(), cluster.program.pubkey()
    cluster.deploy(SMALL, room=len(SMALL))
    buffer = cluster.fill(CODE)
    assert "AccountDataTooSmall" in cluster.run([loader.upgrade(payer, program, buffer)])
    extended = loader.extend(payer, program, size=len(CODE) - len(SMALL))
    assert cluster.run([extended]) == ""
    cluster.turn()
    assert cluster.run([loader.upgrade(payer, program, buffer)]) == ""
    cluster.turn()
    view = cluster.view()
    assert view is not None
    assert view.holds(CODE)
    assert cluster.run([init_maker(cluster)]) == ""


def test_whoever_is_not_the_authority_changes_nothing(cluster: Cluster) -> None:
    payer, program = cluster.payer.pubkey(), cluster.program.pubkey()
    cluster.deploy(SMALL, room=len(SMALL))
    other = Keypair.from_seed(bytes([9]) * 32)
    handed = loader.set_authority(program, present=payer, new=other.pubkey())
    assert cluster.run([handed]) == ""
    view = cluster.view()
    assert view is not None
    assert view.authority == str(other.pubkey())
    buffer = cluster.fill(SMALL)
    assert "IncorrectAuthority" in cluster.run([loader.upgrade(payer, program, buffer)])
    fixed = loader.set_authority(program, present=other.pubkey(), new=None)
    assert cluster.run([fixed], other) == ""
    view = cluster.view()
    assert view is not None
    assert view.authority is None
    late = loader.set_authority(program, present=other.pubkey(), new=payer)
    assert "Immutable" in cluster.run([late], other)


def test_what_is_no_program_has_no_view(cluster: Cluster) -> None:
    assert cluster.view() is None
    address = cluster.program.pubkey()
    short = loader.program_of(
        address, owner=loader.LOADER, data=b"\x02\0\0\0", code_owner=None, code=b""
    )
    assert short is None
    data = struct.pack("<I", 2) + bytes(loader.data_of(address))
    for code_owner, code in ((None, b""), (loader.LOADER, bytes(45)), (SYSTEM, bytes(90))):
        assert (
            loader.program_of(
                address, owner=loader.LOADER, data=data, code_owner=code_owner, code=code
            )
            is None
        )
    fixed = loader.program_of(
        address, owner=loader.FIXED_LOADER, data=SMALL, code_owner=None, code=b""
    )
    assert fixed is not None
    assert fixed.authority is None
