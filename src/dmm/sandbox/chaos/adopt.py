"""The end of adopt-only mode on local chains: their time passes as no real chain's can."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from dmm.ports import Store
from dmm.sandbox.chaos.chains import ChaosChain
from dmm.units.errors import ServiceFault

ADOPTED_S_MAX = 60.0
"""How long adopt-only mode may go on after the chains passed its end, seconds."""

PAST_S = 60
"""How far the chains' time is moved past the end of adopt-only mode, seconds."""

POLL_S = 0.2


def adopting(store: Store, chains: Iterable[str]) -> dict[str, int]:
    """Return the chains that are adopted only, with the chain time until which they are."""
    held = {name: store.adopt_only(name) for name in chains}
    return {name: found.until_s for name, found in held.items() if found is not None}


def leave_adopt_only(store: Store, chains: Mapping[str, ChaosChain]) -> None:
    """Move the chains' time past adopt-only mode and wait until the settler has ended it.

    Raises
    ------
    ServiceFault
        If it does not end in `ADOPTED_S_MAX` seconds.
    """
    held = adopting(store, chains)
    for chain in chains.values():
        chain.pass_time(max(held.values(), default=0) + PAST_S)
    until_s = time.monotonic() + ADOPTED_S_MAX
    while adopting(store, chains):
        if time.monotonic() > until_s:
            raise ServiceFault(f"adopt-only mode does not end in {ADOPTED_S_MAX:.0f} s")
        time.sleep(POLL_S)
