"""hftbacktest on a tape of ours: one JSON request a line in, one answer a line out.

Runs in its own environment. The request is
``{"half": ticks, "skew": ticks a lot, "latency_ns": each way}``; the answer has the seconds of the
pass alone (the tape lies in memory), on the wall and of the processor, and every fill.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from hftbacktest import (
    BUY,
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    DEPTH_SNAPSHOT_EVENT,
    FILLED,
    GTX,
    LIMIT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
)
from hftbacktest.data import correct_event_order
from hftbacktest.types import event_dtype
from numba import njit, uint64

FILLS_MAX = 100_000
CLEAR, DEPTH, SNAPSHOT, TRADE = 0, 1, 2, 3
KINDS = (DEPTH_CLEAR_EVENT, DEPTH_EVENT, DEPTH_SNAPSHOT_EVENT, TRADE_EVENT)


def events_of(rows: np.ndarray, tick: float, lot: float) -> np.ndarray:
    """Return the peer's events from rows of (kind, side, at, heard, price, size)."""
    events = np.zeros(len(rows), dtype=event_dtype)
    sides = np.where(rows[:, 1] > 0, BUY_EVENT, SELL_EVENT)
    events["ev"] = np.array(KINDS, dtype=np.uint64)[rows[:, 0]] | sides.astype(np.uint64)
    events["exch_ts"], events["local_ts"] = rows[:, 2], rows[:, 3]
    events["px"], events["qty"] = rows[:, 4] * tick, rows[:, 5] * lot
    by_exchange = np.argsort(events["exch_ts"], kind="mergesort")
    by_local = np.argsort(events["local_ts"], kind="mergesort")
    return correct_event_order(events, by_exchange, by_local)


@njit
def quote(  # noqa: C901 — compiled in one piece
    hbt, interval_ns, half, skew, lot, most, fills
):
    """Quote as the engine's `symmetric` does; note every fill when it is heard of."""
    tick, count = hbt.depth(0).tick_size, 0
    while hbt.elapse(interval_ns) == 0:
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.status == FILLED and count < len(fills):
                fills[count, 0] = order.exch_timestamp
                fills[count, 1] = 1 if order.side == BUY else -1
                fills[count, 2] = order.price_tick
                fills[count, 3] = round(order.exec_qty / lot)
                count += 1
        hbt.clear_inactive_orders(0)
        depth, held = hbt.depth(0), round(hbt.position(0) / lot)
        bid, ask = depth.best_bid_tick, depth.best_ask_tick
        if not (depth.best_bid > 0.0 and depth.best_ask > depth.best_bid and depth.best_ask < 1e12):
            continue  # no market yet, or a crossed one
        centre = 0.5 * (bid + ask) - skew * held
        buy_at = min(np.int64(np.floor(centre - half)), ask - 1)
        sell_at = max(np.int64(np.ceil(centre + half)), bid + 1)
        has_buy = has_sell = False
        values = hbt.orders(0).values()
        while values.has_next():
            order = values.get()
            if order.cancellable:
                if order.side == BUY:
                    if order.price_tick == buy_at and held < most:
                        has_buy = True
                    else:
                        hbt.cancel(0, order.order_id, False)  # noqa: FBT003 — the peer's own order of arguments
                elif order.price_tick == sell_at and held > -most:
                    has_sell = True
                else:
                    hbt.cancel(0, order.order_id, False)  # noqa: FBT003 — the peer's own order of arguments
        if not has_buy and held < most:
            hbt.submit_buy_order(0, uint64(buy_at), buy_at * tick, lot, GTX, LIMIT, False)  # noqa: FBT003 — the peer's own order of arguments
        if not has_sell and held > -most:
            hbt.submit_sell_order(0, uint64(sell_at), sell_at * tick, lot, GTX, LIMIT, False)  # noqa: FBT003 — the peer's own order of arguments
    return count


def run(events: np.ndarray, setup: dict, request: dict) -> dict:
    """Run one parameter set; only the pass is timed."""
    asset = (
        BacktestAsset()
        .data([events])
        .linear_asset(1.0)
        .constant_order_latency(request["latency_ns"], request["latency_ns"])
        .risk_adverse_queue_model()
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(setup["tick"])
        .lot_size(setup["lot"])
        .roi_lb(setup["low"])
        .roi_ub(setup["high"])
        .last_trades_capacity(0)
    )
    hbt = ROIVectorMarketDepthBacktest([asset])
    fills = np.zeros((FILLS_MAX, 4), dtype=np.int64)
    started, cpu = time.perf_counter(), time.process_time()
    count = quote(
        hbt, setup["interval_ns"], request["half"], request["skew"], setup["lot"], setup["most"],
        fills,
    )  # fmt: skip
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    values, depth = hbt.state_values(0), hbt.depth(0)
    answer = {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "fills": fills[:count].tolist(),
        "trades": int(values.num_trades),
        "position": round(values.position / setup["lot"]),
        "pnl": values.balance + values.position * (depth.best_bid + depth.best_ask) / 2,
    }
    hbt.close()
    return answer


def main() -> None:
    """Answer requests until the input ends; the first line is the set-up."""
    setup = json.loads(sys.stdin.readline())
    events = events_of(np.load(setup["rows"]), setup["tick"], setup["lot"])
    run(events, setup, {"half": 20.0, "skew": 0.0, "latency_ns": 0})
    sys.stdout.write(json.dumps({"ready": True, "events": len(events)}) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(run(events, setup, json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
