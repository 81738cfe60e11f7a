"""Recalibration: one row an epoch whatever was measured, linked to the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from desk_memory import RUN, START_NS, Desk, a_slice

from dmm.quoting.decision import MarketSlice
from dmm.settlement.epoch import EpochRow, JobOutcome, JobStatus, RowTable
from dmm.units.ids import ZERO_HASH, Hash32, canonical_json, hash_link
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import estimate_of, estimates_in_force
from dmm.usecases.recalibrate import fit_arrival, recalibrate_volatility


def market(seed: int, *, seconds: int = 60, trades: int = 4_000) -> MarketSlice:
    """A random walk of 2 ticks a second and exponential depths of κ = 0.4 per tick."""
    rng = np.random.default_rng(seed)
    return MarketSlice(
        mid_half_ticks=200_000 + np.cumsum(rng.choice([-4, 4], size=seconds)).astype(np.int64),
        trade_at_ns=np.sort(START_NS + rng.integers(0, 60 * NS_PER_S, trades)),
        trade_depth_half_ticks=np.ceil(rng.exponential(5.0, trades)).astype(np.int64),
        trade_size_lots=np.ones(trades, dtype=np.int64),
        trade_is_buy=rng.random(trades) < 0.5,
    )


def volatility(desk: Desk, epoch: int) -> JobOutcome:
    return recalibrate_volatility(
        store=desk.store, chain=desk.chain, clock=desk.clock, run_id=RUN, epoch=epoch
    )


def arrival(desk: Desk, epoch: int) -> JobOutcome:
    return fit_arrival(
        store=desk.store, chain=desk.chain, clock=desk.clock, run_id=RUN, epoch=epoch
    )


def rows(desk: Desk, kind: str) -> list[EpochRow]:
    found = desk.store.epoch_rows(RUN, RowTable.ESTIMATE)
    return [row for row in found if row.body["kind"] == kind]


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.close_slice(a_slice(epoch=0, market=market(1)))
    return desk


def test_a_slice_with_enough_data_is_adopted_for_the_epochs_after_it(desk: Desk) -> None:
    volatility(desk, 0)
    assert estimates_in_force(desk.store, RUN, 1) is None
    arrival(desk, 0)
    assert [row.body["verdict"] for row in desk.store.epoch_rows(RUN, RowTable.ESTIMATE)] == [
        "adopted",
        "adopted",
    ]
    assert estimates_in_force(desk.store, RUN, 0) is None
    found = estimates_in_force(desk.store, RUN, 1)
    assert found is not None
    assert found.version == 2
    assert found.sigma_microticks == pytest.approx(2_000_000, rel=0.05)
    assert found.kappa_nano == pytest.approx(400_000_000, rel=0.1)


def test_a_thin_slice_leaves_a_row_with_its_reason_and_keeps_what_was_in_force(
    desk: Desk,
) -> None:
    volatility(desk, 0)
    arrival(desk, 0)
    before = estimates_in_force(desk.store, RUN, 1)
    desk.close_slice(a_slice(epoch=1))
    volatility(desk, 1)
    arrival(desk, 1)
    for kind in ("volatility", "arrival"):
        thin = rows(desk, kind)[1].body
        assert thin["verdict"] == "held"
        assert isinstance(thin["evidence"], dict)
        assert "are needed" in str(thin["evidence"]["reasons"])
    assert estimates_in_force(desk.store, RUN, 2) == before


def test_rows_of_a_kind_are_hash_linked(desk: Desk) -> None:
    desk.close_slice(a_slice(epoch=1, market=market(2)))
    for epoch in (0, 1):
        volatility(desk, epoch)
    previous = ZERO_HASH.hex()
    for row in rows(desk, "volatility"):
        content = {name: value for name, value in row.body.items() if name != "link_hash"}
        assert content["previous_hash"] == previous
        previous = str(row.body["link_hash"])
        link = hash_link(bytes.fromhex(str(content["previous_hash"])), canonical_json(content))
        assert previous == link.hex()


def test_the_same_slice_measures_the_same_bit_for_bit() -> None:
    bodies = []
    for _ in range(2):
        desk = Desk()
        desk.close_slice(a_slice(epoch=0, market=market(3)))
        arrival(desk, 0)
        bodies.append(rows(desk, "arrival")[0].body)
    assert bodies[0] == bodies[1]


def test_running_again_changes_nothing(desk: Desk) -> None:
    volatility(desk, 0)
    assert volatility(desk, 0).status is JobStatus.ALREADY
    assert len(rows(desk, "volatility")) == 1


def test_an_open_slice_is_waited_for(desk: Desk) -> None:
    assert volatility(desk, 5).status is JobStatus.WAITING


def test_bands_are_those_the_epoch_was_quoted_with_whatever_was_executed_since(desk: Desk) -> None:
    epoch_inputs(desk.store, RUN, 0)
    head = desk.store.policy_head()
    assert head is not None
    tight = replace(head.policy, kappa_nano_per_bp_min=1_000, kappa_nano_per_bp_max=9_000)
    desk.store.append_policy(
        replace(
            head,
            sequence=head.sequence + 1,
            policy=tight,
            previous_head=head.head,
            head=Hash32(b"\x07" * 32),
        )
    )
    arrival(desk, 0)
    assert rows(desk, "arrival")[0].body["verdict"] == "adopted"
    desk.close_slice(a_slice(epoch=1, market=market(2)))
    arrival(desk, 1)
    held = rows(desk, "arrival")[1].body
    assert held["verdict"] == "held"
    assert "outside the band" in str(held["evidence"])


def test_what_an_epoch_left_is_found_again_with_its_reasons(desk: Desk) -> None:
    assert estimate_of(desk.store, RUN, "arrival", 0) is None
    arrival(desk, 0)
    found = estimate_of(desk.store, RUN, "arrival", 0)
    assert found is not None
    assert (found.kind, found.epoch, found.previous_hash) == ("arrival", 0, ZERO_HASH.hex())
    assert found.estimate.version == 1
    assert found.estimate.kappa_bounds[0] > 0
