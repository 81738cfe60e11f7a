"""Deploys a program: buffer, pieces, live; each step looks first, so a cut deployment goes on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from solders.pubkey import Pubkey

from dmm.adapters.solana import loader
from dmm.adapters.solana.codec import account
from dmm.adapters.solana.fees import LAMPORTS_PER_SIGNATURE
from dmm.adapters.solana.finalized import held, held_many
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.loader import Program
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.sign import Key
from dmm.units.errors import ServiceFault, UsageFault

SIZE_MAX = 10 * 2**20 - loader.DATA_HEAD_BYTES
"""The largest program that an account holds, bytes."""

STEPS_MAX, SIGNATURES_MAX = 4, 2
"""Transactions of a deployment besides the pieces, and signatures of one of them."""

ROOM_PER_CENT = 150
"""How much room a new program gets, of its present size: an upgrade may be longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a deployment did; `written` counts pieces, `acts` are deploy, upgrade and so on."""

    program: str
    written: int
    acts: tuple[str, ...]


def program_at(node: Node, program: str) -> Program | None:
    """Return the program at an address; None where there is none that can be carried out.

    Raises
    ------
    NoAnswer, NodeRefused
        If the node does not tell.
    """
    address = account(program, what="the program")
    addresses = [program, str(loader.data_of(address))]
    found, code = held_many(node, addresses, slot_min=0, commitment="confirmed")
    return loader.program_of(
        address, owner=found.owner, data=found.data, code_owner=code.owner, code=code.data
    )


class Deployer:
    """Deploys and upgrades with one key, which pays and is the authority until it hands over."""

    def __init__(self, node: Node, hand: Hand) -> None:
        """Take the node to look at, and the key that pays."""
        self._node, self._hand = node, hand

    def deploy(self, code: bytes, program: Key) -> Done:
        """Make the program at a key's address what `code` says; nothing is done when it is.

        Raises
        ------
        UsageFault
            If the code is no program, or somebody else is the authority.
        ServiceFault
            If the cluster refuses a step; what was written stays for the next try.
        Retryable
            If a step did not land in time: run it again.
        """
        if not code.startswith(b"\x7fELF") or len(code) > SIZE_MAX:
            raise UsageFault(f"{len(code)} bytes are no program: an ELF of at most {SIZE_MAX}")
        there = program_at(self._node, program.address)
        if there is not None and there.holds(code):
            return Done(program=program.address, written=0, acts=())
        if there is not None and there.authority != self._hand.key.address:
            raise UsageFault(
                f"program {program.address} is changed by {there.authority or 'nobody'}, "
                f"not by {self._hand.key.address}"
            )
        if there is None:
            self._require_lamports(code)
        seed = _seed(code)
        buffer = loader.buffer_address(self._hand.key.public, seed)
        written = self._fill(code, buffer, seed)
        acts = self._go_live(code, program, buffer, there)
        found = program_at(self._node, program.address)
        if found is None or not found.holds(code):
            raise ServiceFault(f"program {program.address} is not what was deployed: look again")
        return Done(program=program.address, written=written, acts=acts)

    def hand_over(self, program: str, *, new: str | None) -> None:
        """Make another the program's authority, or nobody for good; again is a no-op.

        Raises
        ------
        UsageFault
            If there is no program, or the key is not its authority.
        """
        there = program_at(self._node, program)
        if there is None:
            raise UsageFault(f"there is no program at {program}")
        if there.authority == new:
            return
        own = self._hand.key
        if there.authority != own.address:
            raise UsageFault(f"program {program} is changed by {there.authority or 'nobody'}")
        target = None if new is None else account(new, what="the new authority")
        address = account(program, what="the program")
        self._hand.run([loader.set_authority(address, present=own.public, new=target)])

    def _require_lamports(self, code: bytes) -> None:
        """Refuse a key that could not pay for a new program to its end."""
        hand, pieces = self._hand, -(-len(code) // loader.PIECE_BYTES)
        # What the buffer held comes back before the program's own bytes are paid for.
        needed = hand.rent(loader.DATA_HEAD_BYTES + _room(code)) + hand.rent(loader.PROGRAM_BYTES)
        needed += (pieces + STEPS_MAX) * SIGNATURES_MAX * LAMPORTS_PER_SIGNATURE
        if hand.held() < needed:
            raise UsageFault(
                f"{hand.key.address} holds {hand.held()} lamports, a new program needs {needed}"
            )

    def _fill(self, code: bytes, buffer: Pubkey, seed: str) -> int:
        """Write what the buffer does not hold yet; return how many pieces that were."""
        own = self._hand.key.public
        found = held(self._node, str(buffer), slot_min=0, commitment="confirmed")
        known = loader.buffer_code(found.owner, found.data, authority=own)
        if known is None and found.owner == loader.LOADER:
            raise UsageFault(f"buffer {buffer} is none of {own}'s: close it first")
        if known is None:
            lamports = self._hand.rent(loader.BUFFER_HEAD_BYTES + len(code))
            self._hand.run(loader.make_buffer(own, seed, lamports=lamports, size=len(code)))
            known = bytes(len(code))
        size = loader.PIECE_BYTES
        pieces = [
            [loader.write_piece(buffer, authority=own, offset=at, piece=code[at : at + size])]
            for at in range(0, len(code), size)
            if known[at : at + size] != code[at : at + size]
        ]
        self._hand.run_all(pieces)
        return len(pieces)

    def _go_live(
        self, code: bytes, program: Key, buffer: Pubkey, there: Program | None
    ) -> tuple[str, ...]:
        own = self._hand.key.public
        if there is None:
            lamports = self._hand.rent(loader.PROGRAM_BYTES)
            size_max = _room(code)
            calls = loader.deploy(own, program.public, buffer, lamports=lamports, size_max=size_max)
            self._hand.run(calls, program)
            return ("deployed",)
        acts: tuple[str, ...] = ("upgraded",)
        lacking = len(code) - len(there.code)
        if lacking > 0:
            self._hand.run([loader.extend(own, program.public, size=lacking)])
            acts = ("extended", *acts)
        self._hand.run([loader.upgrade(own, program.public, buffer)])
        return acts


def _room(code: bytes) -> int:
    """Return how many bytes a new program has room for."""
    return min(SIZE_MAX, len(code) * ROOM_PER_CENT // 100)


def _seed(code: bytes) -> str:
    """Return the buffer's name: the same code goes on in the same buffer."""
    return f"dmm-{hashlib.sha256(code).hexdigest()[:24]}"
