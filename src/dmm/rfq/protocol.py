"""Firm quotes and acceptances: one canonical form for every chain."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.amount import Atoms
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, Json, content_id


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmQuote:
    """A maker's firm quote: the maker gives `maker_amount` and gets `taker_amount`.

    Addresses are in the chain's own text form, assets are symbols the deployment knows. `expiry_s`
    ends acceptance and `settle_by_s` ends settlement, both in chain time and inclusive. `nonce` is
    single use per maker, allotted densely. An empty `taker` is refused: every quote is bound.
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

    def __post_init__(self) -> None:
        for name in ("maker_amount", "taker_amount"):
            if not 0 < getattr(self, name) < 2**256:
                raise Permanent(f"{name} must be in [1, 2^256), got {getattr(self, name)}")
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
        return content_id(
            "dmm/quote/v1",
            *(getattr(self, name) for name in type(self).__dataclass_fields__),
        )

    def to_json(self) -> dict[str, Json]:
        """Return the quote as canonical JSON values."""
        return {name: getattr(self, name) for name in type(self).__dataclass_fields__}

    @classmethod
    def from_json(cls, body: dict[str, Json]) -> FirmQuote:
        """Read a quote; `Permanent` names a missing or unknown field."""
        names = set(cls.__dataclass_fields__)
        if set(body) != names:
            raise Permanent(f"quote fields differ: {sorted(names ^ set(body))}")
        return cls(**body)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A taker's signed word that it takes a quote whole, before its expiry."""

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
