"""A tape read once into arrays: what every estimator measures from."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dmm.calibration.depth import States, Trades
from dmm.market.book import Book
from dmm.market.instrument import ContractKind, Instrument
from dmm.market.tape import BestQuote, DepthUpdate, FeedEvent, Level, TradePrint
from dmm.units.errors import TapeFault
from dmm.units.time import NS_PER_S

SAMPLE_NS = 10 * NS_PER_S
"""Distance in time at which the whole book is looked at."""

SAMPLES_MAX = 100_000
"""Books looked at, eleven days of them; later ones are left out and the reader is told."""

SAMPLE_LEVELS_MAX = 5_000
"""Levels a side that a look takes in."""

SILENCE_NS_MAX = 60 * NS_PER_S
"""A longer time without a book state was not observed: a recorder was away, a market closed."""

SILENCE_LEFT_NS = NS_PER_S
"""What is left of a silence when it is cut out: one step of the grid of seconds."""


class ArrivalMode(StrEnum):
    """How depths of trades are taken: each trade, or the deepest of each step of a grid."""

    TRADE = "trade"
    GRID = "grid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a kind of recording is read, so that its numbers can be compared.

    `by_exchange`: times are the venue's, else the recorder's. `snapshot_is_state`: a snapshot
    counts as a book state. `on_grid`: σ and drift are read each second, else state by state.
    `nominal_ns`: length of the observation when it is not what the tape shows, 0 else.
    """

    by_exchange: bool
    snapshot_is_state: bool
    on_grid: bool
    arrival: ArrivalMode
    nominal_ns: int = 0


RAW_READING = Reading(
    by_exchange=False, snapshot_is_state=True, on_grid=True, arrival=ArrivalMode.GRID
)
"""A recording of messages with the recorder's own clock."""


def hour_reading(hours: int) -> Reading:
    """Return how hours of one-second updates are read: by the venue's clock, nominally long.

    Parameters
    ----------
    hours : number of hours joined, > 0
    """
    return Reading(
        by_exchange=True,
        snapshot_is_state=False,
        on_grid=False,
        arrival=ArrivalMode.TRADE,
        nominal_ns=hours * 3_600 * NS_PER_S,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observation:
    """A tape in arrays: states after each depth message, trades, and the book each ten seconds.

    Times in ns and not falling, prices in ticks, sizes in lots. `books` holds bids and asks, best
    first. `unusable` counts states without two uncrossed sides; they are left out. `from_quotes`:
    the tape has no depth messages, so its best quotes are the states.
    """

    at_ns: NDArray[np.int64]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]
    bid_size: NDArray[np.int64]
    ask_size: NDArray[np.int64]
    trade_at_ns: NDArray[np.int64]
    trade_price: NDArray[np.int64]
    trade_size: NDArray[np.int64]
    trade_is_buy: NDArray[np.bool_]
    books: tuple[tuple[tuple[Level, ...], tuple[Level, ...]], ...] = ()
    unusable: int = 0
    from_quotes: bool = False
    cut_samples: bool = False

    @property
    def mid_half_ticks(self) -> NDArray[np.int64]:
        """Return bid + ask of every state."""
        return self.bid + self.ask

    @property
    def states(self) -> States:
        """Return times and mids."""
        return States(at_ns=self.at_ns, mid_half_ticks=self.mid_half_ticks)

    @property
    def trades(self) -> Trades:
        """Return times, prices and aggressors."""
        return Trades(
            at_ns=self.trade_at_ns, price_ticks=self.trade_price, is_buy=self.trade_is_buy
        )

    @property
    def volume_lots(self) -> int:
        """Return the size of all trades together."""
        return int(self.trade_size.sum())

    @property
    def silent(self) -> NDArray[np.bool_]:
        """Tell for each change from one state to the next whether it spans a silence."""
        return np.diff(self.at_ns) > SILENCE_NS_MAX

    def awake(self) -> Self:
        """Return the observation with its silences cut out.

        Each is shortened to `SILENCE_LEFT_NS` and trades inside it are left out: no book tells how
        deep they reached. Times after it move forward by what was cut, so that rates count only
        what was observed.
        """
        silent = self.silent
        if not silent.any():
            return self
        begins_ns, ends_ns = self.at_ns[:-1][silent], self.at_ns[1:][silent]
        cut_ns = np.concatenate(([0], np.cumsum(ends_ns - begins_ns - SILENCE_LEFT_NS)))
        seen = np.searchsorted(ends_ns, self.trade_at_ns, side="right")
        kept = np.searchsorted(begins_ns, self.trade_at_ns, side="left") == seen
        return replace(
            self,
            at_ns=self.at_ns - cut_ns[np.searchsorted(ends_ns, self.at_ns, side="right")],
            trade_at_ns=(self.trade_at_ns - cut_ns[seen])[kept],
            trade_price=self.trade_price[kept],
            trade_size=self.trade_size[kept],
            trade_is_buy=self.trade_is_buy[kept],
        )

    def at(self, chosen: NDArray[np.int64]) -> Self:
        """Return an observation of some of the states, by their indices."""
        return replace(
            self,
            at_ns=self.at_ns[chosen],
            bid=self.bid[chosen],
            ask=self.ask[chosen],
            bid_size=self.bid_size[chosen],
            ask_size=self.ask_size[chosen],
        )


@dataclass(slots=True)
class _Rows:
    """Columns of 64-bit integers that grow: eight bytes a value, whatever the tape's length."""

    columns: tuple[array[int], ...]

    @classmethod
    def of(cls, width: int) -> Self:
        return cls(tuple(array("q") for _ in range(width)))

    def __len__(self) -> int:
        return len(self.columns[0])

    def add(self, *values: int) -> None:
        for column, value in zip(self.columns, values, strict=True):
            column.append(value)

    def arrays(self) -> list[NDArray[np.int64]]:
        return [np.array(column, dtype=np.int64) for column in self.columns]


@dataclass(slots=True)
class _Collector:
    reading: Reading
    allow_flaws: bool
    book: Book = field(default_factory=Book)
    states: _Rows = field(default_factory=lambda: _Rows.of(5))
    quotes: _Rows = field(default_factory=lambda: _Rows.of(5))
    trades: _Rows = field(default_factory=lambda: _Rows.of(4))
    books: list[tuple[tuple[Level, ...], tuple[Level, ...]]] = field(default_factory=list)
    next_sample_at_ns: int | None = None
    unusable: int = 0
    cut_samples: bool = False
    saw_depth: bool = False

    def take(self, event: FeedEvent) -> None:
        at_ns = event.exchange_at_ns if self.reading.by_exchange else event.received_at_ns
        if isinstance(event, DepthUpdate):
            self.saw_depth = True
            self._sample(at_ns)
            self.book.apply(event)
            if self.reading.snapshot_is_state or not event.is_snapshot:
                self._take_book(at_ns)
        elif isinstance(event, TradePrint):
            self.trades.add(at_ns, event.price, event.size, event.buyer_is_aggressor)
        elif isinstance(event, BestQuote) and not self.saw_depth:
            self._take(self.quotes, at_ns, (event.bid, event.bid_size), (event.ask, event.ask_size))

    def _take_book(self, at_ns: int) -> None:
        self._take(self.states, at_ns, self.book.best_bid, self.book.best_ask)

    def _take(
        self,
        rows: _Rows,
        at_ns: int,
        bid: tuple[int, int] | None,
        ask: tuple[int, int] | None,
    ) -> None:
        if bid is not None and ask is not None and 0 < bid[0] < ask[0]:
            rows.add(at_ns, bid[0], ask[0], bid[1], ask[1])
            return
        if not self.allow_flaws:
            side = "bid" if bid is None else "ask"
            what = f"crossed: bid {bid[0]}, ask {ask[0]} ticks" if bid and ask else f"empty: {side}"
            raise TapeFault(f"the book at {at_ns} ns is {what}; --allow-gaps counts and goes on")
        self.unusable += 1

    def _sample(self, at_ns: int) -> None:
        if self.next_sample_at_ns is None:
            self.next_sample_at_ns = at_ns + SAMPLE_NS
        if at_ns < self.next_sample_at_ns:
            return
        # Steps without a message are skipped, not filled: the book of a silence is one book.
        missed = (at_ns - self.next_sample_at_ns) // SAMPLE_NS
        self.next_sample_at_ns += (missed + 1) * SAMPLE_NS
        if len(self.books) >= SAMPLES_MAX:
            self.cut_samples = True
        elif self.book.best_bid and self.book.best_ask and not self.book.is_crossed:
            self.books.append(self.book.top(SAMPLE_LEVELS_MAX))

    def observation(self) -> Observation:
        rows = self.states if self.saw_depth else self.quotes
        at_ns, bid, ask, bid_size, ask_size = rows.arrays()
        trade_at_ns, price, size, is_buy = self.trades.arrays()
        return Observation(
            # Clocks that ran back were counted by the reader of the tape.
            at_ns=np.maximum.accumulate(at_ns),
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            trade_at_ns=np.maximum.accumulate(trade_at_ns),
            trade_price=price,
            trade_size=size,
            trade_is_buy=is_buy.astype(np.bool_),
            books=tuple(self.books),
            unusable=self.unusable,
            from_quotes=not self.saw_depth,
            cut_samples=self.cut_samples,
        )


def observe_tape(
    events: Iterable[FeedEvent], *, reading: Reading, allow_flaws: bool = False
) -> Observation:
    """Read a tape once; the best bid and ask are read once per depth message.

    Parameters
    ----------
    events : in the order of the reading's clock
    allow_flaws : leave out and count states that are crossed or have an empty side

    Raises
    ------
    TapeFault
        If a state is crossed or one-sided and flaws are not allowed, or the tape holds neither two
        states nor a trade: nothing could be measured.
    """
    collector = _Collector(reading, allow_flaws)
    for event in events:
        collector.take(event)
    seen = collector.observation()
    if seen.at_ns.size < 2 and not seen.trade_size.size:
        raise TapeFault(
            f"the tape holds {seen.at_ns.size} book states and no trade: there is nothing to "
            "measure; name the file that continues it"
        )
    return seen


def base_of(
    size_lots: NDArray[np.int64], price_ticks: NDArray[np.int64], instrument: Instrument
) -> NDArray[np.float64]:
    """Return sizes in base: lots times the lot, or N·C/price for inverse contracts.

    Parameters
    ----------
    size_lots, price_ticks : element by element, prices > 0
    """
    per_lot = float(instrument.lot_size * instrument.contract_size)
    if instrument.kind is ContractKind.INVERSE:
        return np.asarray(size_lots * per_lot / (price_ticks * float(instrument.tick_size)))
    return np.asarray(size_lots * per_lot)


def volume_base(seen: Observation, instrument: Instrument) -> float:
    """Return the volume of all trades in base; exact but for the last rounding where linear."""
    if instrument.kind is ContractKind.INVERSE:
        return float(np.sum(base_of(seen.trade_size, seen.trade_price, instrument)))
    return float(seen.volume_lots * instrument.lot_size * instrument.contract_size)
