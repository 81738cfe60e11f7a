"""The diff: every transaction explained, matched, in suspense, or missing."""

from __future__ import annotations

from dmm.settlement.reconcile import (
    Execution,
    Leg,
    ReconClass,
    Residue,
    net_by_transaction,
    reconcile,
    residues,
)

T = ("treasury", "DCT")


def leg(tx_id: str, change: int, *, height: int = 50, asset: str = "DCT") -> Leg:
    return Leg(
        tx_id=tx_id, log_index=0, height=height, vault="treasury", asset=asset, change=change
    )


def found(*legs: Leg, executions: list[Execution]) -> list[tuple[str, str, int]]:
    return [
        (r.tx_id, r.asset, r.change)
        for r in residues(legs, executions=executions, funding_height=10)
    ]


def test_what_comes_and_goes_within_one_transaction_is_nothing() -> None:
    assert net_by_transaction([leg("a", 70), leg("a", -70), leg("b", 5)]) == {"b": {T: 5}}


def test_a_payment_by_its_known_transaction_is_explained() -> None:
    assert found(leg("a", -30), executions=[Execution(tx_id="a", effect={T: -30})]) == []


def test_funding_is_explained_by_its_height_and_later_inflow_is_not() -> None:
    assert found(leg("f", 900, height=10), leg("d", 7, height=11), executions=[]) == [
        ("d", "DCT", 7)
    ]


def test_a_transaction_that_took_more_than_its_intent_leaves_the_rest() -> None:
    executions = [Execution(tx_id="a", effect={T: -30})]
    assert found(leg("a", -41), executions=executions) == [("a", "DCT", -11)]


def test_an_adopted_payment_takes_exactly_one_transaction_of_its_size() -> None:
    executions = [Execution(tx_id=None, effect={T: -30})]
    legs = [leg("a", -30), leg("b", -30), leg("c", -31)]
    assert found(*legs, executions=executions) == [("b", "DCT", -30), ("c", "DCT", -31)]


def test_an_adopted_payment_never_takes_a_transaction_that_is_anothers() -> None:
    executions = [
        Execution(tx_id=None, effect={T: -30}),
        Execution(tx_id="a", effect={T: -60}),
    ]
    assert found(leg("a", -90), executions=executions) == [("a", "DCT", -30)]


def line(**changes: object) -> tuple[int, int, ReconClass]:
    values: dict[str, object] = {
        "vault": "treasury",
        "asset": "DCT",
        "chain_atoms": 500,
        "logged_atoms": 500,
        "booked_atoms": 500,
        "ahead": 0,
        "behind": 0,
        "residue": [],
    }
    verdict = reconcile(**(values | changes))  # type: ignore[arg-type]
    return verdict.difference, verdict.unexplained, verdict.recon_class


def residue(change: int) -> list[Residue]:
    return [Residue(tx_id="x", vault="treasury", asset="DCT", change=change)]


def test_equal_books_match() -> None:
    assert line() == (0, 0, ReconClass.MATCHED)


def test_payments_not_booked_yet_and_booked_ahead_are_accounted_for() -> None:
    assert line(booked_atoms=530, behind=-30)[0] == 0
    assert line(booked_atoms=460, ahead=-40)[0] == 0


def test_unannounced_inflow_is_suspense_without_a_difference() -> None:
    assert line(booked_atoms=493, residue=residue(7)) == (0, 7, ReconClass.SUSPENSE)


def test_unexplained_outflow_is_a_difference_of_its_size() -> None:
    assert line(booked_atoms=511, residue=residue(-11)) == (11, 11, ReconClass.OUTFLOW)


def test_a_donation_does_not_hide_a_theft() -> None:
    both = residue(11) + residue(-11)
    assert line(booked_atoms=500, residue=both) == (11, 22, ReconClass.OUTFLOW)


def test_a_balance_that_its_logs_do_not_explain_is_a_difference() -> None:
    assert line(logged_atoms=488) == (12, 0, ReconClass.DIFFERENCE)


def test_a_ledger_that_is_off_is_a_difference_in_both_directions() -> None:
    assert line(booked_atoms=497) == (3, 0, ReconClass.DIFFERENCE)
    assert line(booked_atoms=504) == (4, 0, ReconClass.DIFFERENCE)
