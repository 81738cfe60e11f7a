"""Buyback: a share of the realised spread buys the token by a firm quote, and burns it."""

from __future__ import annotations

from dmm.units.amount import BPS_ONE, Atoms, ceil_div, floor_div


def profit_share(*, spread_captured: int, fees: int, share_bps: int) -> Atoms:
    """Return the share of an epoch's realised profit that goes into buybacks, rounded down.

    Parameters
    ----------
    spread_captured : atoms of cash, negative when the desk paid the spread
    fees : venue fees, atoms of cash, negative for rebates
    share_bps : in [0, 10,000]

    Raises
    ------
    ValueError
        If the share is outside its range.
    """
    if not 0 <= share_bps <= BPS_ONE:
        raise ValueError(f"share_bps must be in [0, {BPS_ONE}], got {share_bps}")
    return Atoms(floor_div(max(0, spread_captured - fees) * share_bps, BPS_ONE))


def net_out(*, maker_amount: int, fee_bps: int) -> Atoms:
    """Return the least a quote delivers after its fee, the fee rounded up.

    Parameters
    ----------
    maker_amount : atoms the maker gives, > 0
    fee_bps : in [0, 10,000)
    """
    return Atoms(maker_amount - ceil_div(maker_amount * fee_bps, BPS_ONE))
