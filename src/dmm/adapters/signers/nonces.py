"""Which nonces of a maker a quote signer may have signed, however it ended and whatever came back.

Exact for what this process signed; after a restart, by blocks: before the first quote of a block is
signed, the block's end is on disk. So a quote costs no write but every 256th, and what is below
that end is never signed again.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from dmm.units.errors import Permanent
from dmm.units.ids import Hash32

SCHEMA = """
CREATE TABLE IF NOT EXISTS nonce_end (maker TEXT PRIMARY KEY, below INTEGER NOT NULL);
"""

BLOCK = 256
"""Nonces of a block: a word of the contracts' bitmaps, which then fill without holes but one."""

KNOWN_MAX = 65_536
"""Quotes that are remembered by their content, to be signed again; older nonces are spent."""


@dataclass(slots=True)
class Nonces:
    """A maker's nonces.

    `floor`: below it any may have been signed; `end`: of the block on disk; `next`: above all that
    was signed; `known`: the quotes from `floor` on, in the order they came.
    """

    maker: str
    floor: int
    end: int
    next: int
    known: dict[int, Hash32] = field(default_factory=dict)

    @classmethod
    def load(cls, db: sqlite3.Connection, maker: str) -> Nonces:
        """Read where a maker's nonces begin; whatever was signed lies below."""
        row = db.execute("SELECT below FROM nonce_end WHERE maker = ?", (maker,)).fetchone()
        end = 0 if row is None else int(row[0])
        return cls(maker=maker, floor=end, end=end, next=end)

    def is_known(self, nonce: int, quote_id: Hash32) -> bool:
        """Tell whether exactly this quote was signed before.

        Raises
        ------
        Permanent
            If another was, or may have been, under its nonce.
        """
        known = self.known.get(nonce)
        if known == quote_id:
            return True
        if known is not None or nonce < self.floor:
            raise Permanent(
                f"nonce {nonce} of maker {self.maker} is spent, another quote had it: the next "
                f"is {self.next}"
            )
        return False

    def needs_block(self, nonce: int) -> bool:
        """Tell whether a block must be written before this nonce may be signed."""
        return nonce >= self.end

    def write_block(self, db: sqlite3.Connection, nonce: int) -> int:
        """Write the end of a nonce's block, within a transaction; return it."""
        end = (nonce // BLOCK + 1) * BLOCK
        db.execute(
            "INSERT OR REPLACE INTO nonce_end (maker, below) VALUES (?, ?)", (self.maker, end)
        )
        return end

    def take(self, nonce: int, quote_id: Hash32) -> None:
        """Remember a quote that is signed now; its block is on disk."""
        self.known[nonce] = quote_id
        self.next = max(self.next, nonce + 1)
        while len(self.known) > KNOWN_MAX:
            oldest = next(iter(self.known))
            del self.known[oldest]
            self.floor = max(self.floor, oldest + 1)
