"""The two kinds of send slots, and what proves that the bytes of one can never land.

A slot's own anchor says of which kind it is, so that slots of both kinds end rightly when the desk
goes over from one to the other.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from dmm.adapters.solana.calls import key_account, key_is_used
from dmm.adapters.solana.codec import Book, account
from dmm.adapters.solana.durable import Nonce, is_durable, named, nonce_of
from dmm.adapters.solana.fees import FeeCaps, raised_fee, unit_fee
from dmm.adapters.solana.finalized import Held, anchored, held, held_many
from dmm.adapters.solana.node import FINALIZED, NoAnswer, Node
from dmm.adapters.solana.nodes import Nodes
from dmm.ports import SlotOffer, SlotRules, SlotState, Snapshot
from dmm.settlement.intent import Intent, Slot
from dmm.settlement.quorum import agreed
from dmm.units.errors import Permanent, ServiceFault, UsageFault

BLOCKHASH_BLOCKS = 150
"""Blocks for which a blockhash may be named, counted in block heights."""

ROOM_BLOCKS = 75
"""Blocks that a blockhash must still live when a slot is opened over it: half of its life."""

NONCE_ACCOUNTS_MAX = 64
"""Nonce accounts of a desk: one question to a node asks for all of them."""

REOFFER_SLOTS = 150
"""How long a nonce's value that was given out and is still there is not given out again, slots."""


class Slots:
    """Send slots on one cluster: the reach of a finalized blockhash, or a durable nonce's value.

    With nonce accounts the slots that are opened are their values, else the reach of blockhashes.
    Bytes over one value exclude each other, so a fee is raised in place; over a blockhash they do
    not, so each slot takes one transaction.
    """

    def __init__(
        self, nodes: Nodes, book: Book, caps: FeeCaps, *, nonce_accounts: Sequence[str]
    ) -> None:
        """Take the nodes, our deployments and the fee's bounds; see `SolanaChain`."""
        if len(nonce_accounts) > NONCE_ACCOUNTS_MAX:
            raise ServiceFault(
                f"{len(nonce_accounts)} nonce accounts are more than {NONCE_ACCOUNTS_MAX}: "
                "shorten DMM_SOLANA_NONCE_ACCOUNTS"
            )
        if len(set(nonce_accounts)) != len(nonce_accounts):
            raise ServiceFault("DMM_SOLANA_NONCE_ACCOUNTS names an account twice")
        self._nodes, self._book, self._caps = nodes, book, caps
        try:
            self._accounts = [account(one, what="a nonce account") for one in nonce_accounts]
        except Permanent as fault:
            raise ServiceFault(f"{fault}: correct DMM_SOLANA_NONCE_ACCOUNTS") from fault
        if self._accounts:
            caps.require_raises()
        self._given: OrderedDict[str, int] = OrderedDict()

    @property
    def rules(self) -> SlotRules:
        """Return the rules of the slots that are opened; neither kind holds others up."""
        return SlotRules(replaces=bool(self._accounts), burns=False, atomic=True)

    def unit_fee(self, *, anchor: str, generation: int, bump: int) -> int:
        """Return the price of a unit; `Permanent` for a second transaction over a blockhash."""
        if is_durable(anchor):
            return raised_fee(self._caps, generation=generation, bump=bump)
        if bump:
            raise Permanent("a slot of a blockhash takes one transaction: two could both land")
        return unit_fee(self._caps, generation=generation)

    def offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        """Return what a new slot of a signer would be; None while nothing is free or known.

        Raises
        ------
        Permanent
            If none of the nonce accounts is the signer's.
        """
        if self._accounts:
            return self._nonce_offer(signer, at)
        block = self._nodes.known(lambda node: anchored(node, at))
        # A pass over many intents outlives its snapshot: what could hardly land is not opened.
        if block is None or not self._has_room(block.height + BLOCKHASH_BLOCKS):
            return None
        return SlotOffer(
            floor=at.finalized_time_s,
            expires=block.height + BLOCKHASH_BLOCKS,
            anchor=block.block_hash,
        )

    def state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        """Tell whether a slot's bytes can still pay, by finalized state alone."""
        if is_durable(slot.anchor):
            return self._nonce_state(slot, intent, at)
        block = self._nodes.known(lambda node: anchored(node, at))
        if block is None:
            return SlotState.UNKNOWN
        return SlotState.SPENT if block.height > slot.expires else SlotState.OPEN

    def is_used(self, intent: Intent, *, at: Snapshot) -> bool | None:
        """Tell whether the intent's key is used at or after the snapshot; None when unknown."""

        def look(node: Node) -> bool:
            anchored(node, at)
            return self._is_used(node, intent, slot_min=at.finalized_height)

        # An intent that cannot be asked about is its own fault, and no node's.
        key_account(intent, self._book)
        return self._nodes.known(look)

    def _has_room(self, expires: int) -> bool:
        """Tell whether bytes that end at a height still have time to land, by the newest node."""
        heads, _ = self._nodes.ask(_height)
        return bool(heads) and expires - max(height for _, height in heads) >= ROOM_BLOCKS

    # -- durable nonces

    def _nonce_offer(self, signer: str, at: Snapshot) -> SlotOffer | None:
        answers, _ = self._nodes.ask(self._free_nonces(at))
        found = [
            agreed([answer[place] for _, answer in answers], quorum=self._nodes.quorum)
            for place in range(len(self._accounts))
        ]
        own = [nonce for nonce, _ in filter(None, found) if str(nonce.authority) == signer]
        if not own and all(one is not None for one in found):
            raise Permanent(
                f"none of DMM_SOLANA_NONCE_ACCOUNTS is a nonce account of {signer}: "
                "run `dmm settle nonces`"
            )
        free = [n for n, is_still in filter(None, found) if is_still and str(n.authority) == signer]
        fresh = [nonce for nonce in free if self._may_give(nonce, at)]
        if not fresh:
            return None
        # Two settlers ask at different blocks: they seldom begin with the same account.
        chosen = min(fresh, key=lambda nonce: _order(nonce, at))
        self._given[chosen.anchor] = at.finalized_height
        self._given.move_to_end(chosen.anchor)
        while len(self._given) > NONCE_ACCOUNTS_MAX:
            self._given.popitem(last=False)
        return SlotOffer(floor=at.finalized_time_s, anchor=chosen.anchor)

    def _free_nonces(self, at: Snapshot) -> Callable[[Node], list[tuple[Nonce, bool] | None]]:
        """Return what asks a node for each account's final nonce, and whether it is still there."""
        texts = [str(address) for address in self._accounts]

        def ask(node: Node) -> list[tuple[Nonce, bool] | None]:
            anchored(node, at)
            slot_min = at.finalized_height
            final = held_many(node, texts, slot_min=slot_min, commitment=FINALIZED)
            newest = held_many(node, texts, slot_min=slot_min, commitment="confirmed")
            pairs = zip(self._nonces(final), self._nonces(newest), strict=True)
            # One that a transaction has just used is free again when that is final.
            return [None if now is None else (now, now == then) for now, then in pairs]

        return ask

    def _nonces(self, found: Sequence[Held]) -> list[Nonce | None]:
        places = zip(self._accounts, found, strict=True)
        return [nonce_of(address, one.owner, one.data) for address, one in places]

    def _may_give(self, nonce: Nonce, at: Snapshot) -> bool:
        given = self._given.get(nonce.anchor)
        return given is None or at.finalized_height > given + REOFFER_SLOTS

    def _nonce_state(self, slot: Slot, intent: Intent, at: Snapshot) -> SlotState:
        """Tell whether a value can still be named by bytes that pay.

        Past the deadline the program refuses them. Before it, the value must have moved on, and
        the key must be unset *no earlier than that*: bytes of ours may be what moved it.
        """
        if at.finalized_time_s > intent.deadline_s:
            return SlotState.SPENT
        nonce, value = named(slot.anchor)

        def look(node: Node) -> SlotState:
            anchored(node, at)
            one = held(node, str(nonce), slot_min=at.finalized_height)
            found = nonce_of(nonce, one.owner, one.data)
            if found is not None and found.value == value:
                return SlotState.OPEN
            used = self._is_used(node, intent, slot_min=one.slot)
            return SlotState.UNKNOWN if used else SlotState.SPENT

        return self._nodes.known(look) or SlotState.UNKNOWN

    def _is_used(self, node: Node, intent: Intent, *, slot_min: int) -> bool:
        one = held(node, str(key_account(intent, self._book)), slot_min=slot_min)
        try:
            return key_is_used(intent, one.owner, one.data, self._book)
        except UsageFault as error:
            raise NoAnswer(f"node {node.name} answers a key that is none: {error}") from error


def _height(node: Node) -> int:
    found = node.call("getBlockHeight", {"commitment": "confirmed"})
    if not isinstance(found, int) or isinstance(found, bool):
        raise NoAnswer(f"node {node.name} answers {found!r} for a block height")
    return found


def _order(nonce: Nonce, at: Snapshot) -> bytes:
    return hashlib.sha256(nonce.anchor.encode() + at.finalized_hash.encode()).digest()
