"""A market maker in memory for tests of buybacks."""

from __future__ import annotations

from dataclasses import replace

from dmm.rfq.protocol import FirmQuote
from dmm.units.amount import Atoms


class Maker:
    """Sells 3 DCT an atom of cash; may decline, fail or change terms."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.nonces: list[int] = []
        self.declines = False
        self.fault: Exception | None = None
        self.changes: dict[str, object] = {}

    def quote(
        self,
        *,
        chain: str,
        taker: str,
        cash_asset: str,
        cash_amount: Atoms,
        bought_asset: str,
        deadline_s: int,
        nonce: int,
    ) -> tuple[FirmQuote, bytes] | None:
        self.asked.append(cash_amount)
        self.nonces.append(nonce)
        if self.fault is not None:
            raise self.fault
        if self.declines:
            return None
        quote = FirmQuote(
            chain=chain,
            contract="0x5e",
            maker="0xcc",
            signer="0xcd",
            taker=taker,
            maker_asset=bought_asset,
            taker_asset=cash_asset,
            maker_amount=Atoms(cash_amount * 3 + len(self.asked)),
            taker_amount=cash_amount,
            fee_bps=0,
            fee_recipient="0xcc",
            expiry_s=deadline_s,
            settle_by_s=deadline_s,
            nonce=nonce,
        )
        return replace(quote, **self.changes), b"\x01\x02"  # type: ignore[arg-type]
