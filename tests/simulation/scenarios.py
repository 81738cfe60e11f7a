"""Single stories that chance seldom tells; each ends in a `Violation` when its rule is broken."""

from __future__ import annotations

from typing import Any

from simulation.guarded import Signer
from simulation.world import LEASE_S, Faults, Violation, World

from dmm.settlement.intent import IntentKind, IntentState
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.dispatch import kill_is_complete

TURNS_MAX = 60


def calm(**terms: Any) -> World:
    return World(3, chaos=False, faults=Faults(), **terms)


def go_on(world: World, turns: int, *, mine: bool = True) -> None:
    for _ in range(turns):
        world.now_ns += LEASE_S * NS_PER_S
        if mine:
            world.model.mine()
        world.check_now()
        for _ in world.plans:
            world.turn()


def states(world: World) -> list[IntentState]:
    return [state for _, state in world.journal.intents()]


def paid_then_silence(silence_s: int, **terms: Any) -> IntentState:
    """Pay one intent, lose the desk for so long past its deadline, start it again."""
    world = calm(intents=1, **terms)
    world.model.sweep_s = silence_s - 1
    world.turn()
    for _ in range(8):
        world.model.mine()
    (intent,) = world.plans.values()
    assert world.model.head.paid
    world.model.head.time_s = intent.deadline_s + silence_s
    world.now_ns = world.model.head.time_s * NS_PER_S
    for _ in range(8):
        world.model.mine()
    go_on(world, 3)
    return states(world)[0]


def lane_with_a_refusal(**terms: Any) -> None:
    """Let the signer refuse an intent that holds a slot: the lane goes on without it."""
    world = calm(intents=2, **terms)
    world.refused = {next(iter(world.plans))}
    go_on(world, TURNS_MAX)
    if states(world)[1] is not IntentState.FINAL:
        raise Violation(40, f"a refused payment holds its lane up: {states(world)}")


def two_classes(*, shared_lane: bool = False) -> None:
    """Let no reward be included: a buyback in a lane of its own is paid all the same."""
    world = calm(intents=3)

    class Shared(Signer):
        def address(self, _chain: str, lane: str = "") -> str:
            return "0x51-all"

    if shared_lane:
        made = world.driver
        world.driver = lambda chain, store: _with(made(chain, store), Shared(world, chain))  # type: ignore[method-assign]
    rewards = [i for i in world.plans.values() if i.kind is IntentKind.REWARD]
    accept = world.model.accept
    stuck = {intent.intent_id.hex() for intent in rewards}
    world.model.accept = lambda tx: None if tx.key in stuck else accept(tx)  # type: ignore[method-assign]
    go_on(world, 30)
    ends = {intent.kind: state for intent, state in world.journal.intents()}
    if ends[IntentKind.BUYBACK] is not IntentState.FINAL:
        raise Violation(39, f"a buyback waits for rewards: it is {ends[IntentKind.BUYBACK]}")


def _with(driver: Any, signer: Any) -> Any:
    return type(driver)(
        store=driver.store,
        chain=driver.chain,
        signer=signer,
        pace=driver.pace,
        bounds=driver.bounds,
    )


def killed_in_flight() -> tuple[World, list[str]]:
    """Kill while payments are signed and no block has them; return what is sent from then on."""
    world = calm(intents=2)
    for _ in range(2):
        world.turn()
    world.model.pool.clear()
    world.journal.kill(reason="drill", operator="op", now_ns=Nanos(world.now_ns))
    sent: list[str] = []
    accept = world.model.accept

    def watch(tx: Any) -> None:
        sent.append("PAY" if tx.pays else "BURN")
        accept(tx)

    world.model.accept = watch  # type: ignore[method-assign]
    go_on(world, 12)
    return world, sent


def is_complete(world: World) -> bool:
    chain: Any = world.chain_type(world)
    chain.life = world.life
    return kill_is_complete(store=world.journal, chain=chain)
