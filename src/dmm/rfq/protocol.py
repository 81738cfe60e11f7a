"""Firm quotes and acceptances: one canonical form for every chain."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json, content_id

WHOLE = Atoms(0)
"""As the least fill: the whole or nothing."""

PARTIAL = "min_fill"
"""The term that whole quotes leave out, so that their ids stay what they were before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmQuote:
    """A maker's firm quote: the maker gives `maker_amount` and gets `taker_amount`.

    Addresses are in the chain's own text form, assets are symbols the deployment knows. `expiry_s`
    ends acceptance and `settle_by_s` ends settlement, both in chain time and inclusive. `nonce` is
    single use per maker, allotted densely. An empty `taker` is refused: every quote is bound.

    `min_fill` is the least of `taker_amount` that the taker may take; 0 means the whole or nothing.
    One fill uses the nonce up, whatever part it was of.
    """

    chain: str
    contract: str
    maker: str
    signer: str
    taker: str
    maker_asset: str
    taker_asset: str
    maker_amount: Atoms
    taker_amount: Atoms
    fee_bps: int
    fee_recipient: str
    expiry_s: int
    settle_by_s: int
    nonce: int
    min_fill: Atoms = WHOLE

    def __post_init__(self) -> None:
        for name in ("maker_amount", "taker_amount"):
            if not 0 < getattr(self, name) < 2**256:
                raise Permanent(f"{name} must be in [1, 2^256), got {getattr(self, name)}")
        if not 0 <= self.min_fill <= self.taker_amount:
            raise Permanent(
                f"min_fill must be in [0, {self.taker_amount}], the taker's amount, "
                f"got {self.min_fill}"
            )
        if not self.taker:
            raise Permanent("a quote must name its taker")
        if self.maker_asset == self.taker_asset:
            raise Permanent(f"both sides of the quote are {self.maker_asset}")
        if not 0 <= self.fee_bps <= 500:
            raise Permanent(f"fee_bps must be in [0, 500], got {self.fee_bps}")
        if self.settle_by_s < self.expiry_s:
            raise Permanent(f"settle_by_s {self.settle_by_s} lies before expiry_s {self.expiry_s}")
        if self.nonce < 0:
            raise Permanent(f"nonce must be >= 0, got {self.nonce}")

    @property
    def quote_id(self) -> Hash32:
        """Return the id derived from every signed term."""
        return content_id("dmm/quote/v1", *(getattr(self, name) for name in self._terms()))

    @property
    def least(self) -> Atoms:
        """Return the least of the taker's asset that fills the quote; the whole unless told."""
        return self.min_fill or self.taker_amount

    def takes(self, amount: int) -> bool:
        """Tell whether a taker may give so much, in atoms of the taker's asset."""
        return self.least <= amount <= self.taker_amount and self.given(amount) > 0

    def given(self, amount: int) -> Atoms:
        """Return what the maker gives for a part, rounded down: in favour of who gives it.

        Parameters
        ----------
        amount : atoms of the taker's asset, in [0, taker_amount]
        """
        return Atoms(self.maker_amount * amount // self.taker_amount)

    def to_json(self) -> dict[str, Json]:
        """Return the quote as canonical JSON values."""
        return {name: getattr(self, name) for name in self._terms()}

    @classmethod
    def from_json(cls, body: dict[str, Json]) -> FirmQuote:
        """Read a quote; `Permanent` names a missing or unknown field."""
        names = set(cls.__dataclass_fields__)
        odd = sorted((names ^ set(body)) - {PARTIAL})
        if odd:
            raise Permanent(f"quote fields differ: {odd}")
        return cls(**body)  # type: ignore[arg-type]

    def _terms(self) -> list[str]:
        """Return the names of its terms; that of partial fills only where there may be one."""
        return [
            name for name in type(self).__dataclass_fields__ if name != PARTIAL or self.min_fill
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A taker's signed word that it takes a quote, or a part of it, before its expiry."""

    quote_id: Hash32
    amount: Atoms
    """Of the taker asset; equal to the quote's taker_amount for a full fill."""
    recipient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RfqTrade:
    """A quote we issued and how far it came. Signatures are the chain's own bytes."""

    run_id: str
    epoch: int
    quote: FirmQuote
    maker_signature: bytes
    fair_half_ticks: int
    """The worker's mid when it was priced, in half ticks."""
    issued_at_ns: int
    acceptance: Acceptance | None = None
    taker_signature: bytes = b""
    accepted_at_ns: int | None = None
