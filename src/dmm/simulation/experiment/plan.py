"""Parameter files: the policy a search starts from, what the venue takes, how results are judged.

A parameter file is one JSON object with up to four parts, each optional::

    {"policy": {"preset": "steady", "venue": "paper-cex", "gamma": 0.0002, "refresh_ms": 500},
     "venue": {"maker_fee_bps": 0.2, "entry_ms": 5, "response_ms": 5, "queue": "risk_averse"},
     "judging": {"block_s": 10, "folds": 4, "weights": {"sharpe": 0.5, "inventory_variance": 0.5}},
     "arrivals_per_s": {"bid": 1.5, "ask": 1.4}}
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar, cast

from dmm.governance.policy import BP_UBPS, Policy
from dmm.market.instrument import Instrument
from dmm.quoting.presets import InstrumentScale, Preset, VenueKind, preset_policy
from dmm.simulation.experiment.choice import DEFAULT_WEIGHTS, ChoiceWeights
from dmm.simulation.experiment.reality import RESAMPLES_MIN
from dmm.simulation.experiment.resample import RESAMPLES
from dmm.simulation.experiment.values import Changes, changed, changes_of, scaled, shown
from dmm.simulation.experiment.walk_forward import FOLDS_MAX
from dmm.simulation.replay.latency import Latency
from dmm.simulation.replay.run import FeeTerms, QueueModel, VenueTerms
from dmm.simulation.replay.schedule import OrderLatency
from dmm.units.amount import BPS_ONE
from dmm.units.errors import UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_MS, NS_PER_S

DELAY_NS = 5 * NS_PER_MS
"""What an order, and its answer, takes to the venue unless told otherwise: the paper venue's."""

DELAY_NS_MAX = 60 * NS_PER_S
BLOCK_NS_MAX = 86_400 * NS_PER_S
POWER_MILLI_MAX = 100_000
ARRIVALS_MICRO_MAX = 10**12
SHARE_ONE = BPS_ONE


Result = TypeVar("Result")
Named = TypeVar("Named", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueAssumptions:
    """What holds at the venue: fees in 1e-6 bps (a rebate is negative), delays, the queue model.

    `feed_ns` is the delay of the market data; None for the recorded one, the recorder's clock
    shifted so that nothing is heard before it happened. `power_milli` is the exponent of the
    ``power`` queue model in thousandths.
    """

    maker_fee_ubps: int = 0
    taker_fee_ubps: int = 0
    entry_ns: int = DELAY_NS
    response_ns: int = DELAY_NS
    feed_ns: int | None = None
    queue: str = "risk_averse"
    power_milli: int = 2_000

    @property
    def terms(self) -> VenueTerms:
        """Return them in the engine's words."""
        return VenueTerms(
            delays=OrderLatency(
                entry=Latency(constant_ns=self.entry_ns),
                response=Latency(constant_ns=self.response_ns),
            ),
            queue=QueueModel(name=self.queue, power=self.power_milli / 1_000),
            fees=(FeeTerms(maker_ubps=self.maker_fee_ubps, taker_ubps=self.taker_fee_ubps),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How results are cut and judged.

    Parameters
    ----------
    block_ns : length of a block of time, > 0
    folds : tests of the walk-forward, 1 to `FOLDS_MAX`
    train_bps : training before the first test, basis points of the blocks, above 0 and below one
    horizon_blocks, embargo_blocks : purged and left out before each test, >= 0
    resamples : of the bootstraps
    weights : of the goals by which the best set is chosen
    """

    block_ns: int = 10 * NS_PER_S
    folds: int = 4
    train_bps: int = 4_000
    horizon_blocks: int = 1
    embargo_blocks: int = 1
    resamples: int = RESAMPLES
    weights: ChoiceWeights = DEFAULT_WEIGHTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A parameter file as read.

    `preset` and `venue_kind` make the base policy from the tape's own scale unless a policy in
    force is given; `changes` are laid over it. `a_bid_micro` and `a_ask_micro` are arrivals per
    second at the mid times 1e6, which the model ``glft`` needs.
    """

    preset: Preset = Preset.STEADY
    venue_kind: VenueKind = VenueKind.PAPER_CEX
    changes: Changes = field(default_factory=dict)
    venue: VenueAssumptions = VenueAssumptions()
    judging: Judging = Judging()
    a_bid_micro: int = 0
    a_ask_micro: int = 0

    def base(
        self, instrument: Instrument, scale: InstrumentScale, *, in_force: Policy | None = None
    ) -> Policy:
        """Return the policy the search starts from.

        Raises
        ------
        UsageFault
            If the file's changes make no sound policy for this instrument.
        """
        own = in_force or preset_policy(
            self.preset,
            self.venue_kind,
            instrument,
            scale,
            reward_budget_atoms=0,
            buyback_budget_atoms_max=0,
            fee_ubps=self.venue.maker_fee_ubps,
        )
        return changed(own, self.changes, what="params, policy")

    def to_json(self) -> dict[str, Json]:
        """Return every number, whole, for the id of a search."""
        judging, venue = self.judging, self.venue
        return {
            "preset": self.preset.value,
            "venue_kind": self.venue_kind.value,
            "changes": dict(self.changes),
            "venue": {one.name: getattr(venue, one.name) for one in fields(venue)},
            "judging": {
                **{
                    o.name: getattr(judging, o.name) for o in fields(judging) if o.name != "weights"
                },
                "weights": judging.weights.in_bps,
            },
            "arrivals_micro": [self.a_bid_micro, self.a_ask_micro],
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Json]) -> Plan:
        """Read what `to_json` wrote."""
        known = cast("Any", body)
        judging = dict(known["judging"])
        weights = ChoiceWeights.from_bps(judging.pop("weights"))
        bid, ask = known["arrivals_micro"]
        return cls(
            preset=Preset(known["preset"]),
            venue_kind=VenueKind(known["venue_kind"]),
            changes=dict(known["changes"]),
            venue=VenueAssumptions(**known["venue"]),
            judging=Judging(**judging, weights=weights),
            a_bid_micro=bid,
            a_ask_micro=ask,
        )


DEFAULT_PLAN = Plan()


def plan_of_file(body: Mapping[str, object]) -> Plan:
    """Return the plan of a parameter file.

    Raises
    ------
    UsageFault
        If a name or a value is wrong; the text names both.
    """
    parts = _parts("params", body, ("policy", "venue", "judging", "arrivals_per_s"))
    policy = parts["policy"]
    preset = _one_of("params, preset", policy.pop("preset", Preset.STEADY.value), Preset)
    kind = _one_of("params, venue", policy.pop("venue", VenueKind.PAPER_CEX.value), VenueKind)
    changes: Changes = {}
    for name, value in policy.items():
        made = _placed("params, policy", functools.partial(changes_of, name, value))
        twice = sorted(set(made) & set(changes))
        if twice:
            raise UsageFault(f"params, policy: {name} sets {twice[0]} a second time: keep one")
        changes |= made
    arrivals = _only("params, arrivals_per_s", parts["arrivals_per_s"], ("bid", "ask"))
    rates = {
        side: scaled(
            f"params, arrivals_per_s, {side}", value, scale=10**6, low=1, high=ARRIVALS_MICRO_MAX
        )
        for side, value in arrivals.items()
    }
    if rates and len(rates) != 2:
        raise UsageFault("params, arrivals_per_s: give bid and ask")
    return Plan(
        preset=preset,
        venue_kind=kind,
        changes=changes,
        venue=_venue(parts["venue"]),
        judging=_judging(parts["judging"]),
        a_bid_micro=rates.get("bid", 0),
        a_ask_micro=rates.get("ask", 0),
    )


_VENUE = {
    "maker_fee_bps": ("maker_fee_ubps", BP_UBPS, -1_000 * BP_UBPS, 1_000 * BP_UBPS),
    "taker_fee_bps": ("taker_fee_ubps", BP_UBPS, -1_000 * BP_UBPS, 1_000 * BP_UBPS),
    "entry_ms": ("entry_ns", NS_PER_MS, 0, DELAY_NS_MAX),
    "response_ms": ("response_ns", NS_PER_MS, 0, DELAY_NS_MAX),
    "feed_ms": ("feed_ns", NS_PER_MS, 0, DELAY_NS_MAX),
    "queue_power": ("power_milli", 1_000, 1, POWER_MILLI_MAX),
}

_JUDGING = {
    "block_s": ("block_ns", NS_PER_S, NS_PER_MS, BLOCK_NS_MAX),
    "folds": ("folds", 1, 1, FOLDS_MAX),
    "train_share": ("train_bps", SHARE_ONE, 1, SHARE_ONE - 1),
    "horizon_blocks": ("horizon_blocks", 1, 0, 100_000),
    "embargo_blocks": ("embargo_blocks", 1, 0, 100_000),
    "resamples": ("resamples", 1, RESAMPLES_MIN, 100_000),
}


def _venue(part: Mapping[str, object]) -> VenueAssumptions:
    given = _only("params, venue", part, (*_VENUE, "queue"))
    queue = given.pop("queue", "risk_averse")
    made = _scaled_all("params, venue", given, _VENUE)
    found = VenueAssumptions(**made, queue=str(queue))
    _placed(f"params, venue, queue {shown(queue)}", lambda: found.terms.queue.code)
    return found


def _judging(part: Mapping[str, object]) -> Judging:
    given = _only("params, judging", part, (*_JUDGING, "weights"))
    weights = given.pop("weights", None)
    made = _scaled_all("params, judging", given, _JUDGING)
    found = replace(Judging(), **made)  # type: ignore[arg-type]
    if weights is None:
        return found
    names = tuple(one.name for one in fields(ChoiceWeights))
    if not isinstance(weights, dict):
        raise UsageFault(f"params, judging, weights must be an object, got {shown(weights)}")
    chosen = _only("params, judging, weights", weights, names)
    bps = {
        name: scaled(f"params, judging, weights, {name}", value, scale=SHARE_ONE, high=SHARE_ONE)
        for name, value in chosen.items()
    }
    full = {name: bps.get(name, 0) for name in names}
    return replace(
        found, weights=_placed("params, judging, weights", lambda: ChoiceWeights.from_bps(full))
    )


def _scaled_all(
    what: str, given: Mapping[str, object], table: Mapping[str, tuple[str, int, int, int]]
) -> dict[str, int]:
    made = {}
    for name, value in given.items():
        target, scale, low, high = table[name]
        made[target] = scaled(f"{what}, {name}", value, scale=scale, low=low, high=high)
    return made


def _parts(
    what: str, body: Mapping[str, object], names: tuple[str, ...]
) -> dict[str, dict[str, object]]:
    parts = {}
    for name, part in _only(what, body, names).items():
        if not isinstance(part, dict):
            raise UsageFault(f"{what}: {name} must be an object, got {shown(part)}")
        parts[name] = dict(part)
    return {name: parts.get(name, {}) for name in names}


def _only(what: str, body: Mapping[str, object], names: tuple[str, ...]) -> dict[str, object]:
    unknown = sorted(set(body) - set(names))
    if unknown:
        raise UsageFault(
            f"{what} has no {shown(unknown[0])} (given {shown(body[unknown[0]])}): "
            f"there are {', '.join(names)}"
        )
    return dict(body)


def _one_of(what: str, value: object, names: type[Named]) -> Named:
    if value not in [one.value for one in names]:
        known = ", ".join(one.value for one in names)
        raise UsageFault(f"{what} is {shown(value)}, there are {known}")
    return names(value)


def _placed(what: str, read: Callable[[], Result]) -> Result:
    """Say in a refusal where the value stands."""
    try:
        return read()
    except UsageFault as fault:
        raise UsageFault(f"{what}: {fault}") from None
