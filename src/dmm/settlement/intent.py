"""What must happen on chain, under an id that says what it is for and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from dmm.units.amount import Atoms
from dmm.units.ids import Hash32, Json, canonical_json, content_id


class IntentKind(StrEnum):
    """The acts the desk settles on chain."""

    REWARD = "reward"
    """Pay a liquidity provider: Treasury.pay."""
    BUYBACK = "buyback"
    """Take a maker's signed quote with treasury money, then burn: Treasury.buyback."""
    QUOTE = "quote"
    """Settle an accepted firm quote of ours: Settlement.fill."""
    NET = "net"
    """Settle several accepted quotes of one taker at once: Settlement.net; see `carrier`."""
    STATEMENT = "statement"
    """The same by what both parties signed about the batch: Settlement.settleStatement."""


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One act on chain. The identity says what it is for; the content says how.

    Identity: kind, chain, contract, vault, scope, epoch, ordinal. For `QUOTE` scope is the maker's
    address and ordinal the quote's nonce; for `NET` and `STATEMENT`, which pay nothing themselves,
    scope names maker and taker and ordinal is the lowest of their quotes' nonces. `vault` is the
    ledger vault that pays. `amount` is what leaves the vault, in atoms of `asset` (a symbol the
    deployment knows). `deadline_s` is in chain time, enforced by the contract. `inputs` holds
    whatever else the call needs, without floats.
    """

    kind: IntentKind
    chain: str
    contract: str
    vault: str
    scope: str
    epoch: int
    ordinal: int
    asset: str
    recipient: str
    amount: Atoms
    deadline_s: int
    inputs: dict[str, Json]
    supersedes: Hash32 | None = None

    @cached_property
    def intent_id(self) -> Hash32:
        """Return SHA-256 over the identity; the replay key on chain derives from this alone."""
        return content_id(
            "dmm/intent/v1",
            self.kind.value,
            self.chain,
            self.contract,
            self.vault,
            self.scope,
            self.epoch,
            self.ordinal,
        )

    @cached_property
    def content_hash(self) -> Hash32:
        """Return SHA-256 over the content: same id with other content means quarantine."""
        return content_id(
            "dmm/content/v1",
            self.asset,
            self.recipient,
            self.amount,
            self.deadline_s,
            canonical_json(self.inputs),
            self.supersedes or b"",
        )


class IntentState(StrEnum):
    """States of an intent; `dmm.settlement.lifecycle` holds the legal moves between them."""

    READY = "READY"
    IN_FLIGHT = "IN_FLIGHT"
    CONFIRMED = "CONFIRMED"
    FINAL = "FINAL"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    QUARANTINED = "QUARANTINED"

    @property
    def is_open(self) -> bool:
        """Tell whether the driver still has work with it."""
        return self in (IntentState.READY, IntentState.IN_FLIGHT, IntentState.CONFIRMED)


class AttemptState(StrEnum):
    """States of one signed transaction."""

    SIGNED = "SIGNED"
    BROADCAST = "BROADCAST"
    LANDED = "LANDED"
    FINAL_OK = "FINAL_OK"
    FINAL_REVERTED = "FINAL_REVERTED"
    RETIRED = "RETIRED"


class Purpose(StrEnum):
    """What a signed transaction does with its slot."""

    PAY = "PAY"
    """Carry out the intent."""
    BURN = "BURN"
    """Use the slot up and nothing else, so that the lane goes on: it moves no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A live send slot: a nonce, a block height's reach, a query id; its number is its lane's.

    `expires` is in the chain's own measure (a block height, a time) and 0 where a slot does not
    expire by itself; `anchor` is what the bytes must name, for example a block hash.
    `blocks_others`: later slots of the lane are taken, and wait for this one.
    """

    signer: str
    slot: int
    generation: int
    expires: int = 0
    anchor: str = ""
    blocks_others: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A signed transaction, stored before its first send. `slot` is its place in its lane."""

    tx_id: str
    intent_id: Hash32
    generation: int
    bump: int
    chain: str
    signer: str
    slot: int
    raw: bytes
    fee_atoms_max: Atoms
    state: AttemptState
    landed_height: int | None = None
    landed_block: str | None = None
    purpose: Purpose = Purpose.PAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """An intent leased to one worker: every later write is conditional on fence and owner.

    An intent that has ended is claimed too while its live slot keeps its lane waiting.
    """

    intent: Intent
    state: IntentState
    generation: int
    fence: int
    owner: str
    attempts: tuple[Attempt, ...]
    """Attempts whose slot is not retired, oldest first."""
    slot: Slot | None = None
    """The live slot, signed for or not."""
