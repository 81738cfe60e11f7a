"""What an epoch is quoted with: fixed once, also what a run took over from earlier ones."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from desk_memory import RUN, Desk

from dmm.quoting.scale import Estimates
from dmm.units.ids import Json
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.estimates import estimates_in_force, version_of

OLD = Estimates(
    version=5,
    kappa_nano=123_000_000,
    sigma_microticks=90_000_000,
    a_bid_micro=7_000_000,
    a_ask_micro=8_000_000,
)


def written_before(desk: Desk, estimates: Estimates | None) -> None:
    """Fix the first epoch's inputs as journals did that knew no inheritance."""
    now = epoch_inputs(Desk().store, RUN, 0)
    fresh = Desk()
    epoch_inputs(fresh.store, RUN, 0)
    body = fresh.store.epoch_inputs(RUN, 0)
    assert body is not None
    assert now.estimates is None
    old: dict[str, Json] = {name: body[name] for name in ("policy",)}
    desk.store.fix_epoch_inputs(
        RUN, 0, {**old, "estimates": None if estimates is None else asdict(estimates)}
    )


@pytest.mark.parametrize("estimates", [None, OLD])
def test_inputs_of_an_older_journal_are_read_as_they_were(estimates: Estimates | None) -> None:
    desk = Desk()
    written_before(desk, estimates)
    assert epoch_inputs(desk.store, RUN, 0).estimates == estimates
    assert estimates_in_force(desk.store, RUN, 1) is None


def test_a_run_on_an_empty_journal_begins_with_nothing() -> None:
    desk = Desk()
    assert epoch_inputs(desk.store, RUN, 0).estimates is None
    fixed = desk.store.epoch_inputs(RUN, 0)
    assert fixed is not None
    assert (fixed["estimates"], fixed["inherited"]) == (None, {})


def test_only_the_first_epoch_fixes_what_was_inherited() -> None:
    desk = Desk()
    epoch_inputs(desk.store, RUN, 0)
    epoch_inputs(desk.store, RUN, 1)
    fixed = desk.store.epoch_inputs(RUN, 1)
    assert fixed is not None
    assert "inherited" not in fixed


def test_a_version_says_which_of_both_it_is() -> None:
    seen = {version_of(sigma=sigma, kappa=kappa) for sigma in range(40) for kappa in range(40)}
    assert len(seen) == 1_600
    assert version_of(sigma=12, kappa=3) == 3_000_000_012
    assert version_of(sigma=0, kappa=0) == 0
