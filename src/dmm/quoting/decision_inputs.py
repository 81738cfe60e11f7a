"""Everything a decision depends on besides policy and instrument: integers, with one byte form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, cast

import orjson

from dmm.market.instrument import Side
from dmm.risk.breaker import Posture
from dmm.risk.limits import Cap, CapScope
from dmm.units.amount import BPS_ONE, Atoms, HalfTicks, Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.fast_init import fast_init
from dmm.units.ids import Json, canonical_json
from dmm.units.time import Nanos

NEVER_NS = Nanos(0)
NO_LOTS = Lots(0)
STILL = -1
"""The online σ of a market whose mid has not moved for a whole window."""


def decision_bytes(body: dict[str, Json]) -> bytes:
    """Return `canonical_json` of a decision's body, made by the faster encoder where it can.

    Both give the same bytes; integers beyond 64 bits only the slower one writes.
    """
    try:
        return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return canonical_json(body)


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An order of ours that is thought to rest; `remaining` is its unfilled size in lots."""

    client_id: str
    side: Side
    price: Ticks
    remaining: Lots
    placed_at_ns: Nanos = NEVER_NS


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInputs:
    """What the desk knew when it decided; `dmm.quoting.decide.decide` makes the same of it again.

    Identity: run, sequence number, epoch, time; the policy's sequence, the estimates' version (0:
    online ones) and the instrument's `valid_from_ns` say what it was decided under.

    Market, in ticks and lots: the best quote (0: none), `mid` in half ticks is the last one known.
    Fair value, in microticks, 0 when unknown: mean price and size of the best levels of each side,
    `micro_adjust_microticks` from a fitted table (signed), VWAP, TWAP, a reference price with the
    size behind it and the size on our own venue.

    Desk: inventory and what may still fill on each side in lots, drawdown >= 0 in atoms, the
    posture before, when the feed last spoke and whether it is trusted, orders thought to rest,
    orders of unknown state, room under the caps of venue, vault and desk; the clock's offset (None:
    not measured) and what is left of the venue's request budget (None: it has none) with what one
    order costs of it.

    Estimates: σ over one second in 1e-6 ticks, κ per tick times 1e9, arrivals per second at the mid
    times 1e6 on each of our sides (0: unknown), as estimated; the policy's bands come later.
    `online_sigma_microticks` is what the volatility breaker looks at whichever is quoted on, and
    `STILL` of a market that stands still.

    State and measurements: the breakers that were on, the run of toxic fills and the cycles still
    to be quoted wide; gas price over its baseline, realised over theoretical spread (both times
    10_000); how far the worst of the latest fills lay from its reference in 1e-6 bps; the age
    beyond which an order is stale, ns, 0 while it is not known.
    """

    run_id: str
    seq: int
    epoch: int
    decided_at_ns: Nanos
    policy_sequence: int
    estimate_version: int
    instrument_valid_from_ns: int
    best_bid: Ticks
    best_bid_size: Lots
    best_ask: Ticks
    best_ask_size: Lots
    mid: HalfTicks
    inventory: Lots
    outstanding_buy: Lots
    outstanding_sell: Lots
    drawdown_atoms: Atoms
    posture_before: Posture
    received_at_ns: Nanos
    feed_is_fresh: bool
    estimated_sigma_microticks: int
    estimated_kappa_nano: int
    online_sigma_microticks: int
    working: tuple[Working, ...]
    signals_before: tuple[str, ...] = ()
    a_bid_micro: int = 0
    a_ask_micro: int = 0
    latch_readable: bool = True
    killed: bool = False
    books_disagree: bool = False
    depegged: bool = False
    unknown_orders: int = 0
    clock_offset_ns: int | None = 0
    rate_weight_left: int | None = None
    order_weight: int = 1
    caps: tuple[Cap, ...] = ()
    depth_bid_microticks: int = 0
    depth_bid_lots: Lots = NO_LOTS
    depth_ask_microticks: int = 0
    depth_ask_lots: Lots = NO_LOTS
    micro_adjust_microticks: int = 0
    vwap_microticks: int = 0
    twap_microticks: int = 0
    reference_microticks: int = 0
    reference_lots: Lots = NO_LOTS
    venue_lots: Lots = NO_LOTS
    toxic_run_before: int = 0
    toxic_cycles_before: int = 0
    gas_ratio_bps: int = BPS_ONE
    realised_spread_bps: int = BPS_ONE
    fill_deviation_ubps: int = 0
    order_age_ns_max: int = 0

    @property
    def has_mid(self) -> bool:
        """Tell whether both sides are known and not crossed."""
        return 0 < self.best_bid < self.best_ask

    @property
    def body(self) -> dict[str, Json]:
        """Return every input by its name, as journalled."""
        body: dict[str, Json] = dict(zip(_PLAIN, _PLAIN_OF(self), strict=True))
        body["posture_before"] = self.posture_before.value
        body["signals_before"] = list(self.signals_before)
        body["working"] = [
            [order.client_id, order.side.value, order.price, order.remaining, order.placed_at_ns]
            for order in self.working
        ]
        body["caps"] = [
            [cap.scope.value, cap.name, cap.room_buy, cap.room_sell] for cap in self.caps
        ]
        return body

    @property
    def canonical_bytes(self) -> bytes:
        """Return the one byte form of these inputs."""
        return decision_bytes(self.body)

    @classmethod
    def from_body(cls, body: Mapping[str, Json]) -> DecisionInputs:
        """Read what `body` wrote; other names in the same mapping are left alone.

        Raises
        ------
        InvariantBroken
            If an input is missing or of another kind: the journal is not what was written.
        """
        try:
            return cls(
                **cast("dict[str, Any]", {name: _plain(name, body[name]) for name in _PLAIN}),
                posture_before=Posture(_text(body["posture_before"])),
                signals_before=tuple(_text(name) for name in _list(body["signals_before"])),
                working=tuple(_working(row) for row in _rows(body["working"], width=5)),
                caps=tuple(_cap(row) for row in _rows(body["caps"], width=4)),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise InvariantBroken(f"journalled inputs cannot be read: {fault!r}") from fault


_SHAPED: Final = ("posture_before", "signals_before", "working", "caps")
_PLAIN: Final = tuple(name for name in DecisionInputs.__dataclass_fields__ if name not in _SHAPED)
_PLAIN_OF: Final = attrgetter(*_PLAIN)
_KINDS: Final = {name: field.type for name, field in DecisionInputs.__dataclass_fields__.items()}


def _plain(name: str, value: Json) -> Json:
    kind = _KINDS[name]
    wanted = {"str": str, "bool": bool}.get(str(kind), int)
    if type(value) is not wanted and not (value is None and kind == "int | None"):
        raise ValueError(f"{name} is {value!r}, not of type {kind}")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def _rows(value: Json, *, width: int) -> list[list[Any]]:
    rows = _list(value)
    if not all(isinstance(row, list) and len(row) == width for row in rows):
        raise ValueError(f"{value!r} is no list of rows of {width}")
    return cast("list[list[Any]]", rows)


def _working(row: list[Any]) -> Working:
    client_id, side, price, remaining, placed_at_ns = row
    return Working(
        client_id=_text(client_id),
        side=Side(side),
        price=Ticks(_integer(price)),
        remaining=Lots(_integer(remaining)),
        placed_at_ns=Nanos(_integer(placed_at_ns)),
    )


def _cap(row: list[Any]) -> Cap:
    scope, name, room_buy, room_sell = row
    return Cap(
        scope=CapScope(scope),
        name=_text(name),
        room_buy=Lots(_integer(room_buy)),
        room_sell=Lots(_integer(room_sell)),
    )


def _integer(value: object) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r} is no integer")
    return value


def _text(value: object) -> str:
    if type(value) is not str:
        raise TypeError(f"{value!r} is no text")
    return value
