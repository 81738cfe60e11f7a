"""Observations of a market written down state by state, for tests of estimators."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from dmm.calibration.observation import Observation
from dmm.market.instrument import Asset, ContractKind, Instrument
from dmm.market.tape import Level
from dmm.units.amount import Lots, Ticks
from dmm.units.time import NS_PER_MS

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
    position=Asset(symbol="USD", decimals=6),
    cash=Asset(symbol="BTC", decimals=8),
    tick_size=Decimal("0.1"),
    lot_size=Decimal(1),
    contract_size=Decimal(100),
)
State = tuple[int, int, int, int, int]
"""Time in ms, bid, bid size, ask, ask size."""

Print = tuple[int, int, int, bool]
"""Time in ms, price, size, aggressor is buyer."""


def observed(
    states: Sequence[State],
    trades: Sequence[Print] = (),
    books: Sequence[tuple[Sequence[tuple[int, int]], Sequence[tuple[int, int]]]] = (),
) -> Observation:
    table = np.array(states, dtype=np.int64).reshape(-1, 5)
    prints = np.array(trades, dtype=np.int64).reshape(-1, 4)
    return Observation(
        at_ns=table[:, 0] * NS_PER_MS,
        bid=table[:, 1],
        bid_size=table[:, 2],
        ask=table[:, 3],
        ask_size=table[:, 4],
        trade_at_ns=prints[:, 0] * NS_PER_MS,
        trade_price=prints[:, 1],
        trade_size=prints[:, 2],
        trade_is_buy=prints[:, 3].astype(np.bool_),
        books=tuple((_levels(bids), _levels(asks)) for bids, asks in books),
    )


def _levels(levels: Sequence[tuple[int, int]]) -> tuple[Level, ...]:
    return tuple((Ticks(price), Lots(size)) for price, size in levels)
