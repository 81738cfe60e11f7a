"""``dmm settle`` shows what is on its way and releases nothing without an order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from desk_memory import RUN, Desk, order

from dmm import bootstrap
from dmm.entrypoints import settlement
from dmm.ports import Snapshot
from dmm.settings import Settings
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentKind, IntentState
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable, UsageFault
from dmm.units.ids import ZERO_HASH
from dmm.units.time import Nanos
from dmm.usecases.quarantine import IntentRelease, Verdict

INTENT = Intent(
    kind=IntentKind.REWARD,
    chain="evm",
    contract="treasury",
    vault="treasury",
    scope="r1:x",
    epoch=1,
    ordinal=2,
    asset="DCT",
    recipient="0xa1",
    amount=Atoms(30),
    deadline_s=1_700_000_900,
    inputs={},
)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_in_doubt(monkeypatch, INTENT)


def desk_in_doubt(monkeypatch: pytest.MonkeyPatch, intent: Intent) -> Desk:
    """Return a desk on two chains with one intent in quarantine."""
    made = Desk()
    made.add_chain("solana")
    made.fund(intent.vault, "DCT", 100)
    claim = made.store.open_epoch(
        run_id=RUN,
        job=Job.LIQUIDITY_REWARDS,
        scope="r1:x",
        epoch=1,
        now_ns=Nanos(0),
        chain_time_s=5,
    )
    made.store.record_epoch(
        claim, EpochPlan(intents=(intent,), postings=(reserve(intent, at_ns=1),))
    )
    claimed = made.store.claim_due(chain=intent.chain, owner="w", lease_s=5)
    assert claimed is not None
    made.store.allocate_slot(claimed, signer="0x51", finalized_slot=0)
    made.store.quarantine(claimed, reason="doubt")

    @contextmanager
    def running(_state: Path | None) -> Iterator[Any]:
        wired = bootstrap.Desk(Settings(chains=("evm", "solana")))
        wired.__dict__ |= {"store": made.store, "clock": made.clock}
        for name in wired.chains():
            wired.put("chain", name, made.on(name))
        yield wired

    monkeypatch.setattr(settlement, "running_desk", running)
    return made


def test_the_status_counts_by_state_and_names_what_is_in_doubt(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.store.enter_adopt_only(chain="evm", until_s=77, reason="drill", now_ns=Nanos(3))
    settlement.run_status(state=None, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "killed": False,
        "chains": {
            "evm": {
                "intents": {"QUARANTINED": 1},
                "in_quarantine": [INTENT.intent_id.hex()],
                "live_slots": 1,
                "adopt_only_until_s": 77,
                "nothing_can_move": False,
            },
            "solana": {
                "intents": {},
                "in_quarantine": [],
                "live_slots": 0,
                "adopt_only_until_s": None,
                "nothing_can_move": True,
            },
        },
    }
    settlement.run_status(state=None, as_json=False)
    assert '"live_slots": 1' in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "zz", "05", "0x" + "11" * 31])
@pytest.mark.usefixtures("desk")
def test_an_id_that_is_none_is_refused_by_its_text(text: str) -> None:
    for run in (settlement.run_release, settlement.run_reverse):
        with pytest.raises(UsageFault, match="64 hex digits"):
            run(intent=text, state=None)


def test_a_release_needs_its_order(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    text = INTENT.intent_id.hex()
    with pytest.raises(UsageFault, match="execute a release order"):
        settlement.run_release(intent=text, state=None)
    body = IntentRelease(intent_id=INTENT.intent_id, verdict=Verdict.RESUME).canonical_bytes
    desk.chain.orders.append(order(1, "release", body, previous=ZERO_HASH))
    settlement.run_release(intent="0x" + text, state=None)
    assert "is READY now" in capsys.readouterr().out
    assert [state for _, state in desk.store.intents()] == [IntentState.READY]
    with pytest.raises(UsageFault, match="nothing to undo"):
        settlement.run_reverse(intent=text, state=None)


@pytest.mark.usefixtures("desk")
def test_an_intent_of_no_chain_is_named() -> None:
    with pytest.raises(UsageFault, match="is known: see dmm settle"):
        settlement.run_release(intent="77" * 32, state=None)


def test_an_intent_of_another_chain_is_released_by_an_order_on_the_home_chain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = replace(INTENT, chain="solana", vault="treasury@solana")
    desk = desk_in_doubt(monkeypatch, there)
    body = IntentRelease(intent_id=there.intent_id, verdict=Verdict.RESUME).canonical_bytes
    executed = order(1, "release", body, previous=ZERO_HASH)
    desk.on("solana").orders.append(executed)
    with pytest.raises(UsageFault, match="execute a release order"):
        settlement.run_release(intent=there.intent_id.hex(), state=None)
    desk.chain.orders.append(executed)
    settlement.run_release(intent=there.intent_id.hex(), state=None)
    assert "is READY now" in capsys.readouterr().out


def test_a_silent_chain_leaves_the_status_of_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def silent() -> Snapshot:
        raise Retryable("no node answers")

    monkeypatch.setattr(desk.on("solana"), "snapshot", silent)
    settlement.run_status(state=None, as_json=True)
    chains = json.loads(capsys.readouterr().out)["chains"]
    assert (chains["evm"]["nothing_can_move"], chains["solana"]["nothing_can_move"]) == (
        False,
        None,
    )
