"""The report of an estimate: its verdict, its numbers in units, a picture that a browser draws."""

from __future__ import annotations

import base64
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from desk_memory import RUN, START_NS, Desk, a_slice

from dmm import bootstrap
from dmm.quoting.decision import MarketSlice
from dmm.settlement.epoch import Job
from dmm.units.time import NS_PER_S
from dmm.usecases.recalibrate import fit_arrival, recalibrate_volatility


def market(*, seconds: int = 60, trades: int = 4_000, epoch: int = 0) -> MarketSlice:
    rng = np.random.default_rng(1)
    started_ns = START_NS + epoch * 60 * NS_PER_S
    return MarketSlice(
        mid_half_ticks=200_000 + np.cumsum(rng.choice([-4, 4], size=seconds)).astype(np.int64),
        trade_at_ns=np.sort(started_ns + rng.integers(0, 60 * NS_PER_S, trades)),
        trade_depth_half_ticks=np.ceil(rng.exponential(5.0, trades)).astype(np.int64),
        trade_size_lots=np.ones(trades, dtype=np.int64),
        trade_is_buy=rng.random(trades) < 0.5,
    )


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(bootstrap, "desk", lambda: desk)
    return desk


def close(desk: Desk, one: MarketSlice | None, *, epoch: int = 0) -> None:
    desk.close_slice(a_slice(epoch=epoch, market=one))
    ports = {"store": desk.store, "chain": desk.chain, "clock": desk.clock}
    recalibrate_volatility(run_id=RUN, epoch=epoch, **ports)  # type: ignore[arg-type]
    fit_arrival(run_id=RUN, epoch=epoch, **ports)  # type: ignore[arg-type]


def picture(text: str) -> ET.Element:
    found = re.search(r"!\[[^]]+\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)", text)
    assert found is not None
    return ET.fromstring(base64.b64decode(found[1]))  # noqa: S314 - our own drawing


@pytest.mark.parametrize("job", [Job.VOLATILITY_RECALIBRATION, Job.ARRIVAL_FIT])
def test_an_epoch_without_an_estimate_has_no_report(desk: Desk, job: Job) -> None:
    assert bootstrap.estimate_report(job, run_id=RUN, epoch=3) == ""


@pytest.mark.parametrize("job", [Job.VOLATILITY_RECALIBRATION, Job.ARRIVAL_FIT])
def test_an_empty_slice_is_reported_in_words_alone(desk: Desk, job: Job) -> None:
    close(desk, None)
    text = bootstrap.estimate_report(job, run_id=RUN, epoch=0)
    assert "**held**" in text
    assert "the slice saw no market" in text
    assert "data:image" not in text


def test_the_report_of_sigma_names_units_links_and_shows_a_plot(desk: Desk) -> None:
    close(desk, market())
    text = bootstrap.estimate_report(Job.VOLATILITY_RECALIBRATION, run_id=RUN, epoch=0)
    assert "**adopted**" in text
    assert re.search(r"\| in use: sigma \| 2\.?\d* \| ticks per √s \|", text)
    assert re.search(r"Link `[0-9a-f]{16}` after `0{16}`", text)
    assert "EWMA" in "".join(picture(text).itertext())


def test_the_report_of_kappa_shows_fit_interval_and_what_is_in_use(desk: Desk) -> None:
    close(desk, market())
    text = bootstrap.estimate_report(Job.ARRIVAL_FIT, run_id=RUN, epoch=0)
    assert re.search(r"\| kappa_low \| 0\.\d+ \| per tick \|", text)
    assert re.search(r"\| r_squared \| 0\.9\d* \|", text)
    words = "".join(picture(text).itertext())
    assert "measured fit" in words
    assert "in use" in words


def test_a_fit_that_was_not_adopted_is_drawn_beside_what_is_in_use(desk: Desk) -> None:
    close(desk, market())
    far = replace(market(epoch=1), trade_depth_half_ticks=np.tile([2, 60], 2_000))
    close(desk, far, epoch=1)
    text = bootstrap.estimate_report(Job.ARRIVAL_FIT, run_id=RUN, epoch=1)
    assert "**fallback**" in text
    assert "R²" in text
    assert "approved_kappa_low" in text
    assert "measured fit" in "".join(picture(text).itertext())


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (
            Job.VOLATILITY_RECALIBRATION,
            "Measured on 120 s of 300 s wanted: 2 closed epochs of 1 run.",
        ),
        (Job.ARRIVAL_FIT, "Measured on 120 s of 604800 s wanted: 2 closed epochs of 1 run."),
    ],
)
def test_the_report_says_how_much_was_read(desk: Desk, job: Job, words: str) -> None:
    close(desk, market())
    close(desk, market(epoch=1), epoch=1)
    assert words in bootstrap.estimate_report(job, run_id=RUN, epoch=1)


def test_the_same_epoch_is_drawn_byte_for_byte_the_same(desk: Desk) -> None:
    close(desk, market())
    once, again = (
        bootstrap.estimate_report(Job.ARRIVAL_FIT, run_id=RUN, epoch=0) for _ in range(2)
    )
    assert once == again
