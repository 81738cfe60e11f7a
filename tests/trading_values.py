"""Instruments, policies and market events that several tests of trading share."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from dmm.governance.policy import Policy
from dmm.market.instrument import Asset, ContractKind, Instrument, Side
from dmm.market.order import Fill, Order, TimeInForce
from dmm.market.tape import DepthUpdate, TradePrint
from dmm.market.view import MarketView
from dmm.ports import PolicyRecord
from dmm.quoting.scale import Estimates
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.ids import ZERO_HASH, content_id
from dmm.units.time import NS_PER_MS, Nanos

LINEAR = Instrument(
    symbol="BTCUSDT",
    venue="test",
    kind=ContractKind.LINEAR,
    position=Asset(symbol="BTC", decimals=8),
    cash=Asset(symbol="USDT", decimals=6),
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)
INVERSE = Instrument(
    symbol="BTCUSD_PERP",
    venue="test",
    kind=ContractKind.INVERSE,
    position=Asset(symbol="USD", decimals=2),
    cash=Asset(symbol="BTC", decimals=8),
    tick_size=Decimal("0.1"),
    lot_size=Decimal(1),
    contract_size=Decimal(100),
)
INSTRUMENTS = (LINEAR, INVERSE)

MEASURED = Estimates(version=1, kappa_nano=1, sigma_microticks=1)
"""Adopted estimates at the lower edges of any band, for markets too short to measure."""

START_NS = Nanos(1_700_000_000_000_000_000)


def at_ms(milliseconds: int) -> Nanos:
    return Nanos(START_NS + milliseconds * NS_PER_MS)


def policy(**changes: int) -> Policy:
    values = {
        "gamma_nano_per_bp": 200_000,
        "kappa_nano_per_bp_min": 1_000_000_000,
        "kappa_nano_per_bp_max": 50_000_000_000,
        "sigma_ubps_1s_min": 456_435,
        "sigma_ubps_1s_max": 10_954_451,
        "horizon_s": 120,
        "spread_floor_ubps": 200_000,
        "skew_beta_ubps": 200_000,
        "inventory_soft_lots": 50,
        "inventory_hard_lots": 100,
        "quote_size_lots": 10,
        "refresh_ms": 500,
        "hedge_threshold_lots": 20,
        "reward_budget_atoms": 1_000,
        "buyback_share_bps": 2_000,
        "buyback_budget_atoms_max": 1_000,
        "drawdown_atoms_max": 1_000_000_000,
    }
    return Policy(preset="test", **(values | changes))


def policy_record(**changes: int) -> PolicyRecord:
    body = policy(**changes)
    return PolicyRecord(
        sequence=0,
        policy=body,
        previous_head=ZERO_HASH,
        head=body.policy_hash,
        chain="evm",
        height=0,
        tx_id="genesis",
        adopted_at_ns=START_NS,
    )


def levels(*pairs: tuple[int, int]) -> tuple[tuple[Ticks, Lots], ...]:
    return tuple((Ticks(price), Lots(size)) for price, size in pairs)


def depth(
    milliseconds: int,
    bids: Iterable[tuple[int, int]] = (),
    asks: Iterable[tuple[int, int]] = (),
    *,
    is_snapshot: bool = False,
) -> DepthUpdate:
    return DepthUpdate(
        exchange_at_ns=at_ms(milliseconds),
        received_at_ns=at_ms(milliseconds),
        first_id=milliseconds,
        last_id=milliseconds,
        is_snapshot=is_snapshot,
        bids=levels(*bids),
        asks=levels(*asks),
    )


def trade(
    milliseconds: int, price: int, size: int, *, buyer: bool, exchange_ms: int | None = None
) -> TradePrint:
    return TradePrint(
        exchange_at_ns=at_ms(milliseconds if exchange_ms is None else exchange_ms),
        received_at_ns=at_ms(milliseconds),
        price=Ticks(price),
        size=Lots(size),
        buyer_is_aggressor=buyer,
        trade_id=milliseconds,
    )


def order(
    side: Side,
    price: int,
    size: int,
    *,
    client_id: str = "o1",
    time_in_force: TimeInForce = TimeInForce.POST_ONLY,
    milliseconds: int = 0,
) -> Order:
    return Order(
        client_id=client_id,
        side=side,
        price=Ticks(price),
        size=Lots(size),
        time_in_force=time_in_force,
        created_at_ns=at_ms(milliseconds),
    )


def fill(
    side: Side,
    price: int,
    size: int,
    *,
    instrument: Instrument = LINEAR,
    mid: int | None = None,
    fee: int = 0,
    ordinal: int = 0,
    is_hedge: bool = False,
    epoch: int = 0,
) -> Fill:
    return Fill(
        fill_id=content_id("test/fill", ordinal, int(is_hedge)),
        run_id="run",
        epoch=epoch,
        ordinal=ordinal,
        venue="paper",
        symbol=instrument.symbol,
        client_id=f"c{ordinal}",
        side=side,
        price=Ticks(price),
        size=Lots(size),
        mid=HalfTicks(2 * price if mid is None else mid),
        fee_atoms=Atoms(fee),
        filled_at_ns=START_NS,
        is_hedge=is_hedge,
    )


def market_of(bids: Iterable[tuple[int, int]], asks: Iterable[tuple[int, int]]) -> MarketView:
    market = MarketView()
    market.apply_depth(depth(0, bids, asks, is_snapshot=True))
    return market
