"""Fills that earn less than they should cut the size, and bring it back once they do."""

from __future__ import annotations

import pytest

from dmm.risk.fill_quality import (
    FULL_TRUST,
    GAS_SAMPLES_MIN,
    SHARE_BPS_MIN,
    GasBaseline,
    GasVerdict,
    QualityRules,
    VenueQuality,
    after_window,
    is_adverse_selection_high,
    is_drift_high,
)
from dmm.units.errors import UsageFault
from dmm.units.time import NS_PER_S


def windows(*realised: int, start: VenueQuality = FULL_TRUST) -> VenueQuality:
    for atoms in realised:
        start = after_window(start, realised_atoms=atoms, theoretical_atoms=1_000)
    return start


def test_less_than_half_the_theoretical_spread_halves_the_size() -> None:
    assert windows(500).size_share_bps == 10_000
    assert windows(499).size_share_bps == 5_000
    assert windows(-300, -300).size_share_bps == 2_500


def test_a_cut_has_a_floor_for_without_fills_nobody_sees_it_normalise() -> None:
    assert windows(*[-1] * 50).size_share_bps == SHARE_BPS_MIN


def test_the_size_comes_back_only_with_normal_windows() -> None:
    cut = windows(0, 0)
    assert windows(599, start=cut).size_share_bps == 2_500
    assert windows(600, start=cut).size_share_bps == 5_000
    assert windows(600, 900, 900, start=cut).size_share_bps == 10_000


def test_a_window_without_fills_says_nothing() -> None:
    poor = windows(400, 400)
    assert after_window(poor, realised_atoms=0, theoretical_atoms=0) is poor


def test_efficiency_below_sixty_percent_alerts_after_more_than_five_windows_in_a_row() -> None:
    assert not windows(*[599] * 5).is_alert()
    assert windows(*[599] * 6).is_alert()
    assert not windows(*[599] * 5, 600, *[599] * 5).is_alert()


def test_the_state_is_whole_numbers() -> None:
    assert windows(1).to_json() == {"size_share_bps": 5_000, "poor_windows": 1}


def test_rules_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(UsageFault, match="got 7000 and 6000"):
        QualityRules(cut_below_bps=7_000)


def test_adverse_moves_are_judged_against_volatility_over_the_same_horizon() -> None:
    # σ = 3,000 µticks over 1 s; over 4 s one deviation is 6,000 and 1.2 of it 7,200.
    for adverse, is_high in ((7_200, False), (7_201, True), (-9_000, False), (0, False)):
        assert (
            is_adverse_selection_high(
                mean_adverse_microticks=adverse,
                sigma_microticks_1s=3_000,
                refresh_ns=4 * NS_PER_S,
            )
            is is_high
        )


def test_any_adverse_move_is_too_much_where_nothing_should_move() -> None:
    assert is_adverse_selection_high(
        mean_adverse_microticks=1, sigma_microticks_1s=0, refresh_ns=NS_PER_S
    )


@pytest.mark.parametrize(
    ("change", "volume", "is_high"),
    [(149, 1_000, False), (-150, 1_000, True), (0, 0, False), (1, 0, True)],
)
def test_drift_of_fifteen_percent_of_a_days_volume_is_too_much(
    change: int, volume: int, is_high: bool
) -> None:
    assert is_drift_high(net_change_lots=change, volume_lots=volume) is is_high


def baseline(*gas: int) -> GasBaseline:
    history = GasBaseline()
    for used in gas:
        history.take(gas=used, quotes=10)
    return history


def test_gas_is_not_judged_before_it_has_a_history() -> None:
    history = GasBaseline()
    for _ in range(GAS_SAMPLES_MIN):
        assert history.take(gas=10**9, quotes=1) is GasVerdict.NO_BASELINE
    assert history.take(gas=10**9, quotes=1) is GasVerdict.NORMAL


def test_gas_of_more_than_twice_its_median_per_quote_is_a_spike() -> None:
    usual = [90, 95, 100, 100, 100, 105, 110, 300]
    assert baseline(*usual).milligas_per_quote == 10_000
    assert baseline(*usual).take(gas=400, quotes=20) is GasVerdict.NORMAL
    assert baseline(*usual).take(gas=401, quotes=20) is GasVerdict.SPIKE


def test_a_window_without_quotes_is_no_sample() -> None:
    history = baseline(*[100] * 8)
    assert history.take(gas=10**6, quotes=0) is GasVerdict.NORMAL
    assert history.milligas_per_quote == 10_000


def test_a_lasting_rise_becomes_normal_and_a_single_spike_does_not() -> None:
    history = baseline(*[100] * 20)
    assert history.take(gas=10**9, quotes=1) is GasVerdict.SPIKE
    assert history.milligas_per_quote == 10_000
    verdicts = [history.take(gas=1_000, quotes=10) for _ in range(300)]
    assert verdicts[0] is GasVerdict.SPIKE
    assert verdicts[-1] is GasVerdict.NORMAL
