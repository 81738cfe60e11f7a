"""The replay engine beside hftbacktest: same tape, strategy, interval, queue model and latency.

Both sides have the tape in memory, in the form they replay. A pass of ours and a pass of the peer
take turns, so that both see the machine in the same state. The strategy is the fixed symmetric
spread with a skew, requoted every 100 ms; best quotes are left out, for the peer has no such
message. The peer runs in an environment of its own, made from `../oracle/requirements.lock`.

Prints ``{"single", "grid_1000", "scaling", "peak_mb", "prepare_s", "decode", "desk", "memory",
"oracle", "oracle_of_others"}``.
"""

from __future__ import annotations

import resource
from pathlib import Path

from bench.replay.fills import compare_fills
from bench.replay.passes import GRID
from bench.replay.peer import Peer
from bench.replay.speed import desk_seconds, memory_figures, scaling_figures, side_by_side
from bench.replay.tape import DEFAULT_TAPE, OTHER_TAPE, decode_figures, load, prepare_figures

PEER_PASSES = 24
"""Of the thousand; so many are timed and stand for all."""

TILES = (1, 10, 100)


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures of ours and the peer, and how far their fills agree; fewer in a smoke."""
    path = tape or DEFAULT_TAPE
    if not path.is_file():
        raise SystemExit(f"replay: no tape at {path}: name one with --tape")
    decode = decode_figures(path)
    loaded = load(path)
    prepare_s = prepare_figures(loaded)
    with Peer(loaded.ready, loaded.instrument) as peer:
        passes = 4 if smoke else PEER_PASSES
        speed = side_by_side(loaded.ready, peer, passes=passes, prepare_s=prepare_s["warm"])
        table = compare_fills(loaded.ready, peer, loaded.instrument)
    others = {} if smoke or tape is not None else {OTHER_TAPE.name: _compare_other(OTHER_TAPE)}
    return {
        "tape": path.name,
        **speed,
        "prepare_s": prepare_s,
        "decode": decode,
        "desk": desk_seconds(path, loaded, count=10 if smoke else GRID),
        "memory": memory_figures(loaded.ready),
        "scaling": scaling_figures(loaded, tiles=TILES[:1] if smoke else TILES),
        "oracle": table,
        "oracle_of_others": others,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def _compare_other(path: Path) -> list[dict[str, object]]:
    loaded = load(path)
    with Peer(loaded.ready, loaded.instrument) as peer:
        return compare_fills(loaded.ready, peer, loaded.instrument)
