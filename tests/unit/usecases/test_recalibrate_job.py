"""Recalibration: one row an epoch whatever was measured, linked to the one before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from desk_memory import RUN, START_NS, Desk, a_slice

from dmm.quoting.decision import MarketSlice
from dmm.settlement.epoch import EpochRow, JobOutcome, JobStatus, RowTable
from dmm.units.ids import ZERO_HASH, Hash32, canonical_json, hash_link
from dmm.units.time import NS_PER_S, WEEK_OFFSET_NS
from dmm.usecases import recalibrate
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import estimate_of, estimates_in_force, version_of
from dmm.usecases.recalibrate import WEEK_NS, fit_arrival, recalibrate_volatility


def market(
    seed: int, *, epoch: int = 0, seconds: int = 60, trades: int = 4_000, kappa: float = 0.4
) -> MarketSlice:
    """A random walk of 2 ticks a second and exponential depths of κ per tick."""
    rng = np.random.default_rng(seed)
    started_ns = START_NS + epoch * 60 * NS_PER_S
    return MarketSlice(
        mid_half_ticks=200_000 + np.cumsum(rng.choice([-4, 4], size=seconds)).astype(np.int64),
        trade_at_ns=np.sort(started_ns + rng.integers(0, 60 * NS_PER_S, trades)),
        trade_depth_half_ticks=np.ceil(rng.exponential(2 / kappa, trades)).astype(np.int64),
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


def test_sigma_alone_is_in_force_from_the_next_epoch_on(desk: Desk) -> None:
    volatility(desk, 0)
    assert estimates_in_force(desk.store, RUN, 0) is None
    found = estimates_in_force(desk.store, RUN, 1)
    assert found is not None
    assert found.version == version_of(sigma=1, kappa=0) == 1
    assert found.sigma_microticks == pytest.approx(2_000_000, rel=0.05)
    assert found.kappa_nano == 0


def test_kappa_alone_is_in_force_from_the_next_epoch_on(desk: Desk) -> None:
    arrival(desk, 0)
    assert estimates_in_force(desk.store, RUN, 0) is None
    found = estimates_in_force(desk.store, RUN, 1)
    assert found is not None
    assert found.version == version_of(sigma=0, kappa=1) == 1_000_000_000
    assert found.sigma_microticks == 0
    assert found.kappa_nano == pytest.approx(400_000_000, rel=0.1)
    assert min(found.a_bid_micro, found.a_ask_micro) > 0


def test_the_version_of_a_decision_tells_both_apart(desk: Desk) -> None:
    desk.close_slice(a_slice(epoch=1, market=market(2, epoch=1)))
    volatility(desk, 0)
    volatility(desk, 1)
    arrival(desk, 1)
    found = estimates_in_force(desk.store, RUN, 2)
    assert found is not None
    assert found.version == 1_000_000_002


def test_a_start_value_that_was_never_adopted_is_not_in_force(desk: Desk) -> None:
    quiet = Desk()
    quiet.close_slice(a_slice(epoch=0))
    volatility(quiet, 0)
    arrival(quiet, 0)
    assert estimates_in_force(quiet.store, RUN, 1) is None


def test_an_epoch_without_a_market_leaves_a_row_with_its_reason_and_keeps_what_was_in_force(
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
        assert thin["evidence"]["reasons"] == "the slice saw no market"
    assert estimates_in_force(desk.store, RUN, 2) == before


def test_too_few_trades_in_the_whole_window_hold_with_how_much_it_was() -> None:
    desk = Desk()
    for epoch in (0, 1):
        desk.close_slice(a_slice(epoch=epoch, market=market(epoch, epoch=epoch, trades=9)))
    arrival(desk, 1)
    held = rows(desk, "arrival")[0].body
    assert held["verdict"] == "held"
    evidence = held["evidence"]
    assert isinstance(evidence, dict)
    assert "are needed" in str(evidence["reasons"])
    assert (evidence["window_slices"], evidence["window_observed_s"]) == (2, 120)
    assert evidence["window_wanted_s"] == 604_800


def test_kappa_reads_every_epoch_there_is_and_sigma_the_last_five_minutes(desk: Desk) -> None:
    for epoch in range(1, 8):
        desk.close_slice(a_slice(epoch=epoch, market=market(epoch, epoch=epoch, trades=300)))
    volatility(desk, 0)
    volatility(desk, 7)
    arrival(desk, 7)
    fitted, measured = (rows(desk, kind)[-1].body["evidence"] for kind in ("arrival", "volatility"))
    assert isinstance(fitted, dict)
    assert isinstance(measured, dict)
    assert (fitted["window_slices"], fitted["window_observed_s"]) == (8, 480)
    assert fitted["depths"] == 4_000 + 7 * 300
    assert (measured["window_slices"], measured["window_observed_s"]) == (5, 300)
    assert measured["changes"] == 299


def test_the_first_sigma_of_a_week_reads_the_week_before_and_says_how_it_was_spread() -> None:
    desk = Desk()
    monday = next(
        epoch
        for epoch in range(2 * 7 * 24 * 60)
        if (START_NS + 60 * epoch * NS_PER_S - WEEK_OFFSET_NS) % WEEK_NS < 60 * NS_PER_S
    )
    first = monday - 90
    for epoch in range(first, monday + 2):
        desk.close_slice(a_slice(epoch=epoch, market=market(epoch, epoch=epoch, trades=2)))
    # The epoch that ends within the first minute of Monday is the first of its week.
    found = []
    for epoch in (first + 30, monday - 10, monday, monday + 1):
        volatility(desk, epoch)
        evidence = rows(desk, "volatility")[-1].body["evidence"]
        assert isinstance(evidence, dict)
        found.append((evidence["window_wanted_s"], evidence["window_slices"]))
        if epoch == monday:
            assert evidence["sigma_microticks_p05"] <= evidence["sigma_microticks_p50"]
            assert evidence["sigma_microticks_p50"] <= evidence["sigma_microticks_p95"]
            assert evidence["sigma_microticks_band_min"] < evidence["sigma_microticks_band_max"]
        else:
            assert "sigma_microticks_p50" not in evidence
    assert found == [(604_800, 31), (300, 5), (604_800, 91), (300, 5)]


def test_a_drift_falls_back_and_a_later_week_that_repeats_it_is_adopted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recalibrate, "WEEK_NS", 120 * NS_PER_S)
    desk = Desk()
    for epoch, kappa in enumerate((0.4, 0.4, 0.7, 0.7, 0.7, 0.7)):
        desk.close_slice(a_slice(epoch=epoch, market=market(30 + epoch, epoch=epoch, kappa=kappa)))
    verdicts = []
    for epoch in (1, 3, 4, 5):
        arrival(desk, epoch)
        verdicts.append((rows(desk, "arrival")[-1].body["verdict"], epoch))
        if epoch == 3:
            in_force = estimates_in_force(desk.store, RUN, 4)
            assert in_force is not None
            assert in_force.kappa_nano == pytest.approx(400_000_000, rel=0.1)
    # Epoch 4 shares a minute with 3, so it is no second witness; nor is 5 with 4.
    assert verdicts == [("adopted", 1), ("fallback", 3), ("fallback", 4), ("fallback", 5)]
    reasons = [str(row.body["evidence"]) for row in rows(desk, "arrival")]
    assert "drifted by +" in reasons[1]
    desk.close_slice(a_slice(epoch=6, market=market(36, epoch=6, kappa=0.7)))
    desk.close_slice(a_slice(epoch=7, market=market(37, epoch=7, kappa=0.7)))
    arrival(desk, 7)
    last = rows(desk, "arrival")[-1].body
    assert last["verdict"] == "adopted"
    assert "a second window says the same" in str(last["evidence"])


def test_rows_of_a_kind_are_hash_linked(desk: Desk) -> None:
    desk.close_slice(a_slice(epoch=1, market=market(2, epoch=1)))
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
    desk.close_slice(a_slice(epoch=1, market=market(2, epoch=1)))
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
