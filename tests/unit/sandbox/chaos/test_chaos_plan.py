"""The plan of a lap's faults: what it must hold for every seed."""

from __future__ import annotations

from itertools import groupby

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.sandbox.chaos.plan import (
    AFTER_MS_MAX,
    DEPTH_MAX,
    DESK_PROCESSES,
    EPOCHS,
    EXTRA_MAX,
    JOBS,
    LASTS_MS_MAX,
    LASTS_MS_MIN,
    LIES,
    LOST_EPOCH,
    REORGANISING,
    FaultKind,
    Plan,
    make_plan,
)
from dmm.sandbox.conductor import EPOCH_JOBS
from dmm.sandbox.evm.node import FINALITY_BLOCKS
from dmm.units.errors import UsageFault

CHAINS = st.sampled_from(
    [("evm",), ("evm", "solana"), ("evm", "ton"), ("evm", "solana", "ton")],
)


@st.composite
def plans(draw: st.DrawFn) -> tuple[Plan, tuple[str, ...]]:
    chains = draw(CHAINS)
    seed, lap = draw(st.integers(0, 2**63)), draw(st.integers(0, 50))
    return make_plan(seed=seed, lap=lap, chains=chains), chains


@settings(max_examples=40)
@given(seed=st.integers(0, 2**63), lap=st.integers(0, 50), chains=CHAINS)
def test_the_same_seed_gives_the_same_plan(seed: int, lap: int, chains: tuple[str, ...]) -> None:
    once = make_plan(seed=seed, lap=lap, chains=chains)
    assert make_plan(seed=seed, lap=lap, chains=chains) == once
    assert make_plan(seed=seed, lap=lap + 1, chains=chains) != once


@settings(max_examples=40)
@given(made=plans())
def test_every_lap_has_every_kind_of_fault_and_kills_every_process(
    made: tuple[Plan, tuple[str, ...]],
) -> None:
    plan, chains = made
    assert {fault.kind for fault in plan.faults} == set(FaultKind)
    killed = {
        fault.target.partition("@")[0] for fault in plan.faults if fault.kind is FaultKind.KILL
    }
    assert killed == {*DESK_PROCESSES, *chains}
    assert [f.kind for f in plan.faults].count(FaultKind.RESTORE) == 1


@settings(max_examples=40)
@given(made=plans())
def test_an_epoch_strikes_a_subject_once_at_the_most(made: tuple[Plan, tuple[str, ...]]) -> None:
    plan, _ = made
    subjects = [(fault.epoch, fault.subject) for fault in plan.faults]
    assert len(subjects) == len(set(subjects))


@settings(max_examples=40)
@given(made=plans())
def test_every_fault_is_within_its_bounds(made: tuple[Plan, tuple[str, ...]]) -> None:
    plan, chains = made
    assert len(plan.faults) <= len(DESK_PROCESSES) + len(chains) + 1 + len(LIES) + EXTRA_MAX + 1
    for fault in plan.faults:
        assert 0 <= fault.epoch < EPOCHS
        assert 0 <= fault.after_ms <= AFTER_MS_MAX
        assert fault.lasts_ms == 0 or LASTS_MS_MIN <= fault.lasts_ms <= LASTS_MS_MAX
        assert (fault.kind is FaultKind.REORG) == (1 <= fault.depth <= DEPTH_MAX)
        if fault.kind is FaultKind.REORG:
            assert fault.target in REORGANISING
    assert DEPTH_MAX < FINALITY_BLOCKS


@settings(max_examples=40)
@given(made=plans())
def test_the_node_that_the_actors_speak_to_never_lies(
    made: tuple[Plan, tuple[str, ...]],
) -> None:
    plan, chains = made
    for fault in plan.faults:
        if fault.kind in LIES:
            chain, _, place = fault.target.partition("#")
            assert chain in chains
            assert place in ("1", "2")
        if fault.kind in (FaultKind.FALSE, FaultKind.AHEAD):
            assert not fault.target.startswith("ton")


@settings(max_examples=40)
@given(made=plans())
def test_the_backup_is_taken_before_a_flow_of_the_epoch_that_is_lost(
    made: tuple[Plan, tuple[str, ...]],
) -> None:
    plan, _ = made
    assert plan.restore.epoch == LOST_EPOCH
    assert 0 <= plan.restore.before_job < JOBS
    assert len(EPOCH_JOBS) == JOBS


@settings(max_examples=40)
@given(made=plans())
def test_epochs_hold_the_plan_in_the_order_of_its_moments(
    made: tuple[Plan, tuple[str, ...]],
) -> None:
    plan, _ = made
    told = [fault for epoch in range(EPOCHS) for fault in plan.of_epoch(epoch)]
    assert [*told, plan.restore] != []
    assert sorted(map(id, [*told, plan.restore])) == sorted(map(id, plan.faults))
    for _epoch, group in groupby(told, key=lambda fault: fault.epoch):
        moments = [fault.after_ms for fault in group]
        assert moments == sorted(moments)


def test_a_plan_without_a_chain_that_can_reorganise_is_refused() -> None:
    with pytest.raises(UsageFault, match="evm, solana"):
        make_plan(seed=1, lap=0, chains=("ton",))
