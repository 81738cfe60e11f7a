"""Caps over all assets together, in one unit of account, without a price feed.

The policy file states what an amount of each asset counts for. A person sets it high enough to be
true for as long as the policy lives: a signer that asked a market could be talked into anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dmm.units.errors import Permanent

BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`atoms` of an asset count for `worth` units; both > 0."""

    atoms: int
    worth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeraire:
    """A unit of account and what may leave in it.

    Parameters
    ----------
    name : the unit, for people
    each_max, day_max, recipient_day_max : units in one signature; in one UTC day; to one recipient
        in one UTC day; >= 0
    rates : by asset; an asset without one is refused
    give_bps_max : how much more than it takes a firm quote may give, in units, basis points; None
        for no such bound
    """

    name: str
    each_max: int
    day_max: int
    recipient_day_max: int
    rates: Mapping[str, Rate]
    give_bps_max: int | None = None

    def worth(self, asset: str, amount: int) -> int:
        """Return what an amount counts for, rounded up.

        Parameters
        ----------
        amount : atoms of `asset`, >= 0

        Raises
        ------
        Permanent
            If the asset has no rate: what cannot be counted is not signed.
        """
        rate = self.rates.get(asset)
        if rate is None:
            raise Permanent(f"asset {asset!r} has no rate in {self.name}: it cannot be counted")
        return -(-amount * rate.worth // rate.atoms)

    def worth_of(self, amounts: Mapping[str, int]) -> int:
        """Return what amounts count for together; atoms by asset."""
        return sum(self.worth(asset, amount) for asset, amount in amounts.items())

    def check_each(self, amounts: Mapping[str, int]) -> None:
        """Refuse one signature over more than `each_max`; `amounts` are atoms by asset."""
        worth = self.worth_of(amounts)
        if worth > self.each_max:
            raise Permanent(
                f"{dict(amounts)} atoms count for {worth} {self.name}, more than {self.each_max} "
                "in one signature"
            )

    def check_day(self, amounts: Mapping[str, int]) -> None:
        """Refuse a day in which more than `day_max` would leave; atoms by asset."""
        worth = self.worth_of(amounts)
        if worth > self.day_max:
            raise Permanent(f"{worth} {self.name} exceed the day's cap of {self.day_max}")

    def check_recipient(self, amounts: Mapping[str, int], recipient: str) -> None:
        """Refuse a day in which one recipient would get more than `recipient_day_max`."""
        worth = self.worth_of(amounts)
        if worth > self.recipient_day_max:
            raise Permanent(
                f"{worth} {self.name} to {recipient} exceed the day's cap of "
                f"{self.recipient_day_max} for one recipient"
            )

    def check_give(self, *, gives: tuple[str, int], takes: tuple[str, int]) -> None:
        """Refuse a quote that gives away too much; both are (asset, atoms)."""
        if self.give_bps_max is None:
            return
        given, taken = self.worth(*gives), self.worth(*takes)
        if given * BPS > taken * (BPS + self.give_bps_max):
            raise Permanent(
                f"the quote gives {given} {self.name} for {taken}, more than "
                f"{self.give_bps_max} bps above"
            )
