"""Ctrl-C in the middle of a lap: the faults end, what is under way is settled, then the audit.

A second Ctrl-C leaves that out, too.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from dmm.bootstrap import Desk
from dmm.sandbox.chaos.inject import Injector
from dmm.sandbox.chaos.timeline import Timeline
from dmm.sandbox.chaos.verdict import Verdict
from dmm.units.errors import Fault
from dmm.usecases.dispatch import sweep

SETTLE_S_MAX = 30.0
"""How long payments under way may take to end before the audit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """Where a lap was left: its audit, or why there is none.

    What the lap had still to pay is `left`, in words; it is neither lost nor paid.
    """

    lap: int = 0
    verdict: Verdict | None = None
    left: tuple[str, ...] = ()
    why_not: str = ""

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        found = self.verdict
        return {
            "lap": self.lap,
            "planned": found.planned if found else 0,
            "final": found.final if found else 0,
            "left": list(self.left),
            "audited": found is not None,
            "difference": found.difference if found else None,
            "alarms": list(found.alarms) if found else [],
            "why_not": self.why_not,
        }

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        found = self.verdict
        if found is None:
            return [f"lap {self.lap}: interrupted, no audit: {self.why_not}"]
        wrong = {"paid twice": found.twice, "not on chain": found.unseen, "alarm": found.alarms}
        told = (
            f"lap {self.lap}: interrupted, {found.final} of {found.planned} settled, "
            f"{len(self.left)} left, difference {found.difference}, "
            f"{'nothing wrong' if found.is_sound else 'NOT sound'}"
        )
        return [told, *(f"  {what}: {one}" for what, named in wrong.items() for one in named)]


class LapInterrupted(Exception):
    """A lap was ended from outside; everything that it started is being stopped."""

    def __init__(self, left: Interrupted) -> None:
        super().__init__("interrupted")
        self.left = left


def audited(
    *,
    desk: Callable[[], Desk],
    chains: tuple[str, ...],
    judged: Callable[[], Verdict],
    injector: Injector,
    timeline: Timeline,
) -> Interrupted:
    """End a lap's faults, settle what is under way, and audit; it raises no fault.

    Parameters
    ----------
    judged : audits the desk as a lap's end does
    """
    timeline.note("  interrupted: the faults end, then the audit; again leaves that out")
    if injector.is_over:
        return Interrupted(lap=timeline.lap, why_not="its database was lost at that moment")
    try:
        injector.end_faults()
        _settle(desk(), chains)
        found = judged()
    except Fault as fault:
        return Interrupted(lap=timeline.lap, why_not=str(fault))
    return Interrupted(lap=timeline.lap, verdict=replace(found, lost=()), left=found.lost)


def _settle(desk: Desk, chains: tuple[str, ...]) -> None:
    """Drive what is on its way; what does not end in time stays open."""
    with ThreadPoolExecutor(max_workers=len(chains)) as threads:
        for _ in threads.map(lambda name: _swept(desk, name), chains):
            pass


def _swept(desk: Desk, name: str) -> None:
    sweep(
        store=desk.store,
        chain=desk.chain(name),
        signer=desk.signer(name),
        clock=desk.clock,
        owner=f"{desk.owner}-{name}",
        wait_s_max=SETTLE_S_MAX,
    )
