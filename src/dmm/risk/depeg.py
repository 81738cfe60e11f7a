"""A stable coin is not the money it stands for: its price, its breaker, and values through it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dmm.units.amount import Atoms, ceil_div, floor_div
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S, Nanos

PPM_ONE = 1_000_000
"""Par, in millionths of the reference currency per coin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PegRules:
    """Where a coin counts as off its peg, in millionths of par.

    It trips beyond `trip_ppm` from par either way, at once; it clears after `calm_ns` in a row at
    or within `clear_ppm`. A price older than `age_ns_max` is no price.
    """

    trip_ppm: int = 5_000
    clear_ppm: int = 2_000
    calm_ns: int = 600 * NS_PER_S
    age_ns_max: int = 60 * NS_PER_S

    def __post_init__(self) -> None:
        if not 0 <= self.clear_ppm <= self.trip_ppm < PPM_ONE:
            raise UsageFault(
                f"peg needs 0 <= clear_ppm <= trip_ppm < {PPM_ONE}, got {self.clear_ppm} and "
                f"{self.trip_ppm}"
            )


DEFAULT_RULES = PegRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class PegState:
    """Whether a coin is off its peg, and since when it has been near it; integers only."""

    is_broken: bool = True
    calm_since_ns: Nanos | None = None


AT_PAR = PegState(is_broken=False)


def after_price(
    state: PegState,
    *,
    price_ppm: int | None,
    priced_at_ns: Nanos,
    now_ns: Nanos,
    rules: PegRules = DEFAULT_RULES,
) -> PegState:
    """Return the state after a look at the coin's price.

    Parameters
    ----------
    state : before
    price_ppm : millionths of the reference currency per coin; None when nobody gives one
    priced_at_ns : when the price was made
    now_ns : of the same clock
    rules : thresholds
    """
    if price_ppm is None or price_ppm <= 0 or now_ns - priced_at_ns > rules.age_ns_max:
        return PegState(is_broken=True)
    distance_ppm = abs(price_ppm - PPM_ONE)
    if distance_ppm > rules.trip_ppm:
        return PegState(is_broken=True)
    if not state.is_broken:
        return state
    if distance_ppm > rules.clear_ppm:
        return replace(state, calm_since_ns=None)
    since_ns = now_ns if state.calm_since_ns is None else state.calm_since_ns
    if now_ns - since_ns >= rules.calm_ns:
        return AT_PAR
    return replace(state, calm_since_ns=since_ns)


def value_atoms(coin_atoms: Atoms, *, price_ppm: int, rounded_up: bool) -> Atoms:
    """Return what coins are worth in the reference currency, atoms of the same size.

    Parameters
    ----------
    coin_atoms : any sign
    price_ppm : millionths per coin, > 0
    rounded_up : up for what we owe, down for what we own
    """
    if price_ppm <= 0:
        raise UsageFault(f"a coin's price must be above 0, got {price_ppm} ppm")
    divide = ceil_div if rounded_up else floor_div
    return Atoms(divide(coin_atoms * price_ppm, PPM_ONE))
