"""The verdict on one vault's asset: matched, in suspense, different, or missing."""

from __future__ import annotations

import pytest

from dmm.settlement.latch_bounds import LatchBounds, LatchCause, Price
from dmm.settlement.reconcile import Flows, ReconClass, reconcile


def line(**changes: object) -> tuple[int, int, ReconClass]:
    values: dict[str, object] = {
        "vault": "treasury",
        "asset": "DCT",
        "chain_atoms": 500,
        "logged_atoms": 500,
        "booked_atoms": 500,
        "flows": Flows(),
    }
    verdict = reconcile(**(values | changes))  # type: ignore[arg-type]
    return verdict.difference, verdict.unexplained, verdict.recon_class


def test_equal_books_match() -> None:
    assert line() == (0, 0, ReconClass.MATCHED)


def test_payments_not_booked_yet_and_booked_ahead_are_accounted_for() -> None:
    assert line(booked_atoms=530, flows=Flows(behind=-30))[0] == 0
    assert line(booked_atoms=460, flows=Flows(ahead=-40))[0] == 0


def test_unannounced_inflow_is_suspense_without_a_difference() -> None:
    assert line(booked_atoms=493, flows=Flows(inflow=7)) == (0, 7, ReconClass.SUSPENSE)


def test_unexplained_outflow_is_a_difference_of_its_size() -> None:
    assert line(booked_atoms=511, flows=Flows(outflow=11)) == (11, 11, ReconClass.OUTFLOW)


def test_a_donation_does_not_hide_a_theft() -> None:
    both = Flows(inflow=11, outflow=11)
    assert line(booked_atoms=500, flows=both) == (11, 22, ReconClass.OUTFLOW)


def test_what_a_token_takes_without_a_log_is_a_difference_whatever_the_ledger_says() -> None:
    assert line(logged_atoms=512) == (12, 0, ReconClass.DIFFERENCE)


def test_what_a_token_adds_without_a_log_is_held_in_suspense() -> None:
    assert line(logged_atoms=488, booked_atoms=488) == (0, 12, ReconClass.SUSPENSE)


def test_a_ledger_that_is_off_is_a_difference_in_both_directions() -> None:
    assert line(booked_atoms=497) == (3, 0, ReconClass.DIFFERENCE)
    assert line(booked_atoms=504) == (4, 0, ReconClass.DIFFERENCE)


# -- what latches ----------------------------------------------------------------------------------

PRICES = {"BTC": Price(numeraire_atoms=7, atoms=3), "USDT": Price(numeraire_atoms=1, atoms=1)}


@pytest.mark.parametrize("cause", LatchCause)
def test_without_a_bound_every_cause_latches_at_any_size(cause: LatchCause) -> None:
    assert LatchBounds(prices=PRICES).latches(cause, {"USDT": 1})
    assert LatchBounds(prices=PRICES).latches(cause, {})


def test_dust_up_to_its_bound_does_not_latch_and_one_atom_more_does() -> None:
    bounds = LatchBounds(dust={LatchCause.REBASE: 20}, prices=PRICES)
    # 8 atoms of BTC are worth 18 and two thirds, rounded up.
    assert not bounds.latches(LatchCause.REBASE, {"BTC": 8, "USDT": 1})
    assert bounds.latches(LatchCause.REBASE, {"BTC": 8, "USDT": 2})


def test_a_bound_of_one_cause_is_none_of_another() -> None:
    bounds = LatchBounds(dust={LatchCause.REBASE: 20}, prices=PRICES)
    assert bounds.latches(LatchCause.OUTFLOW, {"USDT": 1})


def test_an_asset_without_a_price_is_over_every_bound() -> None:
    bounds = LatchBounds(dust={LatchCause.REBASE: 10**9}, prices=PRICES)
    assert bounds.latches(LatchCause.REBASE, {"DCT": 1})
