"""Every quote derived again from the journal, and every change of a byte found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from journal_memory import MemoryJournal
from trading_values import policy_record

from dmm.adapters.venues.paper import PaperVenue
from dmm.ports import Run
from dmm.quoting.decision import DecisionRecord, SliceSummary
from dmm.sandbox.market import STARTED_AT_NS, SimulatedMarket
from dmm.units.errors import UsageFault
from dmm.units.ids import ZERO_HASH, canonical_json, hash_link
from dmm.units.time import NS_PER_S
from dmm.usecases.epoch_inputs import epoch_inputs
from dmm.usecases.play import equal_boundaries, play
from dmm.usecases.quote import QuotingWorker
from dmm.usecases.replay_journal import MISMATCHES_MAX, replay_journal
from dmm.usecases.situation import EpochInputs

DURATION_S = 40


class TamperedJournal(MemoryJournal):
    """A journal whose guards someone with the database's own rights has passed."""

    def tamper(self, seq: int, **changes: object) -> None:
        self._decisions["run"][seq] = replace(self._decisions["run"][seq], **changes)

    def link_again(self) -> None:
        """Make the chain stand on whatever the bytes are now."""
        head = ZERO_HASH
        for seq, record in enumerate(self._decisions["run"]):
            link = hash_link(head, record.body)
            self.tamper(seq, previous_hash=head, link_hash=link)
            head = link

    def drop_last(self) -> None:
        self._decisions["run"].pop()


@pytest.fixture
def store() -> TamperedJournal:
    """Return the journal of a session with fills, over two epochs."""
    store = TamperedJournal()
    store.append_policy(policy_record(quote_size_lots=40, inventory_soft_lots=200))
    market = SimulatedMarket(np.random.default_rng(21), duration_s=DURATION_S)
    store.open_run(
        Run(
            run_id="run",
            kind="demo",
            symbol=market.instrument.symbol,
            epochs=2,
            spec={"instrument": market.instrument.to_json()},
            started_at_ns=STARTED_AT_NS,
        )
    )
    worker = QuotingWorker(
        run_id="run", instrument=market.instrument, venue=PaperVenue(market.instrument), store=store
    )

    def on_boundary(epoch: int, _summary: SliceSummary) -> EpochInputs:
        return epoch_inputs(store, "run", epoch + 1)

    ended_at_ns = STARTED_AT_NS + DURATION_S * NS_PER_S
    play(
        market,
        worker,
        first=epoch_inputs(store, "run", 0),
        boundaries=equal_boundaries(started_at_ns=STARTED_AT_NS, ended_at_ns=ended_at_ns, epochs=2),
        on_boundary=on_boundary,
    )
    assert store.fills("run")
    return store


def recorded(store: MemoryJournal) -> list[DecisionRecord]:
    return store.decisions("run")


def changed(record: DecisionRecord, **fields: object) -> bytes:
    return canonical_json(json.loads(record.body) | fields)


def test_a_run_without_decisions_has_nothing_to_replay() -> None:
    store = MemoryJournal()
    with pytest.raises(UsageFault, match="nobody"):
        replay_journal(store=store, run_id="nobody")
    store.append_policy(policy_record())
    market = SimulatedMarket(np.random.default_rng(1), duration_s=1)
    store.open_run(
        Run(
            run_id="run",
            kind="demo",
            symbol="X",
            epochs=1,
            spec={"instrument": market.instrument.to_json()},
            started_at_ns=STARTED_AT_NS,
        )
    )
    with pytest.raises(UsageFault, match="no decision"):
        replay_journal(store=store, run_id="run")


def test_every_decision_of_a_session_is_derived_again_byte_for_byte(
    store: TamperedJournal,
) -> None:
    found = replay_journal(store=store, run_id="run")
    assert found.is_sound, found.mismatches
    assert found.decisions == len(recorded(store)) > 50
    assert found.quotes > found.decisions
    assert found.head == recorded(store)[-1].link_hash


@pytest.mark.parametrize("digit", [b"0", b"9"])
def test_a_changed_byte_breaks_its_link(store: TamperedJournal, digit: bytes) -> None:
    body = recorded(store)[30].body
    at = next(
        i
        for i in range(len(body) // 3, len(body))
        if body[i : i + 1].isdigit() and body[i : i + 1] != digit
    )
    store.tamper(30, body=body[:at] + digit + body[at + 1 :])
    found = replay_journal(store=store, run_id="run")
    assert not found.is_sound
    assert found.mismatches[0].seq == 30
    assert "link" in found.mismatches[0].what


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("best_bid", 1),
        ("inventory", 100),
        ("quotes", []),
        ("half_spread_microticks", 1),
        ("posture", "killed"),
        ("decided_at_ns", 0),
    ],
)
def test_a_forged_decision_is_found_although_its_chain_was_made_to_stand(
    store: TamperedJournal, name: str, value: object
) -> None:
    victim = next(r.seq for r in recorded(store)[20:] if json.loads(r.body)["place"])
    store.tamper(victim, body=changed(recorded(store)[victim], **{name: value}))
    store.link_again()
    found = replay_journal(store=store, run_id="run")
    assert [one.seq for one in found.mismatches] == [victim]
    told = "its row says" if name == "decided_at_ns" else "its inputs give"
    assert told in found.mismatches[0].what
    if name in {"quotes", "half_spread_microticks", "posture"}:
        assert f"its inputs give {name} " in found.mismatches[0].what


def test_a_decision_moved_in_time_is_found_although_row_and_bytes_agree(
    store: TamperedJournal,
) -> None:
    store.tamper(20, body=changed(recorded(store)[20], decided_at_ns=0), decided_at_ns=0)
    store.link_again()
    found = replay_journal(store=store, run_id="run")
    assert [one.what for one in found.mismatches] == [
        "it was decided before the decision before it"
    ]


def test_a_last_decision_rewritten_without_a_trace_is_found_by_a_head_that_was_noted(
    store: TamperedJournal,
) -> None:
    before = replay_journal(store=store, run_id="run").head
    middle = recorded(store)[25].link_hash
    last = recorded(store)[-1]
    size = json.loads(last.body)["best_bid_size"]
    store.tamper(last.seq, body=changed(last, best_bid_size=size + 1))
    store.link_again()
    assert replay_journal(store=store, run_id="run").is_sound
    assert replay_journal(store=store, run_id="run", noted=middle).is_sound
    found = replay_journal(store=store, run_id="run", noted=before)
    assert [one.what for one in found.mismatches] == [
        f"the chain does not pass through the head noted, {before.hex()}"
    ]


def test_a_journal_cut_at_its_end_is_short_of_what_its_epoch_counted(
    store: TamperedJournal,
) -> None:
    whole = len(store.decisions("run", 1))
    store.drop_last()
    found = replay_journal(store=store, run_id="run")
    told = f"epoch 1 closed with {whole} decisions, the journal holds {whole - 1}"
    assert [one.what for one in found.mismatches] == [told]


def test_bytes_that_hold_no_decision_are_told_and_the_rest_is_still_replayed(
    store: TamperedJournal,
) -> None:
    store.tamper(5, body=b"{}")
    store.tamper(6, body=b"not json")
    store.link_again()
    found = replay_journal(store=store, run_id="run")
    assert [one.seq for one in found.mismatches] == [5, 6]
    assert found.decisions == len(recorded(store))


def test_mismatches_beyond_the_bound_are_counted(store: TamperedJournal) -> None:
    for seq in range(MISMATCHES_MAX + 5):
        store.tamper(seq, body=b"{}")
    store.link_again()
    found = replay_journal(store=store, run_id="run")
    assert found.mismatched == MISMATCHES_MAX + 5
    assert len(found.mismatches) == MISMATCHES_MAX
