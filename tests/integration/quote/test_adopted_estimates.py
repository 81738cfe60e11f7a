"""Estimates that were adopted steer the worker, each by itself, and on from run to run."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from desk_memory import Chain, Clock
from trading_values import policy_record

from dmm.adapters.postgres.store import PostgresStore
from dmm.adapters.venues.paper import PaperVenue
from dmm.ports import Run, Store
from dmm.quoting.decision import SliceSummary
from dmm.sandbox.market import STARTED_AT_NS, SimulatedMarket
from dmm.settlement.epoch import RowTable
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import version_of
from dmm.usecases.play import equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.recalibrate import fit_arrival, recalibrate_volatility
from dmm.usecases.replay_journal import replay_journal
from dmm.usecases.situation import EpochInputs

EPOCHS = 3
LENGTH_S = 36
JOBS = {"volatility": recalibrate_volatility, "arrival": fit_arrival}


@pytest.fixture
def desk(store: PostgresStore) -> Store:
    store.append_policy(policy_record(quote_size_lots=40, inventory_soft_lots=200))
    return store


def run_desk(
    store: Store, run_id: str, started_at_ns: int, *, fits: dict[int, tuple[str, ...]]
) -> None:
    """Play a market as a run whose jobs take their turn after the epochs named."""
    market = SimulatedMarket(np.random.default_rng(7), duration_s=EPOCHS * LENGTH_S)
    spec: dict[str, Json] = {"instrument": market.instrument.to_json()}
    store.open_run(
        Run(
            run_id=run_id,
            kind="up",
            symbol=market.instrument.symbol,
            epochs=EPOCHS,
            spec=spec,
            started_at_ns=Nanos(started_at_ns),
        )
    )

    def on_boundary(epoch: int, _summary: SliceSummary) -> EpochInputs:
        for kind in fits.get(epoch, ()):
            JOBS[kind](store=store, chain=Chain(), clock=Clock(), run_id=run_id, epoch=epoch)
        return epoch_inputs(store, run_id, epoch + 1)

    ended_at_ns = STARTED_AT_NS + EPOCHS * LENGTH_S * NS_PER_S
    play(
        market,
        QuotingWorker(
            run_id=run_id,
            instrument=market.instrument,
            venue=PaperVenue(market.instrument),
            store=store,
        ),
        first=epoch_inputs(store, run_id, 0),
        boundaries=equal_boundaries(
            started_at_ns=STARTED_AT_NS, ended_at_ns=ended_at_ns, epochs=EPOCHS
        ),
        on_boundary=on_boundary,
    )


def decided(store: Store, run_id: str, epoch: int) -> list[dict[str, Any]]:
    return [json.loads(record.body) for record in store.decisions(run_id, epoch)]


def versions(store: Store, run_id: str, epoch: int) -> set[int]:
    return {body["estimate_version"] for body in decided(store, run_id, epoch)}


def rows(store: Store, run_id: str, kind: str) -> list[dict[str, Json]]:
    found = store.epoch_rows(run_id, RowTable.ESTIMATE)
    return [row.body for row in found if row.body["kind"] == kind]


def test_each_estimate_steers_from_its_own_adoption_on(desk: Store) -> None:
    run_desk(desk, "one", 100, fits={0: ("volatility",), 1: ("volatility", "arrival")})
    assert [row["verdict"] for row in rows(desk, "one", "arrival")] == ["adopted"]
    assert versions(desk, "one", 0) == {0}
    assert versions(desk, "one", 1) == {version_of(sigma=1, kappa=0)}
    assert versions(desk, "one", 2) == {version_of(sigma=2, kappa=1)}
    sigma = rows(desk, "one", "volatility")[0]["values"]
    kappa = rows(desk, "one", "arrival")[0]["values"]
    assert isinstance(sigma, dict)
    assert isinstance(kappa, dict)
    middle, late = decided(desk, "one", 1), decided(desk, "one", 2)
    assert {body["estimated_sigma_microticks"] for body in middle} == {sigma["sigma_microticks"]}
    # κ is still measured online, trade by trade.
    assert len({body["estimated_kappa_nano"] for body in middle}) > 1
    assert {body["a_bid_micro"] for body in middle} == {0}
    assert {body["estimated_kappa_nano"] for body in late} == {kappa["kappa_nano"]}
    assert {body["a_bid_micro"] for body in late} == {kappa["a_bid_micro"]}
    assert replay_journal(store=desk, run_id="one").is_sound


def test_a_restart_begins_with_what_was_adopted_before_it(desk: Store) -> None:
    run_desk(desk, "one", 100, fits={1: ("volatility", "arrival")})
    run_desk(desk, "two", 200, fits={1: ("volatility",)})
    assert versions(desk, "two", 0) == {version_of(sigma=1, kappa=1)}
    assert versions(desk, "two", 2) == {version_of(sigma=2, kappa=1)}
    first, second = rows(desk, "one", "volatility")[0], rows(desk, "two", "volatility")[0]
    assert second["previous_hash"] == first["link_hash"]
    fixed = desk.epoch_inputs("two", 0)
    assert fixed is not None
    assert fixed["inherited"] == {
        kind: rows(desk, "one", kind)[0] for kind in ("volatility", "arrival")
    }
    assert replay_journal(store=desk, run_id="two").is_sound


def test_a_run_played_again_begins_as_it_began_whatever_was_adopted_since(desk: Store) -> None:
    fits = {0: ("volatility",), 1: ("arrival",)}
    run_desk(desk, "one", 100, fits=fits)
    run_desk(desk, "two", 300, fits={})
    before = desk.decisions("two")
    # It began before the run it is played after now, which would pass on another version.
    run_desk(desk, "between", 200, fits=fits)
    assert versions(desk, "between", 2) != versions(desk, "two", 0)
    run_desk(desk, "two", 300, fits={})
    assert desk.decisions("two") == before
