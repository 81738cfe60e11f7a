"""Run flows in one warm process: each a real flow run, without the seconds a process costs.

One JSON object a line on stdin asks for a run, one on stdout answers it, in order::

    {"id": 1, "flow": "hedge_batch", "parameters": {"run_id": "r", "epoch": 3}}
    {"id": 1, "flow_run_id": "…", "state": "Completed", "result": {…}}
    {"id": 2, "flow_run_id": "…", "state": "Failed", "error": "one line"}
    {"id": 3, "flow_run_id": null, "state": "Refused", "error": "one line"}

Refused means that no run was made. Everything else that prints goes to stderr. It ends when stdin
does, or on SIGTERM, after the run in progress.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import IO, Any, cast

from prefect import Flow
from prefect.client.schemas.objects import State
from prefect.exceptions import ParameterTypeError

from dmm import bootstrap

LINE_BYTES_MAX = 65_536
"""A longer request is refused and ends the process."""

ERROR_CHARS_MAX = 500

FLOWS = (
    "volatility_recalibration",
    "arrival_fit",
    "hedge_batch",
    "liquidity_rewards",
    "buyback_settlement",
    "pmm_settlement",
    "outbox_dispatch",
    "settlement_audit",
    "governance_apply",
    "retention",
    "parameter_search",
)
"""What may be asked for; each is a module here with a flow of its name."""


def take_stdout() -> IO[str]:
    """Return stdout for answers alone; whatever else prints there goes to stderr from now on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    return answers


def load_flows() -> dict[str, Flow[..., Any]]:
    """Import every flow and what it calls, so that the first request does not wait for it."""
    bootstrap.warm()
    return {name: getattr(importlib.import_module(f"flows.{name}"), name) for name in FLOWS}


async def answer(line: bytes, flows: dict[str, Flow[..., Any]]) -> dict[str, Any]:
    """Run what a line asks for and return the answer."""
    identity = None
    try:
        request = json.loads(line)
        identity = request["id"]
        flow = flows[request["flow"]]
        values = flow.validate_parameters(dict(request.get("parameters", {})))
        begun = cast("Awaitable[State[Any]]", flow(**values, return_state=True))
    except KeyError as error:
        known = ", ".join(flows)
        return refused(identity, f"no id, no flow, or no flow of that name: {error} ({known})")
    except (ValueError, TypeError, ParameterTypeError) as error:
        return refused(identity, f"{type(error).__name__}: {error}")
    return {"id": identity, **await report(await begun)}


def refused(identity: object, why: str) -> dict[str, Any]:
    """Return the answer to a request that made no run."""
    return {"id": identity, "flow_run_id": None, "state": "Refused", "error": _one_line(why)}


async def report(state: State[Any]) -> dict[str, Any]:
    """Return how a run ended."""
    run_id = state.state_details.flow_run_id
    told: dict[str, Any] = {"flow_run_id": str(run_id) if run_id else None, "state": state.name}
    if state.is_completed():
        return {**told, "result": await state.aresult()}
    return {**told, "error": _one_line(state.message or "no message")}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:ERROR_CHARS_MAX]


async def run(answers: IO[str]) -> None:
    """Answer requests, one at a time, until stdin ends or SIGTERM comes."""
    loop = asyncio.get_running_loop()
    flows = load_flows()
    lines = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    pipe, _protocol = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
    )
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        pipe.close()

    threading.Thread(target=await_sigterm, args=(loop, stop), daemon=True).start()
    while not stopping.is_set():
        try:
            line = await lines.readline()
        except ValueError:
            # Where the next request begins cannot be told any more.
            said = refused(None, f"a request is at most {LINE_BYTES_MAX} bytes: ended")
            answers.write(json.dumps(said) + "\n")
            return
        if not line:
            return
        answers.write(json.dumps(await answer(line, flows)) + "\n")


def await_sigterm(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    """Wait for SIGTERM and stop the loop's reading."""
    signal.sigwait({signal.SIGTERM})
    with contextlib.suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop)


def main() -> None:
    """Run until stdin ends or SIGTERM, after the run in progress."""
    # Prefect's own handler would tear a run out of the loop and leave it "running". Blocked before
    # any thread starts, the signal reaches only the thread that waits for it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    asyncio.run(run(take_stdout()))


if __name__ == "__main__":
    main()
