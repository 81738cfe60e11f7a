"""Limits the gate checks."""

from __future__ import annotations

from dataclasses import dataclass

from dmm.units.amount import Lots


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Hard limits; sizes in lots, all > 0. `price_band_bps` is the distance from the mid allowed.

    `outstanding_lots_max` bounds the open orders of one side at the current price: the gate turns
    it into notional at the mid, so that the limit follows the price in every kind of contract.
    """

    inventory_hard: Lots
    order_size_max: Lots
    outstanding_lots_max: Lots
    price_band_bps: int
    drawdown_atoms_max: int
