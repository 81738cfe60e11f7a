"""Postings: money that moves from one account to another, once per source."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.ledger.account import Account
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken
from dmm.units.fast_init import fast_init
from dmm.units.ids import Hash32, content_id
from dmm.units.time import Nanos


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One transfer: `amount` leaves `debit` and enters `credit`, both of one vault and asset.

    `source_id` names what caused it, for example ``"<intent id>:reserve"`` or
    ``"fill:<fill id>:cash"``; the ledger takes each source once.
    """

    source_id: str
    debit: Account
    credit: Account
    amount: Atoms
    posted_at_ns: Nanos

    def __post_init__(self) -> None:
        if self.amount <= 0:
            raise InvariantBroken(
                f"posting {self.source_id}: amount must be > 0, got {self.amount}"
            )
        if not self.source_id:
            raise InvariantBroken("a posting needs a source_id")
        same = (self.debit.vault, self.debit.asset) == (self.credit.vault, self.credit.asset)
        if not same or self.debit == self.credit:
            raise InvariantBroken(
                f"posting {self.source_id}: {self.debit.account_id} -> {self.credit.account_id} "
                "must join two accounts of one vault and asset"
            )

    @property
    def transfer_id(self) -> Hash32:
        """Return the posting's id, derived from its source."""
        return content_id("dmm/transfer/v1", self.source_id)
