"""Which faults strike a lap, when and where: everything follows from the seed.

A lap is one demo from nothing to its audit. Every lap has each kind of fault at least once and each
process killed at least once; what is left of its room is filled at random. Within an epoch a
subject is struck once at the most, so that no fault takes another one's target away.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dmm.units.errors import UsageFault
from dmm.units.ids import content_id

EPOCHS = 4
"""Epochs of a lap."""

LOST_EPOCH = 1
"""The epoch in whose flows the backup is taken and at whose end the database is lost."""

JOBS = 8
"""Flows of an epoch: the backup is taken before one of them."""

EXTRA_MAX = 4
"""Faults of a lap beyond those that every lap has."""

AFTER_MS_MAX = 6_000
"""Latest moment of a fault after its epoch began to play: about as long as the epoch takes."""

LASTS_MS_MIN, LASTS_MS_MAX = 200, 2_000
"""How long a killed process stays away, or a node goes on lying."""

DEPTH_MAX = 12
"""Deepest reorganisation, blocks: the local chains call blocks 16 and 32 deep final."""

REORGANISING = ("evm", "solana")
"""Chains whose local node can change its mind about its last blocks."""

SPEAKING_JSON = ("evm", "solana")
"""Chains whose nodes stand behind a proxy that can lie; TON's liteservers are stale or deaf."""


class FaultKind(StrEnum):
    """What happens.

    ``kill`` SIGKILL, and a start a while later · ``reorg`` the last blocks are replaced ·
    ``stale`` a node answers with an older block · ``false`` a node tells untrue receipts, keys and
    accounts · ``silent`` a node answers nothing · ``ahead`` a node's clock is an hour ahead ·
    ``restore`` the database is lost, and a backup from before is all there is
    """

    KILL = "kill"
    REORG = "reorg"
    STALE = "stale"
    FALSE = "false"
    SILENT = "silent"
    AHEAD = "ahead"
    RESTORE = "restore"


LIES = (FaultKind.STALE, FaultKind.FALSE, FaultKind.SILENT, FaultKind.AHEAD)

DESK_PROCESSES = (
    "settler",
    "flow-runner",
    "settlement-signer",
    "quote-signer",
    "journal-writer",
    "postgres",
)
"""What of the desk is killed; signers are those of a chain that the plan names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: `after_ms` into its epoch, for `lasts_ms`.

    `target` is a process, a chain, or for a lie a node of a chain, ``evm#1``. `depth` is of a
    reorganisation, in blocks. Of a restore `before_job` is the flow before which the backup is
    taken, counted from 0.
    """

    kind: FaultKind
    target: str
    epoch: int
    after_ms: int
    lasts_ms: int
    depth: int = 0
    before_job: int = 0

    @property
    def subject(self) -> str:
        """Return what is struck once an epoch at the most."""
        return _subject(self.kind, self.target)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The faults of one lap, by epoch and moment."""

    seed: int
    lap: int
    market_seed: int
    faults: tuple[Fault, ...]

    def of_epoch(self, epoch: int) -> tuple[Fault, ...]:
        """Return what strikes while an epoch is played and settled; the restore is apart."""
        return tuple(
            fault
            for fault in self.faults
            if fault.epoch == epoch and fault.kind is not FaultKind.RESTORE
        )

    @property
    def restore(self) -> Fault:
        """Return the lap's restore."""
        return next(fault for fault in self.faults if fault.kind is FaultKind.RESTORE)


def make_plan(*, seed: int, lap: int, chains: Sequence[str]) -> Plan:
    """Return the plan of a lap; the same arguments give the same plan.

    Parameters
    ----------
    seed : >= 0
    lap : >= 0, laps of one seed differ
    chains : those the demo runs on, one of `REORGANISING` among them

    Raises
    ------
    UsageFault
        If no chain among them can reorganise.
    """
    if not set(chains) & set(REORGANISING):
        raise UsageFault(f"chaos needs one of {', '.join(REORGANISING)}, got {', '.join(chains)}")
    drawn = int.from_bytes(content_id("dmm/chaos/v1", seed, lap, ",".join(chains))[:8], "big")
    rng = random.Random(drawn)  # noqa: S311 - replayed by its seed, nothing secret
    market_seed = rng.randrange(2**31)
    wanted = _mandatory(rng, chains)
    rng.shuffle(wanted)
    wanted += [_any(rng, chains) for _ in range(rng.randint(0, EXTRA_MAX))]
    faults: list[Fault] = []
    for kind, target in wanted:
        epoch = _epoch_for(rng, faults, _subject(kind, target))
        if epoch is not None:
            faults.append(_fault(rng, kind, target, epoch))
    faults.append(
        Fault(
            kind=FaultKind.RESTORE,
            target="journal",
            epoch=LOST_EPOCH,
            after_ms=AFTER_MS_MAX,
            lasts_ms=0,
            before_job=rng.randrange(JOBS),
        )
    )
    return Plan(
        seed=seed,
        lap=lap,
        market_seed=market_seed,
        faults=tuple(sorted(faults, key=lambda f: (f.epoch, f.after_ms, f.kind, f.target))),
    )


def _mandatory(rng: random.Random, chains: Sequence[str]) -> list[tuple[FaultKind, str]]:
    """Return what every lap has: each process killed, each kind once."""
    kills = [(FaultKind.KILL, _on_chain(rng, name, chains)) for name in DESK_PROCESSES]
    kills += [(FaultKind.KILL, chain) for chain in chains]
    return kills + [(kind, _node(rng, kind, chains)) for kind in (FaultKind.REORG, *LIES)]


def _any(rng: random.Random, chains: Sequence[str]) -> tuple[FaultKind, str]:
    kind = rng.choice([FaultKind.KILL, FaultKind.REORG, *LIES])
    if kind is not FaultKind.KILL:
        return kind, _node(rng, kind, chains)
    return kind, _on_chain(rng, rng.choice([*DESK_PROCESSES, *chains]), chains)


def _on_chain(rng: random.Random, name: str, chains: Sequence[str]) -> str:
    return f"{name}@{rng.choice(list(chains))}" if name.endswith("-signer") else name


def _node(rng: random.Random, kind: FaultKind, chains: Sequence[str]) -> str:
    """Return a target that can have a fault of this kind."""
    match kind:
        case FaultKind.REORG:
            return rng.choice([chain for chain in chains if chain in REORGANISING])
        case FaultKind.FALSE | FaultKind.AHEAD:
            chain = rng.choice([chain for chain in chains if chain in SPEAKING_JSON])
        case _:
            chain = rng.choice(list(chains))
    # The first node is the one that the DEMO actors speak to: it stays honest.
    return f"{chain}#{rng.randint(1, 2)}"


def _subject(kind: FaultKind, target: str) -> str:
    if kind not in LIES:
        return target.partition("@")[0]
    chain = target.partition("#")[0]
    # A liteserver lies from inside the chain's own process, a proxy beside it.
    return f"nodes of {chain}" if chain in SPEAKING_JSON else chain


def _epoch_for(rng: random.Random, faults: Sequence[Fault], subject: str) -> int | None:
    """Return the epoch with fewest faults among those where the subject is left alone."""
    counts = [sum(fault.epoch == epoch for fault in faults) for epoch in range(EPOCHS)]
    taken = {fault.epoch for fault in faults if fault.subject == subject}
    free = [epoch for epoch in range(EPOCHS) if epoch not in taken]
    if not free:
        return None
    fewest = min(counts[epoch] for epoch in free)
    return rng.choice([epoch for epoch in free if counts[epoch] == fewest])


def _fault(rng: random.Random, kind: FaultKind, target: str, epoch: int) -> Fault:
    is_reorg = kind is FaultKind.REORG
    return Fault(
        kind=kind,
        target=target,
        epoch=epoch,
        after_ms=rng.randint(0, AFTER_MS_MAX),
        lasts_ms=0 if is_reorg else rng.randint(LASTS_MS_MIN, LASTS_MS_MAX),
        depth=rng.randint(1, DEPTH_MAX) if is_reorg else 0,
    )
