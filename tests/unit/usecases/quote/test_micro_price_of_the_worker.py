"""A worker whose policy quotes on the micro-price fits its own table, and says when it has none."""

from __future__ import annotations

import json
from typing import Any

from ports_memory import MemoryStore
from simulation_reference.beside_worker import simulated
from trading_values import policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.market.fair_value import MICROTICKS_PER_HALF
from dmm.quoting.micro_watch import FIT_EVERY
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.situation import EpochInputs


def decisions_of(fair_value: str) -> list[dict[str, Any]]:
    events, instrument = simulated(7, 1_500)
    store = MemoryStore()
    worker = QuotingWorker(
        run_id="run", instrument=instrument, venue=PaperVenue(instrument), store=store
    )
    record = policy_record(fair_value=fair_value)  # type: ignore[arg-type]
    inputs = EpochInputs(policy=record)
    worker.begin_epoch(0, started_at_ns=events[0].received_at_ns, inputs=inputs)
    for event in events:
        worker.on_event(event)
    worker.shutdown()
    return [json.loads(kept.body) for kept in store.decisions("run")]


def test_nothing_confirms_the_micro_price_until_its_table_is_fitted_and_moves_quotes() -> None:
    decisions = decisions_of("stoikov")
    before, after = decisions[: FIT_EVERY - 1], decisions[FIT_EVERY:]
    assert {one["confidence_bps"] for one in before} == {0}
    fitted = [one for one in after if one["confidence_bps"] == 10_000]
    assert len(fitted) > len(after) * 0.8
    for one in fitted:
        away = one["fair_microticks"] - one["mid"] * MICROTICKS_PER_HALF
        assert away == one["micro_adjust_microticks"] != 0
    assert {one["micro_adjust_microticks"] > 0 for one in fitted} == {True, False}


def test_a_policy_that_quotes_on_the_mid_fits_no_table() -> None:
    assert {one["micro_adjust_microticks"] for one in decisions_of("mid")} == {0}
