"""The driver as a small machine on paper: two intents, one lane of nonces, every interleaving.

It is written from the design, shares no code with the driver, and is small enough to be explored
to its last state. `finality` is 2: a block is final when two lie above it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

READY, CLAIMED, STORED, LANDED, FINAL = "ready", "claimed slot", "stored", "landed", "final"
"""Phases of an intent: `CLAIMED` holds a slot that nothing is stored for."""

Action = str


@dataclass(frozen=True)
class Life:
    """One intent: its phase and slot, and whether a dead or sleeping worker holds its lease."""

    phase: str = READY
    slot: int | None = None
    leased: bool = False


@dataclass(frozen=True)
class State:
    """Everything there is; `nonces` are those of the final block, the next one and the head."""

    lives: tuple[Life, Life] = (Life(), Life())
    queue: tuple[int, int] = (0, 1)
    """The intents in the order in which they are due."""
    next_slot: int = 0
    nonces: tuple[int, int, int] = (0, 0, 0)
    pool: frozenset[int] = frozenset()
    crashes: int = 1
    reorgs: int = 1
    asleep: tuple[int, bool] | None = None
    """A worker asleep right before it sends: its intent, and whether another took it over."""

    def due(self) -> int | None:
        for index in self.queue:
            life = self.lives[index]
            if life.phase != FINAL and not life.leased:
                return index
        return None

    def with_life(self, index: int, life: Life) -> State:
        lives = list(self.lives)
        lives[index] = life
        return replace(self, lives=(lives[0], lives[1]))

    def released(self, index: int) -> State:
        """Give the lease back: the intent goes to the end of the queue."""
        return replace(self, queue=(1 - index, index)).with_life(
            index, replace(self.lives[index], leased=False)
        )

    def sent(self, slot: int) -> State:
        fits = slot >= self.nonces[2]
        return replace(self, pool=self.pool | {slot}) if fits else self


def actions(state: State) -> Iterator[Action]:
    """Yield what may happen next."""
    index = state.due()
    yield "mine"
    if state.reorgs:
        yield "reorg"
    if any(life.leased for life in state.lives) and state.asleep is None:
        yield "expire"
    if state.asleep is not None:
        if state.lives[state.asleep[0]].leased:
            yield "expire"
        yield "wake"
    if index is None:
        return
    yield "look"
    places = _places(state, index)
    if state.crashes:
        yield from (f"crash:{place}" for place in places)
    if state.asleep is None and "send" in places:
        yield "sleep"


def _places(state: State, index: int) -> list[str]:
    """Return the calls of a look at which a worker may die, in order."""
    life = state.lives[index]
    places = ["claim_due"]
    if life.phase == READY:
        return [*places, "allocate_slot", "store_attempt", "send"]
    if life.phase == CLAIMED:
        return [*places, "store_attempt", "send"]
    if life.phase == STORED and life.slot is not None and life.slot >= state.nonces[2]:
        return [*places, "send"]
    return places


def after(state: State, action: Action) -> State:
    """Return the state after an action."""
    match action.split(":"):
        case ["mine"]:
            return _mined(state)
        case ["reorg"]:
            return _forked(state)
        case ["expire"]:
            lives = tuple(replace(life, leased=False) for life in state.lives)
            return replace(state, lives=(lives[0], lives[1]))
        case ["wake"]:
            return _woken(state)
        case ["look"]:
            return _looked(state, upto=None)
        case ["sleep"]:
            return _looked(replace(state, asleep=(_due(state), False)), upto="asleep")
        case ["crash", place]:
            return _looked(replace(state, crashes=state.crashes - 1), upto=place)
    raise ValueError(action)


def _due(state: State) -> int:
    index = state.due()
    assert index is not None
    return index


def _mined(state: State) -> State:
    _, middle, head = state.nonces
    new = head
    while new in state.pool:
        new += 1
    pool = frozenset(slot for slot in state.pool if slot >= new)
    return replace(state, nonces=(middle, head, new), pool=pool)


def _forked(state: State) -> State:
    """Leave the head for two empty blocks on its parent; what it held is forgotten."""
    _, middle, _ = state.nonces
    return replace(state, nonces=(middle, middle, middle), reorgs=state.reorgs - 1)


def _woken(state: State) -> State:
    assert state.asleep is not None
    index, taken = state.asleep
    slot = state.lives[index].slot
    assert slot is not None
    state = replace(state.sent(slot), asleep=None)
    return state if taken else state.released(index)


def _looked(state: State, *, upto: str | None) -> State:
    """Let a worker look at the intent that is due; `upto` is the call after which it stops."""
    index = _due(state) if upto != "asleep" else (state.asleep or (0, False))[0]
    if upto != "asleep" and state.asleep is not None and state.asleep[0] == index:
        state = replace(state, asleep=(index, True))
    life = replace(state.lives[index], leased=True)
    if upto == "claim_due":
        return state.with_life(index, life)
    if life.phase == READY:
        life = replace(life, phase=CLAIMED, slot=state.next_slot)
        state = replace(state, next_slot=state.next_slot + 1)
        if upto == "allocate_slot":
            return state.with_life(index, life)
    if life.phase == CLAIMED:
        state = state.with_life(index, replace(life, phase=STORED))
        return _sending(state, index, upto)
    final, _, head = state.nonces
    slot = life.slot
    assert slot is not None
    if slot < final:
        return state.with_life(index, replace(life, phase=FINAL, leased=False))
    if slot < head:
        return state.with_life(index, replace(life, phase=LANDED)).released(index)
    if life.phase == LANDED:
        return state.with_life(index, replace(life, phase=STORED)).released(index)
    return _sending(state.with_life(index, life), index, upto)


def _sending(state: State, index: int, upto: str | None) -> State:
    slot = state.lives[index].slot
    assert slot is not None
    if upto in ("store_attempt", "asleep"):
        return state
    state = state.sent(slot)
    return state if upto == "send" else state.released(index)


def explore(depth_max: int | None) -> Iterator[tuple[tuple[Action, ...], State]]:
    """Yield a shortest way to every transition that can be reached, and the state it leads to."""
    start = State()
    seen = {start}
    queue: deque[tuple[tuple[Action, ...], State]] = deque([((), start)])
    while queue:
        path, state = queue.popleft()
        if depth_max is not None and len(path) >= depth_max:
            continue
        for action in actions(state):
            new = after(state, action)
            yield (*path, action), new
            if new not in seen:
                seen.add(new)
                queue.append(((*path, action), new))
