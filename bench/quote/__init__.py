"""What a quote costs: the formula alone, many at once, and a tick's whole way to the journal.

The formula runs scalar (the desk's own path and Hummingbot's), over arrays in compiled code and
over arrays in numpy, side by side in one process. Then an hour of a recording, or of the simulated
market, goes through the worker with a real journal behind it: decode, quote, gate, journal. Last,
500 orders are killed while the journal's disk does not answer.

Prints ``{"scalar_ns", "hummingbot_ns", "vector_ns", "numpy_ns", "ratios", "tick_to_quote_us",
"decision_us", "fill_to_quote_us", "rss_mb_per_h", "kill_to_last_cancel_ms", …}``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from bench.quote.formula import measure_formula
from bench.quote.kill import measure_kills
from bench.quote.ticks import measure_ticks, recorded_or_simulated

QUOTES = 2_000
"""Quotes per array: their 30 columns, half a megabyte, fit a core's second-level cache."""

ROUNDS = 15
"""Each figure is the best of so many rounds: what the code costs, without what the machine does."""

SCALARS = 20_000
HOUR_S = 3_600
SWITCH_S = 0.000_5
"""How long another thread may hold the interpreter while a tick waits; as in the worker."""

KILLS = 20

SMOKE = {"quotes": 1_000, "rounds": 3, "scalars": 2_000, "seconds": 120, "kills": 3}
FULL = {"quotes": QUOTES, "rounds": ROUNDS, "scalars": SCALARS, "seconds": HOUR_S, "kills": KILLS}


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures; `smoke` runs everything in a size that proves only that it runs."""
    size = SMOKE if smoke else FULL
    sys.setswitchinterval(SWITCH_S)
    return {
        **measure_formula(size["quotes"], size["scalars"], size["rounds"]),
        **measure_ticks(recorded_or_simulated(tape, seconds=size["seconds"])),
        **measure_kills(size["kills"]),
    }
