"""The warm runner of the epoch flows: a child that runs one flow at a time, asked by JSON lines."""

from __future__ import annotations

import itertools
import json
import selectors
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dmm.sandbox.process import Child
from dmm.settings import PROJECT_ROOT
from dmm.units.errors import ServiceFault
from dmm.units.ids import Json

READY_S_MAX = 60.0
FLOW_S_MAX = 120.0
ANSWER_BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowResult:
    """How a flow run ended: Prefect's name of its state, and what the flow returned."""

    flow_run_id: str
    state: str
    result: dict[str, Json]
    error: str


class FlowRunner:
    """Runs flows of ``flows/`` as real Prefect flow runs in one process that stays warm."""

    def __init__(self, *, folder: Path, environment: Mapping[str, str]) -> None:
        self._child = Child(
            name="flow-runner",
            argv=[sys.executable, "-m", "flows.runner"],
            log_path=folder / "runner.log",
            env=environment,
            cwd=PROJECT_ROOT,
            pipes=True,
        )
        self._numbers = itertools.count(1)
        self._rest = b""

    def spawn(self) -> None:
        """Start the process, or another after it ended; it takes some seconds until it answers."""
        self._rest = b""
        self._child.spawn()

    @property
    def pid(self) -> int:
        """Return the process id, 0 before the start."""
        return self._child.pid

    @property
    def is_alive(self) -> bool:
        """Tell whether the process runs."""
        return self._child.is_alive

    def run(self, flow: str, parameters: dict[str, Json]) -> FlowResult:
        """Run a flow and return how it ended.

        Raises
        ------
        ServiceFault
            If the runner ended or does not answer within its time.
        """
        number = next(self._numbers)
        line = json.dumps({"id": number, "flow": flow, "parameters": parameters})
        process = self._child.process
        if process is None or process.stdin is None:
            raise ServiceFault("the flow runner is not started")
        try:
            process.stdin.write(line.encode() + b"\n")
            process.stdin.flush()
        except OSError as error:
            raise ServiceFault(f"the flow runner ended: {self._child.log_tail()}") from error
        answer = json.loads(self._read_line(READY_S_MAX + FLOW_S_MAX))
        if answer.get("id") != number:
            raise ServiceFault(f"the flow runner answered {answer.get('id')} instead of {number}")
        result = answer.get("result")
        return FlowResult(
            flow_run_id=str(answer.get("flow_run_id") or ""),
            state=str(answer.get("state")),
            result=result if isinstance(result, dict) else {},
            error=str(answer.get("error") or ""),
        )

    def _read_line(self, timeout_s: float) -> bytes:
        process = self._child.process
        if process is None or process.stdout is None:
            raise ServiceFault("the flow runner is not started")
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._rest:
                if not selector.select(timeout_s):
                    raise ServiceFault(
                        f"the flow runner did not answer in {timeout_s:.0f} s: "
                        f"{self._child.log_tail()}"
                    )
                chunk = process.stdout.read1(65_536)  # type: ignore[attr-defined]
                if not chunk or len(self._rest) > ANSWER_BYTES_MAX:
                    raise ServiceFault(f"the flow runner ended: {self._child.log_tail()}")
                self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def stop(self) -> None:
        """End the process; again is a no-op."""
        self._child.stop()
