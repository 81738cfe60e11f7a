"""The market-making SDK: read telemetry, quote it, say why the quote stands where it stands."""

from __future__ import annotations

from dmm.quoting.service import DCTMarketMakerQuote, DCTMarketMakerService
from dmm.quoting.service_inputs import DCTMarketMakerInputs, coerce_market_inputs

__all__ = [
    "DCTMarketMakerInputs",
    "DCTMarketMakerQuote",
    "DCTMarketMakerService",
    "coerce_market_inputs",
]
