"""``dmm chaos``: the demo under faults that follow from a seed, with a timeline and an audit."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from dmm import observe
from dmm.entrypoints.backup import CLOCK_SLACK_S, run_backup, run_restore
from dmm.entrypoints.demo import Progress, interruptible, wanted_chains
from dmm.entrypoints.faults import one_line
from dmm.sandbox.chains import left_out_text, runnable
from dmm.sandbox.chaos.interrupt import Interrupted, LapInterrupted
from dmm.sandbox.chaos.plan import make_plan
from dmm.sandbox.chaos.session import Commands, run_lap
from dmm.sandbox.chaos.timeline import Timeline
from dmm.sandbox.chaos.verdict import Verdict
from dmm.sandbox.state import StateFolder
from dmm.settings import PROJECT_ROOT, settings
from dmm.units.errors import Fault

FOLDER = PROJECT_ROOT / ".dmm" / "chaos"
SEED_BITS = 31
LAPS_MAX = 10_000
SECONDS_PER_MINUTE = 60
INTERRUPTED = 130
"""Exit code after SIGINT or SIGTERM, when nothing wrong was found."""


def run_chaos(*, minutes: int, seed: int | None, as_json: bool, state: Path | None) -> int:
    """Run laps until the minutes are over, one at least; return 0 only if every lap was sound.

    Parameters
    ----------
    minutes : a lap that began before they are over is played to its end
    seed : None draws one; it is printed, and gives the same plan again
    """
    observe.configure_logging("ERROR")
    chosen = secrets.randbelow(1 << SEED_BITS) if seed is None else seed
    began_s = time.monotonic()
    timeline = Timeline(say=Progress(began_s), began_s=began_s)
    folder = StateFolder((state or FOLDER).absolute())
    chains, left_out = runnable(wanted_chains(), PROJECT_ROOT)
    told = Told(seed=chosen, minutes=minutes, timeline=timeline)
    timeline.note(f"seed {chosen}: local chains {', '.join(chains)}, test tokens, paper orders")
    if left_out:
        timeline.note(left_out_text(left_out))
    with interruptible():
        for lap in range(LAPS_MAX):
            timeline.lap = lap
            plan = make_plan(seed=chosen, lap=lap, chains=chains)
            timeline.note(f"lap {lap}: {len(plan.faults)} faults, market seed {plan.market_seed}")
            try:
                report, verdict, restarts = run_lap(
                    plan=plan,
                    folder=folder,
                    chains=chains,
                    timeline=timeline,
                    say=timeline.say,
                    commands=Commands(
                        backup=_backup,
                        restore=_restore,
                        adopts_s=settings().intent_deadline_s + CLOCK_SLACK_S,
                    ),
                )
            except LapInterrupted as interrupt:
                told.interrupted = interrupt.left
                break
            except KeyboardInterrupt:
                told.interrupted = Interrupted(lap=lap, why_not="no desk was up")
                break
            except Fault as fault:
                told.broken = f"lap {lap} of seed {chosen}: {one_line(fault)}"
                break
            told.laps.append(verdict)
            told.restarts += restarts
            timeline.note(f"lap {lap}: report {report or 'none'}")
            if not verdict.is_sound or time.monotonic() - began_s >= minutes * SECONDS_PER_MINUTE:
                break
    told.print(as_json=as_json)
    if told.interrupted is not None and not told.is_wrong:
        return INTERRUPTED
    return 0 if told.is_sound else 1


@dataclass(slots=True, kw_only=True)
class Told:
    """What is printed at the end."""

    seed: int
    minutes: int
    timeline: Timeline
    laps: list[Verdict] = field(default_factory=list)
    restarts: int = 0
    broken: str = ""
    interrupted: Interrupted | None = None

    @property
    def is_sound(self) -> bool:
        """Tell whether every lap came to its end and was sound."""
        is_whole = bool(self.laps) and self.interrupted is None
        return is_whole and not self.broken and not self.is_wrong

    @property
    def is_wrong(self) -> bool:
        """Tell whether an audit found anything, also that of a lap that was interrupted."""
        found = [*self.laps]
        if self.interrupted is not None and self.interrupted.verdict is not None:
            found.append(self.interrupted.verdict)
        return not all(lap.is_sound for lap in found)

    def print(self, *, as_json: bool) -> None:
        """Write the result to stdout."""
        text = json.dumps(self.to_json()) if as_json else "\n".join(self.lines())
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def to_json(self) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        kinds: Counter[str] = Counter()
        for lap in self.laps:
            kinds.update(lap.by_kind)
        return {
            "seed": self.seed,
            "minutes": self.minutes,
            "laps": len(self.laps),
            "seconds": round(time.monotonic() - self.timeline.began_s, 3),
            "faults": [fault.to_json() for fault in self.timeline.faults],
            "restarts": self.restarts,
            "settlements": {
                "planned": sum(lap.planned for lap in self.laps),
                "final": sum(lap.final for lap in self.laps),
                "by_kind": dict(kinds),
                "lost": [one for lap in self.laps for one in lap.lost],
                "twice": [one for lap in self.laps for one in lap.twice],
                "unseen": [one for lap in self.laps for one in lap.unseen],
            },
            "audit": {
                "difference": sum(lap.difference for lap in self.laps),
                "alarms": [one for lap in self.laps for one in lap.alarms],
                "killed": [lap.killed for lap in self.laps if lap.killed],
                "laps": [
                    {"differences": lap.differences, "checked_at_block": lap.checked_at_block}
                    for lap in self.laps
                ],
            },
            "sound": self.is_sound,
            "broken": self.broken,
            "interrupted": None if self.interrupted is None else self.interrupted.to_json(),
        }

    def lines(self) -> list[str]:
        """Return timeline and audit as lines of text."""
        lines = [f"{at_s:7.1f} s  {text}" for at_s, text in self.timeline.lines]
        for number, lap in enumerate(self.laps):
            kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(lap.by_kind.items()))
            lines.append(
                f"lap {number}: {lap.final} of {lap.planned} settled ({kinds}), difference "
                f"{lap.difference}, {'sound' if lap.is_sound else 'NOT sound'}"
            )
            wrong = {"lost": lap.lost, "paid twice": lap.twice, "not on chain": lap.unseen}
            lines += [f"  {what}: {one}" for what, named in wrong.items() for one in named]
            lines += [f"  alarm: {alarm}" for alarm in lap.alarms]
            if lap.killed:
                lines.append(f"  the kill switch is latched: {lap.killed}")
        if self.broken:
            lines.append(f"broken off: {self.broken}")
        if self.interrupted is not None:
            lines += self.interrupted.lines()
        lines.append(f"seed {self.seed}: {self._word()}")
        return lines

    def _word(self) -> str:
        if self.interrupted is not None and not self.is_wrong:
            return "interrupted"
        return "sound" if self.is_sound else "NOT sound"


def _backup(path: Path, state: Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        run_backup(out=path, state=state, as_json=True)
    return _seen(said)


def _restore(path: Path, state: Path) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as said:
        run_restore(path, state=state, as_json=True)
    return _seen(said)


def _seen(said: io.StringIO) -> str:
    told = json.loads(said.getvalue())
    return f"{told['bytes']} bytes, sha256 {told['sha256'][:16]}"
