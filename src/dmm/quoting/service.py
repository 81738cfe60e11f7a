"""The SDK's market maker: telemetry in, one quote out, by the formulas of `dmm quote`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dmm.quoting.models.evaluate import GUARD_SHARE, Model, ModelQuote, evaluate
from dmm.quoting.models.inputs import InputRange, InputRefused, number_in_range, shown
from dmm.quoting.service_inputs import DCTMarketMakerInputs, coerce_market_inputs
from dmm.units.amount import BPS_ONE
from dmm.units.errors import InvariantBroken

YEAR_S = 365 * 86_400
"""Seconds in the year of an annualised volatility: these markets never close."""

LOTS_PER_LIMIT = 10
"""The SDK has no quote size: one lot, the model's unit of inventory, is a tenth of the limit."""

TRUST_HALF_BPS = 100.0
"""Distance from the mid, basis points, at which a reference price is trusted half."""

CONVENTIONS = (Model.AS2008, Model.DCT)

_PER_BP = InputRange(
    meaning="per basis point of mid", takes="a finite number > 0, up to 1e6", low=1e-12, high=1e6
)
_HORIZON = InputRange(
    meaning="horizon, seconds", takes="a finite number > 0, up to 1e9", low=1e-9, high=1e9
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DCTMarketMakerQuote:
    """A quote, unrounded, in quote per base, and what it was made from.

    `convention` is as2008 or dct. `bid_depth` and `ask_depth` are distances from `fair_value`.
    `confidence` says how far the reference price confirms the mid: 1 when they are equal, 0 when
    there is none. `inventory_lots` is (inventory − target) in lots. `may_buy` and `may_sell` tell
    which sides the inventory limit leaves open; the model's price of a closed one is for
    information. `model_inputs` are the inputs for which `dmm quote` prints this very quote.
    """

    convention: Model
    reservation_price: float
    half_spread: float
    bid: float
    ask: float
    bid_depth: float
    ask_depth: float
    fair_value: float
    confidence: float
    inventory_lots: float
    may_buy: bool
    may_sell: bool
    model_inputs: Mapping[str, float]
    inputs: DCTMarketMakerInputs

    def to_json(self) -> dict[str, str | float | None]:
        """Return what `dmm quote --json` prints for `model_inputs`."""
        return ModelQuote(
            model=self.convention,
            reservation_price=self.reservation_price,
            half_spread=self.half_spread,
            bid=self.bid,
            ask=self.ask,
            bid_depth=self.bid_depth,
            ask_depth=self.ask_depth,
        ).to_json()


@dataclass(frozen=True, slots=True, kw_only=True)
class FairPrice:
    """A price, quote per base, and how far the reference confirms it, from 0 to 1."""

    price: float
    confidence: float


def fair_price(inputs: DCTMarketMakerInputs) -> FairPrice:
    """Return the mid blended with the TON reference price.

    fair = mid + w·(reference − mid), w = c·D_on/(D_off + c·D_on): the mean of both prices weighted
    by trust times depth, as `dmm.market.fair_value.blend` weighs. The mid stands on the off-chain
    depth with trust 1, the reference on the on-chain depth with trust
    c = 1/(1 + (d/100 bps)²), d = |ln(reference/mid)|. A reference near the mid moves the fair value
    by its share of the depth; one far away is likelier stale or thin than right, and its weight
    falls with the square of the distance. So the fair value moves most by a reference about
    100 bps·√(1 + D_on/D_off) away, and by one farther off the less the farther it is. c is the
    confidence.

    Raises
    ------
    InputRefused
        If it lies further from the mid than `GUARD_SHARE` of it: depths in two units.

    References
    ----------
    The trust is Cauchy's weight of a residual: Holland & Welsch (1977), Robust regression using
    iteratively reweighted least-squares, Communications in Statistics A6(9).
    """
    mid, reference = inputs.mid_price, inputs.ton_reference_price
    if reference is None:
        return FairPrice(price=mid, confidence=0.0)
    apart_bps = math.log(reference / mid) * BPS_ONE
    trust = 1 / (1 + (apart_bps / TRUST_HALF_BPS) ** 2)
    offchain, onchain = inputs.offchain_depth, inputs.onchain_depth
    if offchain is None or onchain is None:
        offchain = onchain = 1.0
    total = offchain + trust * onchain
    weight = trust * onchain / total if total > 0 else 0.0
    moved = weight * (reference - mid)
    if not abs(moved) <= GUARD_SHARE * mid:
        raise InputRefused(
            f"ton_reference_price = {reference!r} moves the fair value by {moved / mid:+.1%} of "
            f"mid_price = {mid!r}, more than {GUARD_SHARE:.0%}, with onchain_depth = {onchain!r} "
            f"and offchain_depth = {offchain!r}: both depths are base tokens"
        )
    return FairPrice(price=mid + moved, confidence=trust)


class DCTMarketMakerService:
    """Quotes a market from its telemetry; holds parameters, no state.

    Parameters
    ----------
    convention : ``"as2008"``, the paper's rule, or ``"dct"``, which answers inventory half as much
    gamma_per_bp : γ per basis point of mid, > 0
    kappa_per_bp : κ per basis point of mid, > 0
    horizon_s : T, constant, seconds, > 0

    Raises
    ------
    InputRefused
        If a parameter is none of these.
    """

    def __init__(
        self,
        *,
        convention: str = Model.AS2008.value,
        gamma_per_bp: float = 0.1,
        kappa_per_bp: float = 1.0,
        horizon_s: float = 120.0,
    ) -> None:
        known = {model.value: model for model in CONVENTIONS}
        if convention not in known:
            raise InputRefused(f"convention = {shown(convention)}: takes {' or '.join(known)}")
        self._convention = known[convention]
        self._gamma_per_bp = number_in_range("gamma_per_bp", gamma_per_bp, _PER_BP)
        self._kappa_per_bp = number_in_range("kappa_per_bp", kappa_per_bp, _PER_BP)
        self._horizon_s = number_in_range("horizon_s", horizon_s, _HORIZON)

    def quote(self, inputs: DCTMarketMakerInputs | Mapping[str, object]) -> DCTMarketMakerQuote:
        """Return the quote for a market.

        Parameters
        ----------
        inputs : checked ones, or a mapping that `coerce_market_inputs` reads first

        Raises
        ------
        InputRefused
            If an input is bad, or the quote would be one that only wrong units lead to.
        """
        if not isinstance(inputs, DCTMarketMakerInputs):
            inputs = coerce_market_inputs(inputs)
        fair = fair_price(inputs)
        model_inputs = self._model_inputs(inputs, fair.price)
        _require_right_units(inputs, model_inputs)
        result = evaluate(self._convention, model_inputs)
        return _quote(inputs, fair, model_inputs, result)

    def note_summary(self, quote: DCTMarketMakerQuote) -> str:
        """Return a quote as one paragraph for people: prices, why they stand there, what is open.

        Parameters
        ----------
        quote : from `quote`
        """
        fair, inputs = quote.fair_value, quote.inputs
        spread_bps = 2 * quote.half_spread / fair * BPS_ONE
        shift_bps = (quote.reservation_price - fair) / fair * BPS_ONE
        prices = f"bid {quote.bid:.8g} / ask {quote.ask:.8g}"
        spread = f"spread {spread_bps:.2f} bps around reservation {quote.reservation_price:.8g}"
        source = f"fair value {fair:.8g} from mid {inputs.mid_price:.8g}{_reference_note(quote)}"
        lots = f"inventory {quote.inventory_lots:+.3g} lots from target"
        moved = f"{lots} moves both quotes by {shift_bps:+.2f} bps{_volume_note(inputs)}"
        sides = _SIDES[quote.may_buy, quote.may_sell]
        convention = f"convention {quote.convention.value}"
        return "; ".join((prices, spread, source, moved, sides, convention))

    def _model_inputs(self, inputs: DCTMarketMakerInputs, price: float) -> dict[str, float]:
        """Return what `dmm quote` takes: lots, and rates per unit of quote instead of per bp."""
        one_bp = price / BPS_ONE
        lot = inputs.inventory_limit / LOTS_PER_LIMIT
        return {
            "mid_price": price,
            "inventory": (inputs.inventory - inputs.target_inventory) / lot,
            "gamma": self._gamma_per_bp / one_bp,
            "sigma": inputs.volatility * price / math.sqrt(YEAR_S),
            "horizon_s": self._horizon_s,
            "kappa": self._kappa_per_bp / one_bp,
        }


_SIDES = {
    (True, True): "both sides open",
    (True, False): "bid only: inventory is at its limit below target",
    (False, True): "ask only: inventory is at its limit above target",
}


def _require_right_units(inputs: DCTMarketMakerInputs, model_inputs: Mapping[str, float]) -> None:
    """Refuse parameters whose shift at the inventory limit no set in the right units has."""
    price = model_inputs["mid_price"]
    variance = model_inputs["sigma"] ** 2 * model_inputs["horizon_s"]
    shift = LOTS_PER_LIMIT * model_inputs["gamma"] * variance
    if shift > GUARD_SHARE * price:
        raise InputRefused(
            f"volatility = {inputs.volatility!r}: at the inventory limit it moves the quotes by "
            f"{shift / price:.1%} of the price, more than {GUARD_SHARE:.0%}; it is an annualised "
            "fraction (0.22 is 22 %); where it is right, take a lower gamma_per_bp or horizon_s"
        )


def _quote(
    inputs: DCTMarketMakerInputs,
    fair: FairPrice,
    model_inputs: Mapping[str, float],
    result: ModelQuote,
) -> DCTMarketMakerQuote:
    lots = model_inputs["inventory"]
    return DCTMarketMakerQuote(
        convention=result.model,
        reservation_price=_known(result.reservation_price),
        half_spread=_known(result.half_spread),
        bid=_known(result.bid),
        ask=_known(result.ask),
        bid_depth=_known(result.bid_depth),
        ask_depth=_known(result.ask_depth),
        fair_value=fair.price,
        confidence=fair.confidence,
        inventory_lots=lots,
        may_buy=lots < LOTS_PER_LIMIT,
        may_sell=lots > -LOTS_PER_LIMIT,
        model_inputs=MappingProxyType(dict(model_inputs)),
        inputs=inputs,
    )


def _known(value: float | None) -> float:
    if value is None:
        raise InvariantBroken("a model without inventory limit left a side of its quote out")
    return value


def _reference_note(quote: DCTMarketMakerQuote) -> str:
    reference = quote.inputs.ton_reference_price
    if reference is None:
        return ", no reference price"
    away_bps = math.log(reference / quote.inputs.mid_price) * BPS_ONE
    return f" and TON reference {away_bps:+.0f} bps from it, confidence {quote.confidence:.2f}"


def _volume_note(inputs: DCTMarketMakerInputs) -> str:
    gap = abs(inputs.inventory - inputs.target_inventory)
    if not gap or not inputs.recent_volume:
        return ""
    return f", the gap being {gap / inputs.recent_volume:.0%} of recent volume"
