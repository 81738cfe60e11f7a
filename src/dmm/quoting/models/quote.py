"""A model's name, and a quote as it gives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Model(StrEnum):
    """A formula and its convention, by the name the command line knows."""

    AS2008 = "as2008"
    DCT = "dct"
    GLFT = "glft"
    GLFT_EXACT = "glft-exact"
    CARTEA_JAIMUNGAL = "cartea-jaimungal"
    HUMMINGBOT = "hummingbot"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuote:
    """A quote as the model gives it, unrounded, in the unit of the mid price.

    Depths are mid − bid and ask − mid. Where an inventory limit forbids a side its price and depth
    are None, and so are reservation price and half-spread, which need both. `value` is h(t, q) of
    Cartea–Jaimungal, else None.
    """

    model: Model
    reservation_price: float | None
    half_spread: float | None
    bid: float | None
    ask: float | None
    bid_depth: float | None
    ask_depth: float | None
    value: float | None = None

    def to_json(self) -> dict[str, str | float | None]:
        """Return the quote by the names and in the order of its fields."""
        return {
            "model": self.model.value,
            "reservation_price": self.reservation_price,
            "half_spread": self.half_spread,
            "bid": self.bid,
            "ask": self.ask,
            "bid_depth": self.bid_depth,
            "ask_depth": self.ask_depth,
            "value": self.value,
        }
