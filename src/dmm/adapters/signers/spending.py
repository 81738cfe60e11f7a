"""What left in a day, and the caps it may not pass: by asset, over all assets, to one recipient.

The rows live in the register's file and change in its transaction: what is refused is not counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

from dmm.adapters.signers.guard import CLOCK_SLACK_S
from dmm.adapters.signers.numeraire import Numeraire
from dmm.adapters.signers.outflow import Outflow, outflows
from dmm.ports import SignRequest
from dmm.units.errors import Permanent

SCHEMA = """
CREATE TABLE IF NOT EXISTS outflow (
    source TEXT PRIMARY KEY, asset TEXT NOT NULL, amount TEXT NOT NULL,
    recipient TEXT NOT NULL, day INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS day_total (
    day INTEGER NOT NULL, recipient TEXT NOT NULL, asset TEXT NOT NULL, amount TEXT NOT NULL,
    PRIMARY KEY (day, recipient, asset)
);
"""

DAY_S = 86_400

EVERYBODY = "*"
"""Stands for all recipients together; no address is spelt so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What leaves by one signature, and what the day may not exceed.

    Parameters
    ----------
    flows : recipients in the chain's one spelling
    day : UTC day, days since 1970
    day_atoms_max : atoms of an asset in one day; a plain number for every asset
    numeraire : caps over all assets together
    """

    flows: tuple[Outflow, ...]
    day: int
    day_atoms_max: int | Mapping[str, int]
    numeraire: Numeraire | None = None

    def day_max(self, asset: str) -> int:
        """Return the cap of an asset in one day, atoms; 0 for one without."""
        most = self.day_atoms_max
        return most if isinstance(most, int) else most.get(asset, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be registered, and what it may not exceed.

    Parameters
    ----------
    key : address of the key that signs
    day_atoms_max : atoms of an asset in one day; a plain number for every asset
    now_s : the signer's own clock, seconds since 1970 UTC
    flows : what leaves, recipients in the chain's one spelling; empty: what the intent says
    numeraire : caps over all assets together
    """

    request: SignRequest
    key: str
    day_atoms_max: int | Mapping[str, int]
    now_s: int
    flows: tuple[Outflow, ...] = ()
    numeraire: Numeraire | None = None

    @property
    def spend(self) -> Spend:
        """Return what leaves by it."""
        return Spend(
            flows=self.flows or outflows(self.request.intent),
            day=self.day,
            day_atoms_max=self.day_atoms_max,
            numeraire=self.numeraire,
        )

    @property
    def day(self) -> int:
        """Return the UTC day by the chain's time, where the request carries it.

        A chain that claims to be further ahead than clocks differ opens no day early.
        """
        chain_s = self.request.chain_time_s
        return min(chain_s or self.now_s, self.now_s + CLOCK_SLACK_S) // DAY_S


class Spending:
    """The caps' part of a register; every call happens inside the register's transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take the register's connection; the tables are there."""
        self._db = db

    def spend(self, spend: Spend) -> None:
        """Count what leaves for the first time.

        Raises
        ------
        Permanent
            If a day's cap has no room for it; the register's transaction must be rolled back.
        """
        flows = [flow for flow in spend.flows if not self._is_counted(flow)]
        if not flows:
            return
        day = self._day(spend)
        for flow in flows:
            self._db.execute(
                "INSERT INTO outflow (source, asset, amount, recipient, day) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT DO NOTHING",
                (flow.source, flow.asset, str(flow.amount), flow.recipient, day),
            )
            self.add(day, flow)
        # With the new rows in: the transaction is rolled back when they are too much.
        total = self._totals(day, EVERYBODY)
        for asset in {flow.asset for flow in flows}:
            new = sum(flow.amount for flow in flows if flow.asset == asset)
            most = spend.day_max(asset)
            if total[asset] > most:
                raise Permanent(
                    f"{new} atoms of {asset} exceed the day's cap: "
                    f"{max(0, most - total[asset] + new)} are left"
                )
        if spend.numeraire is not None:
            spend.numeraire.check_day(total)
            for recipient in {flow.recipient for flow in flows}:
                spend.numeraire.check_recipient(self._totals(day, recipient), recipient)

    def add(self, day: int, flow: Outflow) -> None:
        """Add what left to the totals of its day, whatever the caps."""
        # Amounts pass 64 bits, so sums are made here and not in SQL.
        for recipient in (EVERYBODY, flow.recipient):
            before = self._totals(day, recipient).get(flow.asset, 0)
            self._db.execute(
                "INSERT OR REPLACE INTO day_total (day, recipient, asset, amount)"
                " VALUES (?, ?, ?, ?)",
                (day, recipient, flow.asset, str(before + flow.amount)),
            )

    def _totals(self, day: int, recipient: str) -> dict[str, int]:
        """Return what left in a day for one recipient, atoms by asset."""
        rows = self._db.execute(
            "SELECT asset, amount FROM day_total WHERE day = ? AND recipient = ?", (day, recipient)
        )
        return {asset: int(amount) for asset, amount in rows}

    def _is_counted(self, flow: Outflow) -> bool:
        row = self._db.execute(
            "SELECT asset, amount FROM outflow WHERE source = ?", (flow.source,)
        ).fetchone()
        if row is None:
            return False
        if (row[0], int(row[1])) != (flow.asset, flow.amount):
            raise Permanent(
                f"{flow.source} was counted as {row[1]} {row[0]}, now it is {flow.amount} "
                f"{flow.asset}"
            )
        return True

    def _day(self, spend: Spend) -> int:
        """Return the day to count for; a clock set back opens no day twice."""
        last = self._db.execute("SELECT max(day) FROM day_total").fetchone()[0]
        return max(spend.day, last or 0)
