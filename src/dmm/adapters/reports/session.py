"""What a session of the desk came to: one value behind the table, the JSON and the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from dmm.units.ids import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochResult:
    """One epoch: the state of each flow run, and the rows each job left, or why none."""

    epoch: int
    flow_runs: dict[str, str]
    rows: dict[str, int]
    notes: dict[str, str]
    quotes: int
    fills: int
    position_lots: int
    pnl: str
    """Profit so far, marked at the epoch's last mid, in whole units of the cash asset."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """One settled payment: an intent final on chain."""

    chain: str
    kind: str
    asset: str
    amount: str
    recipient: str
    tx_id: str
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Lines of the report over event time: seconds from the start of the tape."""

    seconds: tuple[float, ...] = ()
    mid: tuple[float, ...] = ()
    inventory: tuple[float, ...] = ()
    equity: tuple[float, ...] = ()
    fill_seconds: tuple[float, ...] = ()
    fill_price: tuple[float, ...] = ()
    fill_is_buy: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionResult:
    """A whole session. `is_demo` marks simulated input and the local chain."""

    run_id: str
    symbol: str
    venue: str
    cash_asset: str
    tape: tuple[str, ...]
    is_simulated: bool
    events: int
    quotes: int
    fills: int
    epochs: tuple[EpochResult, ...]
    planned: int
    final: int
    failed: int
    settled: tuple[Settled, ...]
    chain_counts: dict[str, dict[str, Json]]
    difference_atoms: int
    checked_at_block: dict[str, int]
    pnl_quote: str
    rewards_paid: str
    buyback_paid: str
    spread_captured: str
    position: str
    report: str
    seconds: float
    timings: dict[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    findings: dict[str, int] = field(default_factory=dict)
    """Flaws of the tape by kind, counted and played over."""
    series: Series = field(default_factory=Series)

    @property
    def is_sound(self) -> bool:
        """Tell whether chain equals ledger and every planned settlement came to an end."""
        return self.difference_atoms == 0 and self.planned == self.final + self.failed

    def transactions(self, chain: str) -> list[str]:
        """Return the ids of the transactions that settled on a chain, each once.

        One may settle several payments, and a payment that somebody else's transaction made is
        known by its key alone.
        """
        return list(dict.fromkeys(s.tx_id for s in self.settled if s.chain == chain and s.tx_id))

    def to_json(self) -> dict[str, object]:
        """Return the object that ``--json`` prints."""
        return {
            "tape": list(self.tape),
            "events": self.events,
            "quotes": self.quotes,
            "fills": self.fills,
            "epochs": [
                {"epoch": e.epoch, "flow_runs": e.flow_runs, "rows": e.rows, "notes": e.notes}
                for e in self.epochs
            ],
            "intents": {"planned": self.planned, "final": self.final, "failed": self.failed},
            "chains": {
                chain: {
                    **counts,
                    "transactions": self.transactions(chain),
                }
                for chain, counts in self.chain_counts.items()
            },
            "audit": {
                "difference": self.difference_atoms,
                "checked_at_block": self.checked_at_block,
            },
            "pnl_quote": self.pnl_quote,
            "report": self.report,
            "seconds": round(self.seconds, 3),
            "run_id": self.run_id,
            "simulated": self.is_simulated,
            "timings": {name: round(value, 3) for name, value in self.timings.items()},
            "findings": self.findings,
            "warnings": list(self.warnings),
        }
