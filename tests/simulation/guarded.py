"""The ports as one worker has them: every call is a point at which anything may happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulation.chain_model import Tx
from simulation.nodes import member_keys

from dmm.ports import SignedTx, SignRequest
from dmm.settlement.intent import Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import OutcomeUnknown, Permanent, Retryable
from dmm.units.time import Nanos

if TYPE_CHECKING:
    from simulation.world import World


@dataclass
class Clock:
    world: World

    def now_ns(self) -> Nanos:
        return Nanos(self.world.now_ns)


class Guarded:
    """The journal, with a boundary before and after every call and commits that go unheard."""

    def __init__(self, world: World, chain: Any) -> None:
        self._world = world
        self._chain = chain

    def __getattr__(self, name: str) -> Callable[..., Any]:
        world, chain = self._world, self._chain

        def call(*args: Any, **kwargs: Any) -> Any:
            world.boundary(chain)
            if world.chaos and world.rng.random() < 0.01:
                raise Retryable(f"{name}: the connection was lost before it was sent")
            world.before(name, chain, args, kwargs)
            result = getattr(world.journal, name)(*args, **kwargs)
            world.after(name, chain, args, kwargs, result)
            if world.chaos and world.rng.random() < 0.01:
                raise OutcomeUnknown(f"{name}: the connection was lost after the commit")
            world.boundary(chain)
            return result

        return call


class Signer:
    """Signs once per slot and bump: asked again it returns the same bytes, or refuses another."""

    def __init__(self, world: World, chain: Any) -> None:
        self._world, self._chain = world, chain

    def address(self, _chain: str, lane: str = "") -> str:
        return f"0x51-{lane}"

    def sign(self, request: SignRequest) -> SignedTx:
        world = self._world
        world.boundary(self._chain)
        world.about_to_sign(self._chain, request)
        if world.chaos and world.rng.random() < 0.03:
            raise Retryable("the signer cannot be reached")
        pays = request.purpose is Purpose.PAY
        if pays and world.killed:
            raise Retryable("the kill switch holds")
        if pays and request.intent.intent_id in world.refused:
            raise Permanent("the day's cap is spent")
        signer = self.address("evm", request.intent.kind.value)
        place = (signer, request.slot, request.bump, request.purpose)
        made = self._made(request, signer)
        known_id, known = world.register.setdefault(place, (request.intent.intent_id, made))
        if pays and (known_id, known.raw) != (request.intent.intent_id, made.raw):
            raise Permanent(f"slot {request.slot} was signed for something else")
        world.boundary(self._chain)
        return known

    def _made(self, request: SignRequest, signer: str) -> SignedTx:
        intent = request.intent
        body = (
            f"{intent.intent_id.hex()[:12]}.{intent.deadline_s}.{request.generation}."
            f"{request.slot}.{request.bump}.{request.purpose.value}.{request.anchor}"
        )
        tx = Tx(
            tx_id=body,
            key=self._chain.replay_key(request),
            signer=signer,
            slot=request.slot,
            deadline_s=intent.deadline_s,
            pays=request.purpose is Purpose.PAY,
            expires=request.expires or intent.deadline_s,
            anchor=request.anchor,
            members=member_keys(intent) if request.purpose is Purpose.PAY else (),
        )
        self._world.bytes_of.setdefault(body.encode(), tx)
        return SignedTx(
            tx_id=body, raw=body.encode(), signer=signer, fee_atoms_max=Atoms(1 + request.bump)
        )
