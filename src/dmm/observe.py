"""One function per fact worth a log line or a metric.

Logs are JSON lines on stderr with correlation ids (order, fill, intent, tx, epoch, flow run).
Metrics live in `REGISTRY` and are served on ``/metrics`` by `serve_metrics`.
"""

from __future__ import annotations

import json
import logging
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, start_http_server

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

REGISTRY = CollectorRegistry(auto_describe=True)

_ORDERS_REFUSED = Counter(
    "dmm_orders_refused", "Orders the gate refused.", ["reason"], registry=REGISTRY
)
_QUOTES = Counter("dmm_quotes", "Quoting decisions that left orders.", registry=REGISTRY)
_FILLS = Counter("dmm_fills", "Fills of our orders.", ["side"], registry=REGISTRY)
_INVENTORY = Gauge("dmm_inventory_lots", "Inventory in lots.", ["symbol"], registry=REGISTRY)
_INTENTS = Counter(
    "dmm_intents", "Intents by the state they reached.", ["state"], registry=REGISTRY
)
_JOBS = Counter("dmm_jobs", "Epoch jobs by outcome.", ["job", "status"], registry=REGISTRY)
_AUDIT_DIFFERENCE = Gauge(
    "dmm_audit_difference_atoms",
    "Unexplained difference between chain and ledger.",
    ["chain"],
    registry=REGISTRY,
)
_KILLED = Gauge("dmm_killed", "1 while the kill switch holds.", registry=REGISTRY)
_POSTURE = Gauge("dmm_posture", "0 quoting to 6 killed.", registry=REGISTRY)
_HALTED = Gauge("dmm_halted", "1 while a drawdown's halt holds.", registry=REGISTRY)
_ORDERS_LEFT = Gauge(
    "dmm_orders_left_after_kill",
    "Orders that every round of a kill left open.",
    ["venue"],
    registry=REGISTRY,
)
_EFFICIENCY = Gauge(
    "dmm_spread_efficiency_bps",
    "Realised over theoretical spread of the last window with fills.",
    ["venue"],
    registry=REGISTRY,
)
_ADVERSE = Gauge(
    "dmm_adverse_move_microticks",
    "Mean move against our fills over their horizon, last window with fills.",
    ["venue"],
    registry=REGISTRY,
)
_DRIFT = Gauge(
    "dmm_inventory_drift_lots", "Net change of inventory in a day.", ["symbol"], registry=REGISTRY
)
_QUALITY_ALERTS = Counter(
    "dmm_quality_alerts", "Windows that passed a threshold.", ["kind"], registry=REGISTRY
)
_CLOCK_OFFSET = Gauge(
    "dmm_clock_offset_ms", "The database's time less this host's.", registry=REGISTRY
)
_VENUE_GAPS = Counter(
    "dmm_venue_gaps",
    "Differences found between our books and the venue's.",
    ["venue", "kind"],
    registry=REGISTRY,
)
_CONFLATED = Counter("dmm_events_conflated", "Market events folded into others.", registry=REGISTRY)
_DROPPED = Counter(
    "dmm_trades_dropped", "Trade prints dropped by a full intake.", registry=REGISTRY
)
_JOURNAL_LAG = Gauge(
    "dmm_journal_lag_records", "Records that wait for the journal.", registry=REGISTRY
)


CHILDREN_MAX = 256
"""Metrics with their labels that are kept at hand."""


@lru_cache(maxsize=CHILDREN_MAX)
def _labelled(metric: Counter | Gauge, *labels: str) -> Any:
    """Return a metric's child; looking it up takes longer than counting, and fills come often."""
    return metric.labels(*labels)


_log: FilteringBoundLogger = structlog.get_logger("dmm")


def configure_logging(level: str = "INFO", *, path: Path | None = None) -> None:
    """Send JSON log lines to stderr from `level` on; stdout stays the result's.

    Parameters
    ----------
    path : a file to append them to instead, of a process whose stderr people read
    """
    # Open until the process ends, as stderr is.
    file = sys.stderr if path is None else path.open("a", encoding="utf-8", buffering=1)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(file=file),
        cache_logger_on_first_use=True,
    )


def plain(line: str) -> str:
    """Return a log line as words for a person; what is no line of ours stays as it is."""
    try:
        fields = json.loads(line)
        event = str(fields.pop("event"))
    except (ValueError, TypeError, AttributeError, KeyError):
        return line
    told = [f"{name} {value}" for name, value in fields.items() if name not in _UNTOLD and value]
    return event.replace("_", " ") + (f": {', '.join(told)}" if told else "")


_UNTOLD = frozenset({"level", "timestamp", "run", "flow_run", "job"})
"""What a log line says beside its fact."""


def correlate(**ids: str | int) -> None:
    """Attach correlation ids to every later log line of this context."""
    structlog.contextvars.bind_contextvars(**ids)


def serve_metrics(port: int) -> int:
    """Serve ``/metrics`` on loopback and return the port it listens on; 0 picks a free one."""
    server, _thread = start_http_server(port, addr="127.0.0.1", registry=REGISTRY)
    return int(server.server_port)


def order_refused(*, order_id: str, reason: str) -> None:
    """Note that the gate refused an order."""
    _ORDERS_REFUSED.labels(reason).inc()
    _log.info("order_refused", order=order_id, reason=reason)


def quoted(*, run_id: str, seq: int, epoch: int) -> None:
    """Note a quoting decision that left orders at the venue."""
    _QUOTES.inc()
    _log.debug("quoted", run=run_id, seq=seq, epoch=epoch)


def epoch_closed(*, run_id: str, epoch: int, head: str) -> None:
    """Note the head of a run's decisions: a log kept elsewhere is what a replay can be held to."""
    _log.info("epoch_closed", run=run_id, epoch=epoch, head=head)


def filled(*, fill_id: str, side: str, symbol: str, inventory_lots: int) -> None:
    """Note a fill of ours, on its way to the ledger."""
    _labelled(_FILLS, side).inc()
    _labelled(_INVENTORY, symbol).set(inventory_lots)
    _log.debug("filled", fill=fill_id, side=side, symbol=symbol, inventory=inventory_lots)


def intent_moved(*, intent_id: str, state: str, tx_id: str | None = None) -> None:
    """Note that an intent reached a state."""
    _INTENTS.labels(state).inc()
    _log.info("intent_moved", intent=intent_id, state=state, tx=tx_id)


def intent_refused(*, intent_id: str, reason: str) -> None:
    """Note that signer or nodes refused an intent's transaction; the driver will ask again."""
    _INTENTS.labels("refused").inc()
    _log.warning("intent_refused", intent=intent_id, reason=reason)


def job_done(*, job: str, scope: str, epoch: int, status: str, note: str) -> None:
    """Note how an epoch job ended."""
    _JOBS.labels(job, status).inc()
    _log.info("job_done", job=job, scope=scope, epoch=epoch, status=status, note=note)


def audited(*, chain: str, height: int, difference_atoms: int) -> None:
    """Note an audit and its unexplained difference."""
    _AUDIT_DIFFERENCE.labels(chain).set(difference_atoms)
    _log.info("audited", chain=chain, height=height, difference=difference_atoms)


def kill_switch(*, killed: bool, reason: str, operator: str) -> None:
    """Note that the kill switch was latched or released."""
    _KILLED.set(1 if killed else 0)
    _log.warning("kill_switch", killed=killed, reason=reason, operator=operator)


def halt_latch(*, halted: bool, reason: str, operator: str) -> None:
    """Note that a drawdown halted the desk, or that a person reset it."""
    _HALTED.set(1 if halted else 0)
    _log.warning("halt_latch", halted=halted, reason=reason, operator=operator)


def orders_left(*, venue: str, orders: int, rounds: int) -> None:
    """Note that a kill's last round left orders open: a person must go to the venue."""
    _ORDERS_LEFT.labels(venue).set(orders)
    _log.error(
        "orders_left",
        venue=venue,
        orders=orders,
        rounds=rounds,
        cure="cancel them at the venue by hand",
    )


def spread_efficiency(*, venue: str, share_bps: int, poor_windows: int, is_alert: bool) -> None:
    """Note a window's realised over theoretical spread; an alert when it stayed poor."""
    _EFFICIENCY.labels(venue).set(share_bps)
    if is_alert:
        _alert("spread_efficiency", venue=venue, share_bps=share_bps, poor_windows=poor_windows)


def adverse_selection(*, venue: str, mean_microticks: int, is_alert: bool) -> None:
    """Note the mean move against a window's fills; an alert when volatility does not explain it."""
    _ADVERSE.labels(venue).set(mean_microticks)
    if is_alert:
        _alert("adverse_selection", venue=venue, mean_microticks=mean_microticks)


def inventory_drift(*, symbol: str, net_change_lots: int, volume_lots: int, is_alert: bool) -> None:
    """Note a day's net change of inventory; an alert when it is large for the volume traded."""
    _DRIFT.labels(symbol).set(net_change_lots)
    if is_alert:
        _alert(
            "inventory_drift",
            symbol=symbol,
            net_change_lots=net_change_lots,
            volume_lots=volume_lots,
        )


def _alert(kind: str, **values: str | int) -> None:
    _QUALITY_ALERTS.labels(kind).inc()
    _log.warning(kind, **values)


def clock_offset(*, offset_ns: int) -> None:
    """Note how far the database's clock is from this host's, ns."""
    _CLOCK_OFFSET.set(offset_ns // 1_000_000)


def order_unknown(*, order_id: str) -> None:
    """Note that the venue did not answer about an order in time: its state is unknown."""
    _log.error("order_unknown", order=order_id)


def venue_gap(*, venue: str, kind: str, name: str, ours: str, theirs: str) -> None:
    """Note a difference between our books and the venue's: no new orders until it is closed."""
    _VENUE_GAPS.labels(venue, kind).inc()
    _log.error("venue_gap", venue=venue, kind=kind, name=name, ours=ours, theirs=theirs)


def posture_changed(*, posture: str, severity: int, signals: tuple[str, ...]) -> None:
    """Note that the desk's posture changed, and the breakers that are on."""
    _POSTURE.set(severity)
    _log.warning("posture", posture=posture, signals=list(signals))


def conflated(*, events: int, dropped: int) -> None:
    """Note that waiting market events were folded, and how many trades had to be dropped."""
    _CONFLATED.inc(events)
    _DROPPED.inc(dropped)
    _log.warning("conflated", events=events, dropped=dropped)


def journal_lag(*, records: int) -> None:
    """Note how many decisions and fills wait for the journal."""
    _JOURNAL_LAG.set(records)


def journal_stalled(*, records: int) -> None:
    """Note that the journal does not keep up: the worker cancels and holds."""
    _JOURNAL_LAG.set(records)
    _log.error("journal_stalled", records=records)


def signed(*, kind: str, subject: str) -> None:
    """Note a signature that a signer gave: the kind of intent or quote, and its id."""
    _log.info("signed", kind=kind, subject=subject)


def service(*, name: str, state: str, pid: int | None = None, note: str = "") -> None:
    """Note that an embedded service started, became healthy, stopped or failed."""
    _log.info("service", name=name, state=state, pid=pid, note=note)


# Unconfigured, structlog would print to stdout, which belongs to results.
configure_logging("WARNING")
