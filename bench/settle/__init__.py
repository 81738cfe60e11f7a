"""What settlement costs and how fast it is: gas beside its peers, intents, restart, audit.

Gas is measured by transactions on a local node, ours and the peers' in the same run, tokens and
accounts: whole quotes, the maker signs itself, unlimited allowances, both sides hold both tokens,
a later bit of a used nonce word. Batches are per quote, rounded up. Intents go through a real
journal, a signer process and the node, and count as done when they are final and booked.

Prints ``{"gas": {…}, "peers_gas": {…}, "intents_per_s", "plan_10k_s", "restart_s", "audit_100k_s",
"simulator_points_per_s", …}``.
"""

from __future__ import annotations

from pathlib import Path

from bench.settle.books import measure_audit, measure_simulator
from bench.settle.desk import measure_desk
from bench.settle.gas import measure_gas

FULL = {"intents": 200, "planned": 10_000, "events": 100_000, "seeds": 60}
SMOKE = {"intents": 8, "planned": 40, "events": 300, "seeds": 2}


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures; `smoke` runs everything in a size that proves only that it runs."""
    del tape
    size = SMOKE if smoke else FULL
    return {
        **measure_gas(),
        **measure_desk(intents=size["intents"], planned=size["planned"]),
        **measure_audit(events=size["events"]),
        **measure_simulator(seeds=size["seeds"]),
    }
