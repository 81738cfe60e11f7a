"""A store in memory: the same promises as the real one, nothing kept beyond the process."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace
from typing import cast

import numpy as np

from dmm.ledger.account import Account
from dmm.ledger.journal import Posting
from dmm.market.order import Fill
from dmm.ports import LIVE, SHADOW, Controls, HaltLatch, Latch, PolicyRecord, Run
from dmm.quoting.decision import DecisionRecord, MarketSlice, SliceSummary
from dmm.rfq.protocol import RfqTrade
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, UsageFault
from dmm.units.ids import ZERO_HASH, Hash32, Json, canonical_json, hash_link
from dmm.units.time import Nanos


def _listing(run: Run) -> tuple[Json, Json]:
    listed = run.spec.get("instrument")
    return (listed["venue"], listed["tick_size"]) if isinstance(listed, dict) else (None, None)


class MemoryStore:
    """QuoteStore, RunStore, LedgerStore and ControlStore in dicts."""

    def __init__(self) -> None:
        self._runs: dict[str, Run] = {}
        self._decisions: dict[str, list[DecisionRecord]] = {}
        self._fills: dict[bytes, Fill] = {}
        self._slices: dict[tuple[str, int], SliceSummary] = {}
        self._epoch_inputs: dict[tuple[str, int], bytes] = {}
        self._postings: dict[str, Posting] = {}
        self._balances: dict[Account, int] = {}
        self._latches: list[Latch] = []
        self._orders_used: set[int] = set()
        self._halts: list[HaltLatch] = []
        self._policies: list[PolicyRecord] = []
        self.audit: list[tuple[str, bytes, Hash32]] = []

    # -- runs

    def open_run(self, run: Run) -> Run:
        return self._runs.setdefault(run.run_id, run)

    def run(self, run_id: str) -> Run:
        if run_id not in self._runs:
            raise UsageFault(f"no run {run_id} is known: list them first")
        return self._runs[run_id]

    def latest_run(self) -> Run | None:
        live = [run for run in self._runs.values() if run.kind != SHADOW]
        return max(live, key=lambda run: run.started_at_ns, default=None)

    def runs(self, *, prefix: str = "", limit: int) -> list[Run]:
        found = [run for run in self._runs.values() if run.run_id.startswith(prefix)]
        found.sort(key=lambda run: (run.started_at_ns, run.run_id), reverse=True)
        return found[:limit]

    def finish_run(self, run_id: str, *, finished_at_ns: Nanos) -> None:
        run = self.run(run_id)
        if run.finished_at_ns is None:
            self._runs[run_id] = replace(run, finished_at_ns=finished_at_ns)

    # -- quotes

    def append_decisions(self, records: Sequence[DecisionRecord]) -> None:
        for record in records:
            chain = self._decisions.setdefault(record.run_id, [])
            if record.seq < len(chain):
                if chain[record.seq] != record:
                    raise InvariantBroken(
                        f"decision {record.seq} of {record.run_id} is known with other content"
                    )
                continue
            head = chain[-1].link_hash if chain else ZERO_HASH
            fits = record.seq == len(chain) and record.previous_hash == head
            if not fits or hash_link(head, record.body) != record.link_hash:
                raise InvariantBroken(
                    f"decision {record.seq} of {record.run_id} does not extend its chain"
                )
            chain.append(record)

    def decisions(self, run_id: str, epoch: int | None = None) -> list[DecisionRecord]:
        chain = self._decisions.get(run_id, [])
        return [record for record in chain if epoch is None or record.epoch == epoch]

    def append_fills(self, fills: Sequence[Fill], postings: Sequence[Posting]) -> int:
        new = []
        for fill in fills:
            known = self._fills.get(fill.fill_id)
            if known is None:
                new.append(fill)
            elif known != fill:
                raise InvariantBroken(f"fill {fill.fill_id.hex()} is known with other content")
        self.post(postings)
        self._fills |= {fill.fill_id: fill for fill in new}
        return len(new)

    def fills(self, run_id: str, epoch: int | None = None) -> list[Fill]:
        found = [
            fill
            for fill in self._fills.values()
            if fill.run_id == run_id and (epoch is None or fill.epoch == epoch)
        ]
        return sorted(found, key=lambda fill: (fill.ordinal, fill.venue))

    def fix_epoch_inputs(self, run_id: str, epoch: int, body: dict[str, Json]) -> dict[str, Json]:
        fixed = self._epoch_inputs.setdefault((run_id, epoch), canonical_json(body))
        return cast("dict[str, Json]", json.loads(fixed))

    def epoch_inputs(self, run_id: str, epoch: int) -> dict[str, Json] | None:
        fixed = self._epoch_inputs.get((run_id, epoch))
        return None if fixed is None else cast("dict[str, Json]", json.loads(fixed))

    def rfq_trades(self, run_id: str, epoch: int) -> list[RfqTrade]:
        """Return nothing: no firm quote is issued here."""
        del run_id, epoch
        return []

    def close_slice(self, summary: SliceSummary) -> None:
        key = (summary.run_id, summary.epoch)
        known = self._slices.setdefault(key, summary)
        if not same_slice(known, summary):
            raise InvariantBroken(f"slice {key} is known with other content")

    def slice(self, run_id: str, epoch: int) -> SliceSummary | None:
        return self._slices.get((run_id, epoch))

    def last_slice(self, run_id: str) -> SliceSummary | None:
        found = [summary for (run, _), summary in self._slices.items() if run == run_id]
        return max(found, key=lambda summary: summary.epoch, default=None)

    def recent_slices(
        self, run_id: str, *, epoch: int, from_ns: Nanos, limit: int
    ) -> Iterator[SliceSummary]:
        names = [run_id, *(run.run_id for run in self.earlier_runs(run_id))]
        found = [
            summary
            for name in names
            for summary in sorted(
                (s for (run, _), s in self._slices.items() if run == name),
                key=lambda summary: -summary.epoch,
            )
            if (name != run_id or summary.epoch <= epoch) and summary.ended_at_ns > from_ns
        ]
        return iter(found[:limit])

    def earlier_runs(self, run_id: str) -> list[Run]:
        """Return runs of the run's market begun before it, the latest first."""
        mine = self.run(run_id)
        market = (mine.symbol, LIVE if mine.kind == SHADOW else mine.kind, *_listing(mine))
        found = [
            run
            for run in self._runs.values()
            if (run.symbol, run.kind, *_listing(run)) == market
            and (run.started_at_ns, run.run_id) < (mine.started_at_ns, mine.run_id)
        ]
        return sorted(found, key=lambda run: (run.started_at_ns, run.run_id), reverse=True)

    # -- ledger

    def post(self, postings: Sequence[Posting]) -> int:
        balances = dict(self._balances)
        new: dict[str, Posting] = {}
        for posting in postings:
            known = self._postings.get(posting.source_id, new.get(posting.source_id))
            if known is not None:
                if known != posting:
                    raise InvariantBroken(f"{posting.source_id} is known with other content")
                continue
            new[posting.source_id] = posting
            for account, change in (
                (posting.debit, -posting.amount),
                (posting.credit, posting.amount),
            ):
                balances[account] = balances.get(account, 0) + change
        _refuse_overdraft(balances.items())
        self._balances = balances
        self._postings |= new
        return len(new)

    def balance(self, account: Account) -> Atoms:
        return Atoms(self._balances.get(account, 0))

    def balances(self, vault: str | None = None) -> dict[str, Atoms]:
        return {
            account.account_id: Atoms(amount)
            for account, amount in self._balances.items()
            if vault is None or account.vault == vault
        }

    # -- control

    def latch(self) -> Latch | None:
        return self._latches[-1] if self._latches else None

    def kill(self, *, reason: str, operator: str, now_ns: Nanos) -> Latch:
        holds = self.latch()
        if holds is None or not holds.killed:
            kill_id = holds.kill_id + 1 if holds else 1
            holds = Latch(
                kill_id=kill_id, killed=True, reason=reason, operator=operator, at_ns=now_ns
            )
            self._latches.append(holds)
        self._tell(operator, "kill", {"kill_id": holds.kill_id, "reason": reason}, now_ns)
        return holds

    def release_kill(
        self, *, kill_id: int, order_sequence: int, operator: str, now_ns: Nanos, tx_id: str = ""
    ) -> Latch:
        holds = self.latch()
        if holds is None or not holds.killed or holds.kill_id != kill_id:
            raise UsageFault(f"kill {kill_id} is not the one that holds")
        if order_sequence in self._orders_used:
            raise UsageFault(f"order {order_sequence} released a kill before")
        self._orders_used.add(order_sequence)
        released = replace(holds, killed=False, operator=operator, at_ns=now_ns)
        self._latches.append(released)
        body: dict[str, Json] = {"kill_id": kill_id, "order": order_sequence, "tx_id": tx_id}
        self._tell(operator, "resume", body, now_ns)
        return released

    def halted(self) -> HaltLatch | None:
        return self._halts[-1] if self._halts else None

    def halt(self, *, run_id: str, reason: str, now_ns: Nanos) -> HaltLatch:
        holds = self.halted()
        if holds is None or not holds.halted:
            holds = HaltLatch(
                halt_id=holds.halt_id + 1 if holds else 1,
                halted=True,
                run_id=run_id,
                reason=reason,
                operator="",
                at_ns=now_ns,
            )
            self._halts.append(holds)
            body: dict[str, Json] = {
                "halt_id": holds.halt_id,
                "run_id": run_id,
                "reason": reason,
            }
            self._tell("worker", "halt", body, now_ns)
        return holds

    def reset_halt(self, *, operator: str, reason: str, now_ns: Nanos) -> HaltLatch:
        holds = self.halted()
        if holds is None or not holds.halted:
            raise UsageFault("the desk is not halted: there is nothing to reset")
        reset = replace(holds, halted=False, reason=reason, operator=operator, at_ns=now_ns)
        self._halts.append(reset)
        self._tell(operator, "reset", {"halt_id": reset.halt_id, "reason": reason}, now_ns)
        return reset

    def controls(self) -> Controls:
        return Controls(kill=self.latch(), halt=self.halted(), database_at_ns=Nanos(0))

    def _tell(self, actor: str, action: str, body: dict[str, Json], now_ns: Nanos) -> None:
        self.append_audit(actor=actor, action=action, body=body, now_ns=now_ns)

    def policy_head(self) -> PolicyRecord | None:
        return self._policies[-1] if self._policies else None

    def policies(self, *, limit: int) -> list[PolicyRecord]:
        return self._policies[::-1][:limit]

    def append_policy(self, record: PolicyRecord) -> bool:
        if record.sequence < len(self._policies):
            if self._policies[record.sequence].head != record.head:
                raise InvariantBroken(f"policy {record.sequence} is known with another hash")
            return False
        head = self._policies[-1].head if self._policies else ZERO_HASH
        if record.sequence != len(self._policies) or record.previous_head != head:
            raise InvariantBroken(f"policy {record.sequence} does not extend the head")
        self._policies.append(record)
        return True

    def append_audit(
        self, *, actor: str, action: str, body: dict[str, Json], now_ns: Nanos
    ) -> None:
        line = canonical_json({"actor": actor, "action": action, "body": body, "at_ns": now_ns})
        head = self.audit[-1][2] if self.audit else ZERO_HASH
        self.audit.append((action, line, hash_link(head, line)))


def same_slice(one: SliceSummary, other: SliceSummary) -> bool:
    """Compare two slices by value, arrays included."""
    scalars = [field.name for field in fields(SliceSummary) if field.name != "market"]
    return all(getattr(one, name) == getattr(other, name) for name in scalars) and all(
        np.array_equal(getattr(one.market, field.name), getattr(other.market, field.name))
        for field in fields(MarketSlice)
    )


def _refuse_overdraft(balances: Iterable[tuple[Account, int]]) -> None:
    for account, amount in balances:
        if amount < 0 and not account.may_overdraw:
            raise InvariantBroken(f"{account.account_id} would be overdrawn by {-amount}")
