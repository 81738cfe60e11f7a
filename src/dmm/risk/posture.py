"""The posture over time: tightens at once, loosens after a calm that lasted."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dmm.risk.breaker import Posture, Signals, demanded, next_posture, stricter
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S, Nanos

CALM_NS = Nanos(2 * NS_PER_S)
"""How long signals must demand less before the posture loosens, unless told otherwise."""


LONG_AGO_NS = Nanos(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostureState:
    """A posture and the calm that is running out its time.

    `entered_at_ns` is when the desk came into this posture. `calm_since_ns` is when signals began
    to demand less without a break, None while they do not; `calm_demand` is the strictest they
    demanded since. `seen_at_ns` is the latest time given.
    """

    posture: Posture
    entered_at_ns: Nanos = LONG_AGO_NS
    calm_since_ns: Nanos | None = None
    calm_demand: Posture = Posture.QUOTING
    seen_at_ns: Nanos = LONG_AGO_NS

    def to_json(self) -> dict[str, Json]:
        """Return the state as canonical JSON values."""
        return {
            "posture": self.posture.value,
            "entered_at_ns": self.entered_at_ns,
            "calm_since_ns": self.calm_since_ns,
            "calm_demand": self.calm_demand.value,
            "seen_at_ns": self.seen_at_ns,
        }


FIRST_STATE = PostureState(posture=Posture.PAUSED)
"""A desk starts without trust."""

DEAD_STATE = PostureState(posture=Posture.KILLED)
"""What a state that cannot be read counts as."""


def read_state(body: object) -> PostureState:
    """Read what `to_json` wrote; whatever cannot be read is `DEAD_STATE`."""
    if not isinstance(body, dict) or set(body) != set(PostureState.__dataclass_fields__):
        return DEAD_STATE
    since_ns, entered_ns, seen_ns = (
        body[name] for name in ("calm_since_ns", "entered_at_ns", "seen_at_ns")
    )
    calm_ns = 0 if since_ns is None else since_ns
    if any(type(at_ns) is not int for at_ns in (calm_ns, entered_ns, seen_ns)):
        return DEAD_STATE
    try:
        return PostureState(
            posture=Posture(body["posture"]),
            entered_at_ns=Nanos(entered_ns),
            calm_since_ns=None if since_ns is None else Nanos(since_ns),
            calm_demand=Posture(body["calm_demand"]),
            seen_at_ns=Nanos(seen_ns),
        )
    except ValueError:
        return DEAD_STATE


def step(
    state: PostureState, signals: Signals, *, now_ns: Nanos, calm_ns: int = CALM_NS
) -> PostureState:
    """Return the state after these signals.

    A stricter demand is met at once. A looser one is met when signals demanded less for `calm_ns`
    without a break, and then only down to the strictest demand of that time: a signal that flaps
    keeps the posture it demands when it is on. Latched postures never loosen here.

    Parameters
    ----------
    state : the one before
    signals : seen now
    now_ns : ns since 1970 UTC; a clock that stepped back counts as standing still
    calm_ns : ns, >= 0; with 0 the posture follows `next_posture`
    """
    now_ns = max(now_ns, state.seen_at_ns)
    wanted = demanded(signals)
    followed = next_posture(state.posture, signals)
    if followed.severity >= state.posture.severity:
        entered_at_ns = state.entered_at_ns if followed is state.posture else now_ns
        return PostureState(posture=followed, entered_at_ns=entered_at_ns, seen_at_ns=now_ns)
    if state.calm_since_ns is None:
        since_ns, strictest = now_ns, wanted
    else:
        since_ns, strictest = state.calm_since_ns, stricter(wanted, state.calm_demand)
    if now_ns - since_ns < calm_ns:
        return replace(state, calm_since_ns=since_ns, calm_demand=strictest, seen_at_ns=now_ns)
    # What was demanded at the start of the calm may be long over: it has to stay calm again.
    return PostureState(
        posture=strictest,
        entered_at_ns=now_ns,
        calm_since_ns=None if strictest is wanted else now_ns,
        calm_demand=wanted,
        seen_at_ns=now_ns,
    )
