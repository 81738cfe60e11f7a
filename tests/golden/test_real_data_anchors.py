"""Numbers recomputed from public recordings; source: shared/truth/real_data_anchors.json."""

from __future__ import annotations

import json
import os
import statistics
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmm.adapters.feeds import open_tape, span
from dmm.calibration.arrival import ArrivalFit, FitRange, fit_arrival, kappa_by_range
from dmm.calibration.depth import Depths, States, Trades, grid_depths, mid_on_grid, trade_depths
from dmm.calibration.imbalance import imbalance_drift
from dmm.calibration.volatility import ewma_sigma_bps, sigma_ticks
from dmm.entrypoints.calibrate import run_calibrate
from dmm.market.book import Book
from dmm.market.tape import DepthUpdate, TapeReport, TradePrint
from dmm.units.time import NS_PER_S

SHARED = Path(__file__).resolve().parents[3] / "shared"
RAW = SHARED / "data" / "binance_ws_l2"
ETHBTC = SHARED / "data" / "binance_spot_hour" / "ETHBTC_2020-11-01T09-00-00_update.json"
PERP = RAW / "usdm_btcusdt_20240808.gz"
HOUR_NS = 3_600 * NS_PER_S
SAME = 1e-6
"""Relative tolerance of "same definition"; counts, quotes and volumes are exact."""

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not SHARED.is_dir() and os.environ.get("CI") != "true",
        reason="the public recordings are not beside the checkout (../shared/data)",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A tape played once: a row per book state and per trade, on the clock asked for."""

    report: TapeReport
    states: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    trades: list[tuple[int, int, int, bool]] = field(default_factory=list)

    def book(self) -> States:
        table = np.array(self.states, dtype=np.int64)
        return States(at_ns=table[:, 0], mid_half_ticks=table[:, 1] + table[:, 2])

    def prints(self) -> Trades:
        return Trades(
            at_ns=np.array([row[0] for row in self.trades], dtype=np.int64),
            price_ticks=np.array([row[1] for row in self.trades], dtype=np.int64),
            is_buy=np.array([row[3] for row in self.trades], dtype=np.bool_),
        )


def play(path: Path, *, by_exchange: bool, snapshot_is_state: bool) -> Played:
    feed = open_tape([path])
    book = Book()
    played = Played(report=feed.report)
    for event in feed.events():
        at_ns = event.exchange_at_ns if by_exchange else event.received_at_ns
        if isinstance(event, DepthUpdate):
            book.apply(event)
            if snapshot_is_state or not event.is_snapshot:
                bid, ask = book.best_bid, book.best_ask
                assert bid is not None
                assert ask is not None
                played.states.append((at_ns, bid[0], ask[0], bid[1], ask[1]))
        elif isinstance(event, TradePrint):
            played.trades.append((at_ns, event.price, event.size, event.buyer_is_aggressor))
    return Played(report=feed.report, states=played.states, trades=played.trades)


@cache
def ethbtc() -> Played:
    return play(ETHBTC, by_exchange=True, snapshot_is_state=False)


@cache
def perp() -> Played:
    return play(PERP, by_exchange=False, snapshot_is_state=True)


@cache
def truth() -> dict[str, Any]:
    path = SHARED / "truth" / "real_data_anchors.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["data"]
    return data


def fit(depths: Depths) -> ArrivalFit:
    found = fit_arrival(depths, rng=np.random.default_rng(1), resamples=50)
    assert isinstance(found, ArrivalFit)
    return found


def ethbtc_depths() -> Depths:
    played = ethbtc()
    # The hour is nominal; its recording began two seconds late.
    started_at_ns = played.states[0][0] // HOUR_NS * HOUR_NS
    return trade_depths(
        played.book(), played.prints(), started_at_ns=started_at_ns, duration_ns=HOUR_NS
    )


def test_ethbtc_counts_and_quotes_are_exact() -> None:
    want, played = truth()["ethbtc_09h"], ethbtc()
    report = played.report
    assert len(played.states) - 1 + report.skipped_before_snapshot == want["steps"]
    assert len(played.states) + report.skipped_before_snapshot == want["updates"]
    assert (report.gaps, report.crossed_books) == (want["gaps"], want["crossed"])
    assert list(played.states[0][1:3]) == want["first_bbo"]
    assert list(played.states[-1][1:3]) == want["last_bbo"]
    assert len(played.trades) == report.trades == want["trades"]
    volume_lots = sum(size for _at, _price, size, _buy in played.trades)
    assert volume_lots == round(want["volume"] * 1_000)
    buys = sum(is_buy for *_rest, is_buy in played.trades)
    assert buys / len(played.trades) == want["buy_aggressor_share"]


def test_ethbtc_spread_and_volatility_agree() -> None:
    want, played = truth()["ethbtc_09h"], ethbtc()
    spreads = [ask - bid for _at, bid, ask, _bid_size, _ask_size in played.states]
    assert statistics.fmean(spreads) == pytest.approx(want["mean_spread_ticks"], rel=SAME)
    assert statistics.median(spreads) == want["median_spread_ticks"]
    mids = played.book().mid_half_ticks
    assert sigma_ticks(mids) == pytest.approx(want["sigma_1s_ticks"], rel=SAME)
    assert ewma_sigma_bps(mids) == pytest.approx(want["ewma_097_bp"], rel=SAME)


def test_ethbtc_arrivals_agree() -> None:
    want, found = truth()["ethbtc_09h"], fit(ethbtc_depths())
    assert found.depths == want["n_positive_depth"]
    assert found.kappa_per_tick == pytest.approx(want["kappa_ols_per_tick"], rel=SAME)
    assert found.a_per_s == pytest.approx(want["A_per_s"], rel=SAME)
    assert found.mle_per_tick == pytest.approx(want["inverse_mean_depth"], rel=SAME)
    assert found.kappa_low < found.kappa_per_tick < found.kappa_high


def test_ethbtc_drift_by_imbalance_agrees() -> None:
    played = ethbtc()
    table = np.array(played.states, dtype=np.int64)
    drift = imbalance_drift(
        mid_half_ticks=played.book().mid_half_ticks,
        bid_size_lots=table[:, 3],
        ask_size_lots=table[:, 4],
    )
    want = truth()["ethbtc_09h"]["next_step_drift_by_imbalance_quintile"]
    assert list(drift) == pytest.approx(want, rel=SAME)


def test_perp_counts_and_quotes_are_exact() -> None:
    want, played = truth()["perp_20240808"], perp()
    assert len(played.states) == played.report.depth_updates == want["depth_messages"]
    assert len(played.trades) == played.report.trades == want["trades"]
    assert played.report.crossed_books == want["crossed"]
    assert list(played.states[0][1:3]) == want["first_bbo"]
    assert list(played.states[-1][1:3]) == want["last_bbo"]


def test_perp_arrivals_and_volatility_agree() -> None:
    want, played = truth()["perp_20240808"], perp()
    depths = grid_depths(played.book(), played.prints())
    found = fit(depths)
    assert found.depths == want["n_positive"]
    assert found.mle_per_tick == pytest.approx(want["mle"], rel=SAME)
    assert found.kappa_per_tick == pytest.approx(want["kappa_0_20"]["kappa"], rel=SAME)
    assert found.a_per_s == pytest.approx(want["kappa_0_20"]["A"], rel=SAME)
    wider = kappa_by_range(depths, (FitRange(to_ticks=70), FitRange(to_ticks=200)))
    wanted = [want[name]["kappa"] for name in ("kappa_0_70", "kappa_0_200")]
    assert list(wider) == pytest.approx(wanted, rel=SAME)
    mids = mid_on_grid(played.book())
    assert sigma_ticks(mids) * 10**0.5 == pytest.approx(want["sigma_100ms"], rel=SAME)
    assert sigma_ticks(mids[::10]) == pytest.approx(want["sigma_1s"], rel=SAME)


def calibrated(capsys: pytest.CaptureFixture[str], path: Path, **options: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "fit_range": None,
        "arrival": None,
        "tick_size": None,
        "allow_gaps": False,
        "seed": 1,
    }
    run_calibrate(tape=[path], as_json=True, **(given | options))
    body: dict[str, Any] = json.loads(capsys.readouterr().out)
    return body


def test_the_command_prints_the_anchors_of_the_hour(capsys: pytest.CaptureFixture[str]) -> None:
    want, found = truth()["ethbtc_09h"], calibrated(capsys, ETHBTC)
    assert (found["instrument"], found["tick_size"]) == ("ETHBTC", 1e-6)
    assert (found["states"], found["trades"]) == (want["steps"], want["trades"])
    assert [found["first"]["bid"], found["first"]["ask"]] == want["first_bbo"]
    assert [found["last"]["bid"], found["last"]["ask"]] == want["last_bbo"]
    assert found["spread_ticks"] == pytest.approx(want["mean_spread_ticks"], rel=SAME)
    assert found["sigma_ticks_1s"] == pytest.approx(want["sigma_1s_ticks"], rel=SAME)
    assert found["ewma_sigma_bps"] == pytest.approx(want["ewma_097_bp"], rel=SAME)
    assert found["volume_base"] == want["volume"]
    assert found["buy_share"] == want["buy_aggressor_share"]
    arrival = found["arrival"]
    assert arrival["kappa"] == pytest.approx(want["kappa_ols_per_tick"], rel=SAME)
    assert arrival["A"] == pytest.approx(want["A_per_s"], rel=SAME)
    assert arrival["mle_kappa"] == pytest.approx(want["inverse_mean_depth"], rel=SAME)
    assert (arrival["n"], arrival["fit_range"]) == (want["n_positive_depth"], [0, 20])
    drift = want["next_step_drift_by_imbalance_quintile"]
    assert found["imbalance_drift"] == pytest.approx(drift, rel=SAME)


def test_the_command_prints_the_anchors_of_the_perp(capsys: pytest.CaptureFixture[str]) -> None:
    want, found = truth()["perp_20240808"], calibrated(capsys, PERP)
    assert (found["states"], found["trades"]) == (want["depth_messages"], want["trades"])
    assert [found["first"]["bid"], found["first"]["ask"]] == want["first_bbo"]
    assert found["sigma_ticks_1s"] == pytest.approx(want["sigma_1s"], rel=SAME)
    assert found["arrival"]["n"] == want["n_positive"]
    for name, line in found["flow"]["ofi"].items():
        anchor = want[f"ofi_{name}"]
        assert line["n"] == anchor["n"]
        assert line["beta"] == pytest.approx(anchor["beta"], rel=SAME)
        assert line["r2"] == pytest.approx(anchor["r2"], rel=SAME)
        assert line["beta_ci95"][0] < anchor["beta"] < line["beta_ci95"][1]
    assert sorted(found["flow"]["ofi"]) == ["10s", "1s", "5s"]


@pytest.mark.parametrize("to_ticks", [20, 70, 200])
def test_the_command_fits_the_range_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], to_ticks: int
) -> None:
    want = truth()["perp_20240808"][f"kappa_0_{to_ticks}"]
    arrival = calibrated(capsys, PERP, fit_range=f"0:{to_ticks}")["arrival"]
    assert arrival["kappa"] == pytest.approx(want["kappa"], rel=SAME)
    assert arrival["A"] == pytest.approx(want["A"], rel=SAME)
    assert arrival["kappa_ci95"][0] < want["kappa"] < arrival["kappa_ci95"][1]


def test_the_modes_of_arrival_disagree_on_how_many_depths_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    # Trade by trade every print beyond the mid counts; on the grid only the deepest of 100 ms.
    each = calibrated(capsys, PERP, arrival="trade")["arrival"]
    assert each["n"] > 2 * truth()["perp_20240808"]["n_positive"]


@pytest.mark.parametrize("name", ["btcusdt", "ethusdt"])
def test_an_hour_of_trades_alone_has_its_volume_and_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    want = truth()[f"{name}_trades_09h"]
    path = ETHBTC.with_name(f"{name.upper()}_2020-11-01T09-00-00_trades.json")
    found = calibrated(capsys, path)
    assert (found["states"], found["trades"]) == (0, want["trades"])
    assert found["volume_base"] == want["volume"]
    assert found["buy_share"] == want["buy_aggressor_share"]
    vwap = found["prices"]["vwap_ticks"] * found["tick_size"]
    assert vwap == pytest.approx(want["vwap"], rel=SAME)
    assert found["sigma_ticks_1s"] is None
    assert found["arrival"]["kappa"] is None
    assert any("only its trades are measured" in warning for warning in found["warnings"])


def test_every_message_of_the_perp_is_accounted_for() -> None:
    # Source: shared/data/PROVENANCE.md.
    report = perp().report
    assert report.messages == 93_954
    assert (report.best_quotes, report.trades, report.snapshots) == (66_089, 21_313, 1)
    live = report.depth_updates - report.snapshots
    assert live + report.folded_into_snapshot + report.skipped_before_snapshot == 6_551
    assert report.clock_offset_ms == pytest.approx(-1_270, abs=2)


@pytest.mark.parametrize(
    ("names", "kind", "tick", "trades"),
    [
        (("cm_btcusd_perp_20240808", "cm_btcusd_perp_20240809"), "inverse", "0.1", 2_286 + 2_949),
        (("spot_ethusdt_20240808", "spot_ethusdt_20240809"), "spot", "0.01", 6_106 + 8_409),
    ],
)
def test_two_days_of_the_public_recordings_join_without_a_flaw(
    names: tuple[str, ...], kind: str, tick: str, trades: int
) -> None:
    paths = [RAW / f"{name}.gz" for name in names]
    feed = open_tape(paths)
    times_ns = [event.received_at_ns for event in feed.events()]
    report = feed.report
    assert (feed.instrument.kind.value, str(feed.instrument.tick_size)) == (kind, tick)
    assert report.trades == trades
    assert (report.gaps, report.crossed_books, report.clock_regressions) == (0, 0, 0)
    assert times_ns == sorted(times_ns)
    first_ns, last_ns = span(paths)
    assert first_ns <= times_ns[0]
    assert last_ns == times_ns[-1]
