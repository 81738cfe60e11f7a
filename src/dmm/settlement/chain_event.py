"""Blocks and events of a chain as the follower and the auditor read them."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.settlement.reconcile import Leg
from dmm.units.errors import Permanent
from dmm.units.ids import Json

TRANSFER = "Transfer"
TOKEN_PREFIX = "token:"  # noqa: S105 - the name of a deployment, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRef:
    """A block and the one it stands on. `time_s` is the chain's own time."""

    chain: str
    height: int
    block_hash: str
    parent_hash: str
    time_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainEvent:
    """One log: `source` is the deployment that wrote it, ``settlement`` or ``token:USDT``.

    `args` holds integers as integers, addresses by `dmm.units.chain.address_key`, bytes as
    lower-case hex without 0x. A token's ``Transfer`` has ``sender``, ``recipient`` and ``amount``
    on every chain.
    """

    chain: str
    height: int
    block_hash: str
    tx_id: str
    log_index: int
    source: str
    name: str
    args: dict[str, Json]

    def text(self, name: str) -> str:
        """Return a text argument; `Permanent` when there is none."""
        value = self.args.get(name)
        if not isinstance(value, str):
            raise Permanent(f"event {self.name} in {self.tx_id} has no text {name}: {value!r}")
        return value

    def number(self, name: str) -> int:
        """Return an integer argument; `Permanent` when there is none."""
        value = self.args.get(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise Permanent(f"event {self.name} in {self.tx_id} has no number {name}: {value!r}")
        return value


def legs_of(event: ChainEvent, vaults: dict[str, str]) -> list[Leg]:
    """Return what a transfer moved into and out of our vaults; one between two vaults is two legs.

    Parameters
    ----------
    vaults : ledger vaults by `address_key`
    """
    if event.name != TRANSFER or not event.source.startswith(TOKEN_PREFIX):
        return []
    amount = event.number("amount")
    sides = ((event.text("recipient"), 1), (event.text("sender"), -1))
    return [
        Leg(
            tx_id=event.tx_id,
            log_index=event.log_index,
            height=event.height,
            vault=vaults[address],
            asset=event.source.removeprefix(TOKEN_PREFIX),
            change=sign * amount,
        )
        for address, sign in sides
        if address in vaults and amount
    ]
