"""Any model by its name: checked inputs in, one quote out, and a refusal of the wrong unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dmm.quoting.models import cartea_jaimungal, glft
from dmm.quoting.models.avellaneda_stoikov import (
    half_spread,
    halved_inventory_shift,
    inventory_shift,
)
from dmm.quoting.models.depths import Depths
from dmm.quoting.models.guard import (
    GUARD_SHARE,
    not_finite,
    require_finite,
    require_half_spread,
    require_prices,
    require_right_units,
)
from dmm.quoting.models.hummingbot import hummingbot_half_spread, hummingbot_inventory_shift
from dmm.quoting.models.inputs import MODEL_INPUTS, InputRefused, model_inputs, shown
from dmm.quoting.models.quote import Model, ModelQuote

__all__ = ["GUARD_SHARE", "REQUIRED", "Model", "ModelQuote", "evaluate"]

Values = Mapping[str, float]

_AVELLANEDA_STOIKOV = ("mid_price", "inventory", "gamma", "sigma", "horizon_s", "kappa")

REQUIRED: Mapping[Model, tuple[str, ...]] = {
    Model.AS2008: _AVELLANEDA_STOIKOV,
    Model.DCT: _AVELLANEDA_STOIKOV,
    Model.HUMMINGBOT: _AVELLANEDA_STOIKOV,
    Model.GLFT: ("mid_price", "inventory", "gamma", "sigma", "kappa", "A"),
    Model.GLFT_EXACT: (
        *("mid_price", "inventory", "gamma", "sigma"),
        *("horizon_s", "kappa", "A", "q_max"),
    ),
    Model.CARTEA_JAIMUNGAL: (
        *("mid_price", "inventory", "horizon_s", "kappa"),
        *("A", "q_max", "phi", "alpha"),
    ),
}
"""What each formula needs, by the names of `inputs.MODEL_INPUTS`."""


def evaluate(
    model: Model, given: Mapping[str, object], *, guard_share: float = GUARD_SHARE
) -> ModelQuote:
    """Return a model's quote.

    Parameters
    ----------
    model : which formula
    given : its inputs by the names of `inputs.MODEL_INPUTS`, in any consistent unit of price;
        what the formula does not need is ignored
    guard_share : share of the mid that the half-spread may not exceed, > 0

    Raises
    ------
    InputRefused
        If an input is missing or bad, or together they make a quote that no set of parameters in
        the right units makes.
    """
    values = model_inputs(given, REQUIRED[model])
    try:
        quote = _FORMULAS[model](model, values)
    except (OverflowError, ZeroDivisionError):
        raise not_finite(model, values) from None
    require_finite(quote, values)
    if quote.half_spread is None:
        _require_right_units_inside(model, values, guard_share)
    require_right_units(quote, values, guard_share)
    require_prices(quote, values)
    return quote


def _around_reservation(model: Model, values: Values, *, shift: float, half: float) -> ModelQuote:
    reservation = values["mid_price"] - shift
    return ModelQuote(
        model=model,
        reservation_price=reservation,
        half_spread=half,
        bid=reservation - half,
        ask=reservation + half,
        bid_depth=half + shift,
        ask_depth=half - shift,
    )


def _around_mid(
    model: Model, values: Values, depths: Depths, *, value: float | None = None
) -> ModelQuote:
    mid = values["mid_price"]
    bid = None if depths.bid is None else mid - depths.bid
    ask = None if depths.ask is None else mid + depths.ask
    reservation = half = None
    if depths.bid is not None and depths.ask is not None:
        reservation = mid + (depths.ask - depths.bid) / 2
        half = (depths.bid + depths.ask) / 2
    return ModelQuote(
        model=model,
        reservation_price=reservation,
        half_spread=half,
        bid=bid,
        ask=ask,
        bid_depth=depths.bid,
        ask_depth=depths.ask,
        value=value,
    )


def _avellaneda_stoikov(model: Model, values: Values) -> ModelQuote:
    gamma, variance = values["gamma"], values["sigma"] * values["sigma"] * values["horizon_s"]
    shift = halved_inventory_shift if model is Model.DCT else inventory_shift
    return _around_reservation(
        model,
        values,
        shift=shift(inventory=values["inventory"], risk_aversion=gamma, variance=variance),
        half=half_spread(risk_aversion=gamma, variance=variance, arrival_decay=values["kappa"]),
    )


def _hummingbot(model: Model, values: Values) -> ModelQuote:
    return _around_reservation(
        model,
        values,
        shift=hummingbot_inventory_shift(
            inventory=values["inventory"],
            risk_aversion=values["gamma"],
            volatility=values["sigma"],
            time_left=values["horizon_s"],
        ),
        half=hummingbot_half_spread(
            risk_aversion=values["gamma"],
            volatility=values["sigma"],
            time_left=values["horizon_s"],
            arrival_decay=values["kappa"],
        ),
    )


def _glft(model: Model, values: Values) -> ModelQuote:
    depths = glft.closed_form_depths(
        inventory=values["inventory"],
        risk_aversion=values["gamma"],
        volatility=values["sigma"],
        arrival_decay=values["kappa"],
        arrival_rate=values["A"],
    )
    return _around_mid(model, values, depths)


def _glft_exact(model: Model, values: Values) -> ModelQuote:
    inventory, inventory_max = _inventory_within(values)
    depths = glft.exact_depths(
        inventory=inventory,
        risk_aversion=values["gamma"],
        volatility=values["sigma"],
        arrival_decay=values["kappa"],
        arrival_rate=values["A"],
        horizon_s=values["horizon_s"],
        inventory_max=inventory_max,
    )
    return _around_mid(model, values, depths)


def _cartea_jaimungal(model: Model, values: Values) -> ModelQuote:
    inventory, inventory_max = _inventory_within(values)
    solved = cartea_jaimungal.value_function(
        arrival_rate=values["A"],
        arrival_decay=values["kappa"],
        running_penalty=values["phi"],
        terminal_penalty=values["alpha"],
        horizon_s=values["horizon_s"],
        inventory_max=inventory_max,
    )
    return _around_mid(model, values, solved.depths(inventory), value=solved.at(inventory))


_FORMULAS: Mapping[Model, Callable[[Model, Values], ModelQuote]] = {
    Model.AS2008: _avellaneda_stoikov,
    Model.DCT: _avellaneda_stoikov,
    Model.HUMMINGBOT: _hummingbot,
    Model.GLFT: _glft,
    Model.GLFT_EXACT: _glft_exact,
    Model.CARTEA_JAIMUNGAL: _cartea_jaimungal,
}


def _inventory_within(values: Values) -> tuple[int, int]:
    """Return q and Q of a model whose inventory moves in whole steps between two limits."""
    inventory, limit = values["inventory"], int(values["q_max"])
    if not inventory.is_integer() or abs(inventory) > limit:
        raise InputRefused(
            f"inventory = {shown(inventory)}: {MODEL_INPUTS['inventory'].meaning}; this model "
            f"takes a whole number from {-limit} to {limit}, its q_max"
        )
    return int(inventory), limit


def _require_right_units_inside(model: Model, values: Values, guard_share: float) -> None:
    """Hold a set at its inventory limit to the half-spread it has one unit inside.

    At the limit one side is missing and with it the half-spread; the units of the parameters are
    the same wherever the inventory stands.
    """
    inventory = values["inventory"] - math.copysign(1.0, values["inventory"])
    inside = {**values, "inventory": inventory}
    require_half_spread(_FORMULAS[model](model, inside), inside, guard_share)
