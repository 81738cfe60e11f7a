"""Replay a run's journal: every decision made again from its own inputs, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, cast

from dmm.governance.policy import Policy
from dmm.market.instrument import Instrument
from dmm.ports import QuoteStore, RunStore
from dmm.quoting.decide import decide_again
from dmm.quoting.decision import DecisionRecord
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32, Json, hash_link
from dmm.usecases.epoch_inputs import fixed_policy

MISMATCHES_MAX = 20
"""Mismatches told in words; all of them are counted."""

EPOCHS_MAX = 1_000_000
"""Epochs of a run that are looked for."""

SHOWN_MAX = 60
"""Characters of a value that a mismatch quotes."""


class ReplayStore(RunStore, QuoteStore, Protocol):
    """What a replay needs of the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """A decision that its inputs do not give again, or a link or a count that does not stand."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalReplay:
    """What a replay found; `quotes` counts resting orders derived again, `head` is the last link.

    `mismatches` are the first of all `mismatched`.
    """

    run_id: str
    epochs: int
    decisions: int
    quotes: int
    head: Hash32
    mismatched: int
    mismatches: tuple[Mismatch, ...]

    @property
    def is_sound(self) -> bool:
        """Tell whether every byte was derived again and every link stands."""
        return not self.mismatched


def replay_journal(
    *, store: ReplayStore, run_id: str, noted: Hash32 | None = None
) -> JournalReplay:
    """Decide again from every journalled decision's inputs and compare the bytes.

    The policy of an epoch is the one fixed in the journal when the epoch began, the instrument is
    the run's. Links are hashed again from the bytes, and closed epochs must hold as many decisions
    as they counted.

    Parameters
    ----------
    run_id : whole
    noted : the head of the chain as somebody noted it elsewhere, then or since; whoever may rewrite
        the journal can make a chain of other decisions, but none that passes through this link

    Raises
    ------
    UsageFault
        If there is no such run, nothing was decided in it, or parts of it were pruned.
    InvariantBroken
        If run or epoch inputs cannot be read.
    """
    instrument = Instrument.from_json(cast("dict[str, Json]", store.run(run_id).spec["instrument"]))
    replay = _Replay(instrument=instrument, noted=noted)
    for epoch, policy in _policies(store, run_id):
        before = replay.decisions
        for record in store.decisions(run_id, epoch):
            replay.take(record, policy)
        summary = store.slice(run_id, epoch)
        found = replay.decisions - before
        replay.epochs += bool(found)
        if summary is not None and summary.decisions != found:
            counted = summary.decisions
            replay.note(f"epoch {epoch} closed with {counted} decisions, the journal holds {found}")
    if noted is not None and not replay.passed_noted:
        replay.note(f"the chain does not pass through the head noted, {noted.hex()}")
    if not replay.decisions:
        raise UsageFault(f"run {run_id} holds no decision: nothing to replay")
    return JournalReplay(
        run_id=run_id,
        epochs=replay.epochs,
        decisions=replay.decisions,
        quotes=replay.quotes,
        head=replay.link,
        mismatched=replay.mismatched,
        mismatches=tuple(replay.mismatches),
    )


def _policies(store: ReplayStore, run_id: str) -> Iterator[tuple[int, Policy]]:
    for epoch in range(EPOCHS_MAX):
        fixed = store.epoch_inputs(run_id, epoch)
        if fixed is None:
            return
        yield epoch, fixed_policy(fixed).policy


class _Replay:
    """The state of a replay: the chain so far and what was found."""

    def __init__(self, *, instrument: Instrument, noted: Hash32 | None) -> None:
        self._instrument = instrument
        self._noted = noted
        self.passed_noted = False
        self.link: Hash32 = ZERO_HASH
        self.epochs = self.decisions = self.quotes = self.mismatched = 0
        self.mismatches: list[Mismatch] = []
        self._decided_at_ns = 0

    def take(self, record: DecisionRecord, policy: Policy) -> None:
        """Take the next decision of the run."""
        if record.seq != self.decisions:
            self.note(f"decision {record.seq} stands where {self.decisions} should")
        if record.previous_hash != self.link:
            self.note("it does not stand on the link before")
        if hash_link(record.previous_hash, record.body) != record.link_hash:
            self.note("its bytes are not those that its link was made of")
        self.link = record.link_hash
        self.passed_noted = self.passed_noted or record.link_hash == self._noted
        if record.decided_at_ns < self._decided_at_ns:
            self.note("it was decided before the decision before it")
        self._decided_at_ns = record.decided_at_ns
        try:
            again = decide_again(record.body, policy=policy, instrument=self._instrument)
        except InvariantBroken as fault:
            self.note(str(fault))
        else:
            if again == record.body:
                self._take_body(record, json.loads(again))
            else:
                self.note(f"its inputs give {_difference(record.body, again)}")
        self.decisions += 1

    def _take_body(self, record: DecisionRecord, body: dict[str, Any]) -> None:
        self.quotes += len(body["quotes"])
        for name in ("run_id", "seq", "epoch", "decided_at_ns"):
            if body[name] != getattr(record, name):
                self.note(f"its row says {name} {getattr(record, name)}, its bytes {body[name]}")

    def note(self, what: str) -> None:
        """Count a mismatch at the present decision."""
        self.mismatched += 1
        if len(self.mismatches) < MISMATCHES_MAX:
            self.mismatches.append(Mismatch(seq=self.decisions, what=what))


def _difference(journalled: bytes, again: bytes) -> str:
    """Return the first field in which two decisions differ, in words."""
    was, now = json.loads(journalled), json.loads(again)
    for name in now:
        if was.get(name) != now[name]:
            return f"{name} {_shown(now[name])}, journalled is {_shown(was.get(name))}"
    return "other bytes for the same values: the journal is not in canonical form"


def _shown(value: Json) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN_MAX else text[:SHOWN_MAX] + "…"
