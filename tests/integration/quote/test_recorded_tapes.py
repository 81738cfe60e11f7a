"""Recordings of real markets, played through the worker on paper."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ports_memory import MemoryStore
from trading_values import policy_record

from dmm.adapters.feeds.tape import open_tape, span
from dmm.adapters.venues.paper import PaperVenue
from dmm.governance.policy import Policy
from dmm.ledger.position import Position
from dmm.market.tape import DepthUpdate
from dmm.ports import Feed
from dmm.quoting.presets import paper_cex_policy, scale_of
from dmm.units.ids import ZERO_HASH, hash_link
from dmm.usecases.play import PlayEnd, equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not DATA.is_dir() and os.environ.get("CI") != "true",
        reason="no recordings in ../shared/data",
    ),
]

EPOCHS = 3
TAPES = (
    "binance_ws_l2/cm_btcusd_perp_20240808.gz",
    "binance_ws_l2/cm_ethusd_perp_20240808.gz",
    "binance_ws_l2/spot_btcusdt_20240808.gz",
    "binance_ws_l2/spot_ethusdt_20240808.gz",
    "binance_ws_l2/usdm_btcusdt_20240808.gz",
    "binance_spot_hour/ETHBTC_2020-11-01T09-00-00_update.json",
)


def default_policy(feed: Feed) -> Policy:
    for event in feed.events():
        if isinstance(event, DepthUpdate) and event.is_snapshot:
            return paper_cex_policy(
                feed.instrument,
                scale_of(event),
                reward_budget_atoms=0,
                buyback_budget_atoms_max=0,
            )
    raise AssertionError("the tape has no snapshot")


def play_tape(path: Path, store: MemoryStore) -> QuotingWorker:
    feed = open_tape([path])
    policy = default_policy(open_tape([path]))
    inputs = EpochInputs(
        policy=policy_record(
            **{
                name: getattr(policy, name)
                for name in Policy.__dataclass_fields__
                if name != "preset"
            }
        )
    )
    worker = QuotingWorker(
        run_id="run", instrument=feed.instrument, venue=PaperVenue(feed.instrument), store=store
    )
    started_at_ns, ended_at_ns = span([path])
    end = play(
        feed,
        worker,
        first=inputs,
        boundaries=equal_boundaries(
            started_at_ns=started_at_ns, ended_at_ns=ended_at_ns, epochs=EPOCHS
        ),
        on_boundary=lambda _epoch, _summary: inputs,
    )
    assert end is PlayEnd.COMPLETED
    return worker


@pytest.mark.parametrize("tape", TAPES)
def test_the_default_policy_trades_on_every_tape_and_the_books_agree(tape: str) -> None:
    store = MemoryStore()
    worker = play_tape(DATA / tape, store)
    slices = [store.slice("run", epoch) for epoch in range(EPOCHS)]
    assert all(one is not None and one.fills > 0 for one in slices)
    position = Position(instrument=worker.position.instrument)
    for fill in store.fills("run"):
        position = position.apply(fill)
    assert position == worker.position
    balances = store.balances("paper:run")
    assert sum(balances.values()) == 0
    held = balances[f"paper:run/{position.instrument.position.symbol}/position"]
    assert held == position.inventory * position.instrument.position_atoms_per_lot


def test_a_recorded_tape_decides_the_same_when_played_again() -> None:
    path = DATA / "binance_ws_l2/cm_btcusd_perp_20240808.gz"
    first, second = MemoryStore(), MemoryStore()
    play_tape(path, first)
    play_tape(path, second)
    assert first.decisions("run") == second.decisions("run")
    assert first.fills("run") == second.fills("run")
    head = ZERO_HASH
    for record in first.decisions("run"):
        head = hash_link(head, record.body)
    assert head == second.decisions("run")[-1].link_hash


def test_no_quote_ever_crossed_or_passed_a_limit_on_a_recorded_tape() -> None:
    store = MemoryStore()
    path = DATA / "binance_ws_l2/usdm_btcusdt_20240808.gz"
    play_tape(path, store)
    policy = default_policy(open_tape([path]))
    for record in store.decisions("run"):
        decision = json.loads(record.body)
        assert abs(decision["inventory"]) <= policy.inventory_hard_lots
        for side, price, size in decision["quotes"]:
            assert 0 < size <= policy.quote_size_lots
            if side == "buy":
                assert price < decision["best_ask"]
            else:
                assert price > decision["best_bid"]
