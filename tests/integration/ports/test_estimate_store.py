"""What every store of estimates promises: the latest of a run, and what a market passes on."""

from __future__ import annotations

from dataclasses import replace

import journal_samples as make
import pytest

from dmm.ports import Run, Store
from dmm.settlement.epoch import EpochPlan, EpochRow, Job, RowTable
from dmm.units.ids import Json
from dmm.units.time import Nanos

LISTED: dict[str, Json] = {"venue": "paper", "tick_size": "0.01"}


def begin(
    store: Store,
    run_id: str,
    at_ns: int,
    *,
    kind: str = "up",
    symbol: str = "ETHUSDT",
    **other: str,
) -> None:
    spec: dict[str, Json] = {"instrument": {**LISTED, **other}}
    store.open_run(
        Run(
            run_id=run_id,
            kind=kind,
            symbol=symbol,
            epochs=0,
            spec=spec,
            started_at_ns=Nanos(at_ns),
        )
    )


def leave(
    store: Store, run_id: str, epoch: int, *, kind: str = "volatility", version: int = 4
) -> EpochRow:
    body: dict[str, Json] = {
        "symbol": "ETHUSDT",
        "kind": kind,
        "version": version,
        "values": {"sigma_microticks": 2**60 + epoch},
        "evidence": {"epoch": epoch, "reasons": ""},
        "verdict": "adopted",
        "previous_hash": "00" * 32,
        "link_hash": f"{epoch:02x}" * 32,
    }
    row = EpochRow(table=RowTable.ESTIMATE, ordinal=0, body=body)
    job = Job.VOLATILITY_RECALIBRATION if kind == "volatility" else Job.ARRIVAL_FIT
    claim = store.open_epoch(
        run_id=run_id,
        job=job,
        scope=f"{run_id}:ETHUSDT",
        epoch=epoch,
        now_ns=Nanos(123_456),
        chain_time_s=777,
    )
    store.record_epoch(claim, EpochPlan(rows=(row,)))
    return row


def test_without_an_estimate_there_is_none_before_any_epoch(any_store: Store) -> None:
    begin(any_store, "a", 100)
    assert any_store.estimate_before("a", "volatility", epoch=9) is None
    assert any_store.inherited_estimate("a", "volatility") is None


def test_the_latest_of_its_kind_before_the_epoch_is_found(any_store: Store) -> None:
    begin(any_store, "a", 100)
    early, late = leave(any_store, "a", 2), leave(any_store, "a", 6)
    other = leave(any_store, "a", 5, kind="arrival")
    assert any_store.estimate_before("a", "volatility", epoch=2) is None
    assert any_store.estimate_before("a", "volatility", epoch=6) == early
    assert any_store.estimate_before("a", "volatility", epoch=7) == late
    assert any_store.estimate_before("a", "arrival", epoch=7) == other


def test_a_run_inherits_what_the_last_earlier_run_that_adopted_anything_left(
    any_store: Store,
) -> None:
    for at_ns, run_id in enumerate("abcd", start=100):
        begin(any_store, run_id, at_ns)
    leave(any_store, "a", 9)
    wanted = leave(any_store, "b", 3)
    leave(any_store, "d", 1)
    assert any_store.inherited_estimate("c", "volatility") == wanted
    assert any_store.inherited_estimate("a", "volatility") is None
    assert any_store.inherited_estimate("c", "arrival") is None


def test_what_was_never_adopted_is_not_inherited(any_store: Store) -> None:
    begin(any_store, "a", 100)
    begin(any_store, "b", 200)
    leave(any_store, "a", 3, version=0)
    assert any_store.inherited_estimate("b", "volatility") is None


@pytest.mark.parametrize(
    "market",
    [{"symbol": "BTCUSDT"}, {"venue": "other"}, {"tick_size": "0.1"}, {"kind": "demo"}],
    ids=lambda market: next(iter(market)),
)
def test_another_market_passes_nothing_on(any_store: Store, market: dict[str, str]) -> None:
    begin(any_store, "a", 100, **market)  # type: ignore[arg-type]
    begin(any_store, "b", 200)
    leave(any_store, "a", 3)
    assert any_store.inherited_estimate("b", "volatility") is None


def test_a_shadow_inherits_from_live_runs_and_nobody_from_shadows(any_store: Store) -> None:
    begin(any_store, "a", 100)
    begin(any_store, "b", 200, kind="shadow")
    begin(any_store, "c", 300)
    wanted = leave(any_store, "a", 3)
    leave(any_store, "b", 4)
    assert any_store.inherited_estimate("b", "volatility") == wanted
    assert any_store.inherited_estimate("c", "volatility") == wanted


def test_recent_slices_come_newest_first_across_runs_and_pages(any_store: Store) -> None:
    begin(any_store, "a", 100)
    begin(any_store, "b", 200)
    for run_id, epochs in (("a", 40), ("b", 3)):
        for epoch in range(epochs):
            at_ns = (1_000 if run_id == "b" else 0) + 10 * epoch
            any_store.close_slice(
                replace(
                    make.summary(epoch),
                    run_id=run_id,
                    started_at_ns=Nanos(at_ns),
                    ended_at_ns=Nanos(at_ns + 10),
                )
            )

    def read(epoch: int, *, from_ns: int = -1, limit: int = 1_000) -> list[tuple[str, int]]:
        found = any_store.recent_slices("b", epoch=epoch, from_ns=Nanos(from_ns), limit=limit)
        return [(summary.run_id, summary.epoch) for summary in found]

    everything = [("b", 2), ("b", 1), ("b", 0), *(("a", epoch) for epoch in range(39, -1, -1))]
    assert read(2) == everything
    assert read(1) == everything[1:]
    assert read(2, limit=36) == everything[:36]
    assert read(2, from_ns=390) == everything[:4]
