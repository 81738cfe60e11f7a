"""Risk of a run's position: what is held where, what a bad day costs, which limits are in use.

Everything is read from the run's journal; nothing is decided and nothing written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from dmm.governance.policy import Policy
from dmm.ledger.fills import marked_atoms
from dmm.ledger.position import Position
from dmm.market.instrument import ContractKind, Instrument
from dmm.quoting.decision import SliceSummary
from dmm.quoting.limits import bands_of
from dmm.risk.breaker import Posture
from dmm.risk.concentration import Concentration, concentration
from dmm.risk.depeg import AT_PAR, PPM_ONE, after_price, value_atoms
from dmm.risk.inventory import Band, Inventory, OpenLots, consolidate
from dmm.risk.stress import StressBook, StressResult, stress
from dmm.risk.var import (
    InsufficientData,
    Interval,
    TailRisk,
    cvar_interval,
    simulated_pnl,
    tail_risk,
    var_interval,
)
from dmm.units.amount import Atoms, HalfTicks, Lots
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch_inputs import fixed_policy
from dmm.usecases.last_decision import LastDecision, last_decision
from dmm.usecases.quoted import QuotedStore
from dmm.usecases.risk_positions import Gas, positions_of

EPOCHS_MAX = 1_440
"""Latest epochs whose mids are scenarios: a day of minutes."""

NO_ATOMS = Atoms(0)

BLOCK_SCENARIOS = 10
"""Neighbouring scenarios that the bootstrap keeps together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskQuestion:
    """What is assessed, and what no journal tells.

    `level_bps` is the level of VaR and CVaR; `horizon_s` the length of a scenario and `hold_s` how
    long a hedge takes, seconds, > 0; `gas_per_fill_atoms` is the network fee a venue took with each
    fill, `gas_per_settlement_atoms` that of a transaction that settled firm quotes and
    `unwind_gas_atoms` what closing the position would cost, all in cash atoms, >= 0;
    `cash_price_ppm` is the cash asset's price in its reference currency, millionths, > 0.
    """

    level_bps: int = 9_900
    horizon_s: int = 1
    hold_s: int = 60
    gas_per_fill_atoms: Atoms = NO_ATOMS
    gas_per_settlement_atoms: Atoms = NO_ATOMS
    unwind_gas_atoms: Atoms = NO_ATOMS
    cash_price_ppm: int = PPM_ONE

    def __post_init__(self) -> None:
        bounds = (
            ("level_bps", self.level_bps, 1, 9_999),
            ("horizon_s", self.horizon_s, 1, 86_400),
            ("hold_s", self.hold_s, 1, 86_400),
            ("gas_per_fill_atoms", self.gas_per_fill_atoms, 0, 10**30),
            ("gas_per_settlement_atoms", self.gas_per_settlement_atoms, 0, 10**30),
            ("unwind_gas_atoms", self.unwind_gas_atoms, 0, 10**30),
            ("cash_price_ppm", self.cash_price_ppm, 1, 100 * PPM_ONE),
        )
        for name, value, least, most in bounds:
            if not least <= value <= most:
                raise UsageFault(f"{name} must be {least} to {most}, got {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """A limit and how much of it is used, in one unit."""

    name: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """What was found; money in atoms of the cash asset.

    `positions` by venue and their sum `inventory`; `promised`, the lots that accepted firm quotes
    may still move; `tail` with intervals where there are scenarios enough, or how many are missing;
    `scenarios` worst first, none while the book has one side;
    `cash_worth_atoms` is the cash at the price given, `is_off_peg` what the depeg breaker says.
    """

    run_id: str
    symbol: str
    epoch: int
    mid: HalfTicks
    posture: Posture | None
    positions: Mapping[str, Position]
    inventory: Inventory
    promised: OpenLots
    band: Band
    tail: TailRisk | InsufficientData
    var: Interval | None
    cvar: Interval | None
    concentration: Concentration | None
    scenarios: tuple[StressResult, ...]
    limits: tuple[LimitUse, ...]
    cash_worth_atoms: Atoms
    is_off_peg: bool


def assess_risk(
    *, store: QuotedStore, run_id: str, question: RiskQuestion, rng: np.random.Generator
) -> RiskReport:
    """Assess a run at the end of its last closed epoch, with hedges and settlements since.

    VaR and CVaR are those of historical simulation: the mids of the run's own epochs, cut into
    scenarios of the horizon that do not overlap, on the position held now.

    Parameters
    ----------
    run_id : whole
    question : levels, horizons and prices
    rng : of the bootstrap behind CVaR's interval

    Raises
    ------
    UsageFault
        If there is no such run, no epoch of it has closed, or parts of it were pruned.
    """
    run = store.run(run_id)
    instrument = Instrument.from_json(cast("dict[str, Json]", run.spec["instrument"]))
    summary = store.last_slice(run_id)
    if summary is None or summary.mid <= 0:
        raise UsageFault(f"run {run_id} has no closed epoch with a price: nothing to assess yet")
    last = last_decision(store, run_id, summary.epoch)
    of_run = positions_of(
        store,
        run_id,
        instrument,
        last_epoch=summary.epoch,
        gas=Gas(
            fill_atoms=question.gas_per_fill_atoms,
            settlement_atoms=question.gas_per_settlement_atoms,
        ),
    )
    positions = {venue: held.position for venue, held in of_run.by_venue.items()}
    inventory = consolidate(of_run.holdings(instrument, summary.mid))
    net = Lots(sum(held.inventory for held in positions.values()))
    cash = Atoms(sum(held.cash_atoms for held in positions.values()))
    pnl = _scenario_pnl(_returns(store, summary, question.horizon_s), instrument, net, summary.mid)
    tail, var, cvar = _tail(pnl, question.level_bps, rng)
    policy = _policy(store, summary)
    peg = after_price(
        AT_PAR,
        price_ppm=question.cash_price_ppm,
        priced_at_ns=summary.ended_at_ns,
        now_ns=summary.ended_at_ns,
    )
    return RiskReport(
        run_id=run_id,
        symbol=instrument.symbol,
        epoch=summary.epoch,
        mid=summary.mid,
        posture=None if last is None else last.posture,
        positions=positions,
        inventory=inventory,
        promised=of_run.promised,
        band=bands_of(policy, instrument).band(inventory.base_atoms),
        tail=tail,
        var=var,
        cvar=cvar,
        concentration=concentration(
            {one.instrument.venue: one.quote_atoms for one in inventory.holdings}
        ),
        scenarios=_scenarios(summary, instrument, net, last=last, cash=cash, question=question),
        limits=_limits(policy, net, last, of_run.promised),
        cash_worth_atoms=value_atoms(cash, price_ppm=question.cash_price_ppm, rounded_up=False),
        is_off_peg=peg.is_broken,
    )


def _policy(store: QuotedStore, summary: SliceSummary) -> Policy:
    fixed = store.epoch_inputs(summary.run_id, summary.epoch)
    if fixed is None:
        raise UsageFault(f"epoch {summary.epoch} of run {summary.run_id} has no inputs: not ours")
    return fixed_policy(fixed).policy


def _returns(store: QuotedStore, last: SliceSummary, horizon_s: int) -> NDArray[np.float64]:
    """Return simple returns over the horizon, within each of the latest epochs, oldest first."""
    parts = []
    for epoch in range(max(0, last.epoch - EPOCHS_MAX + 1), last.epoch + 1):
        summary = store.slice(last.run_id, epoch)
        if summary is None:
            continue
        mids = summary.market.mid_half_ticks[::horizon_s].astype(np.float64)
        if len(mids) > 1:
            parts.append(mids[1:] / mids[:-1] - 1.0)
    return np.concatenate(parts) if parts else np.empty(0)


def _scenario_pnl(
    returns: NDArray[np.float64], instrument: Instrument, net: Lots, mid: HalfTicks
) -> list[int]:
    """Return the P&L of the position in each scenario, rounded down.

    An inverse contract's worth in coins is not linear in its price: it is valued anew.
    """
    if not net or not len(returns):
        return [0] * len(returns)
    now = marked_atoms(instrument, inventory=net, mid=mid)
    if instrument.kind is not ContractKind.INVERSE:
        return [int(one) for one in simulated_pnl([now], returns[:, np.newaxis])]
    moved = np.maximum(1, np.floor(mid * (1.0 + returns))).astype(np.int64)
    return [marked_atoms(instrument, inventory=net, mid=HalfTicks(int(one))) - now for one in moved]


def _tail(
    pnl: Sequence[int], level_bps: int, rng: np.random.Generator
) -> tuple[TailRisk | InsufficientData, Interval | None, Interval | None]:
    tail = tail_risk(pnl, level_bps=level_bps)
    if isinstance(tail, InsufficientData):
        return tail, None, None
    blocks = min(BLOCK_SCENARIOS, len(pnl))
    cvar = cvar_interval(pnl, level_bps=level_bps, rng=rng, block_scenarios=blocks)
    interval = None if isinstance(cvar, InsufficientData) else cvar
    return tail, var_interval(pnl, level_bps=level_bps), interval


def _scenarios(
    summary: SliceSummary,
    instrument: Instrument,
    net: Lots,
    *,
    last: LastDecision | None,
    cash: Atoms,
    question: RiskQuestion,
) -> tuple[StressResult, ...]:
    if not summary.bids or not summary.asks:
        return ()
    book = StressBook(
        instrument=instrument,
        inventory=net,
        bids=summary.bids,
        asks=summary.asks,
        sigma_microticks_1s=0 if last is None else max(0, last.inputs.online_sigma_microticks),
        hold_ns=question.hold_s * NS_PER_S,
        gas_atoms=question.unwind_gas_atoms,
        # What is owed does not lose by its coin's fall.
        stable_atoms=max(0, cash),
    )
    return stress(book)


def _limits(
    policy: Policy, net: Lots, last: LastDecision | None, promised: OpenLots
) -> tuple[LimitUse, ...]:
    soft, hard = (
        (policy.soft_long_lots, policy.hard_long_lots)
        if net >= 0
        else (policy.soft_short_lots, policy.hard_short_lots)
    )
    held = (
        LimitUse(name="inventory_soft_lots", used=abs(net), limit=soft),
        LimitUse(name="inventory_hard_lots", used=abs(net), limit=hard),
    )
    if last is None:
        return held
    long = net + last.open_buy + promised.buy
    short = last.open_sell + promised.sell - net
    return (
        *held,
        LimitUse(name="long_if_filled_lots", used=max(0, long), limit=policy.hard_long_lots),
        LimitUse(name="short_if_filled_lots", used=max(0, short), limit=policy.hard_short_lots),
        LimitUse(
            name="drawdown_atoms",
            used=last.inputs.drawdown_atoms,
            limit=policy.drawdown_atoms_max,
        ),
    )
