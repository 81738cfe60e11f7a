"""The Scheduler port over Prefect's REST interface: events, runs, health, retention."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from dmm.units.errors import OutcomeUnknown, Permanent, Retryable, ServiceFault
from dmm.units.ids import Json, canonical_json, content_id
from dmm.units.time import NS_PER_S, Nanos

TIMEOUT_S = 10.0
"""How long one request may take, seconds."""

RUNS_MAX = 200
"""Runs one answer holds; Prefect's own limit."""

WAIT_POLL_S = 0.2
"""Pause between two looks at a run, seconds."""

PRUNE_BATCH_MAX = 50
"""Runs one request deletes; Prefect's own limit."""

PRUNE_BATCHES_MAX = 200
"""Requests one call makes, so that it ends; the next day's call goes on."""

SECONDS_PER_DAY = 86_400

BUSY_PAUSES_S = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses before a request that the server was too busy for is made again."""

TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
UNDER_WAY = ("PENDING", "RUNNING", "CANCELLING")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowRun:
    """One run of a flow as the scheduler knows it.

    `state` is Prefect's state type (``COMPLETED``, ``FAILED``, …), `state_name` what the UI shows,
    `message` why, `url` the run's page. `created_by` is ``SCHEDULE``, ``AUTOMATION`` (an event), or
    empty for a run that was called.
    """

    flow_run_id: str
    name: str
    state: str
    state_name: str
    message: str
    parameters: Mapping[str, Any]
    deployment_id: str | None
    created_by: str
    url: str

    @property
    def is_final(self) -> bool:
        """Tell whether the run has ended."""
        return self.state in TERMINAL


class PrefectScheduler:
    """Talks to a Prefect server.

    Parameters
    ----------
    api_url : address of the REST interface, ending in ``/api``
    auth : ``user:password`` of the interface, empty for none
    now_ns : stamps events for people to read; nothing decides on it
    """

    def __init__(
        self,
        api_url: str,
        auth: str = "",
        *,
        now_ns: Callable[[], int] = time.time_ns,  # noqa: TID251 - a stamp on the wire
    ) -> None:
        self._api_url = api_url.rstrip("/")
        self._now_ns = now_ns
        user, _colon, password = auth.partition(":")
        self._client = httpx.Client(
            base_url=self._api_url,
            auth=httpx.BasicAuth(user, password) if auth else None,
            timeout=TIMEOUT_S,
        )

    def emit(self, event: str, *, resource: str, payload: dict[str, Json]) -> None:
        """Emit an event; see `dmm.ports.Scheduler`.

        Raises
        ------
        Retryable
            If the server cannot be reached: nothing was sent.
        OutcomeUnknown
            If the server broke off after the event was sent. Emitting it again is harmless: an
            event is a hint.
        ServiceFault, Permanent
            If the server refuses the password or the event.
        """
        occurred_ns = self._now_ns()
        identity = content_id("dmm/event/v1", event, resource, canonical_json(payload), occurred_ns)
        body = {
            "id": str(uuid.UUID(bytes=identity[:16])),
            "occurred": _iso(occurred_ns),
            "event": event,
            "resource": {"prefect.resource.id": resource},
            "payload": payload,
        }
        try:
            self._call("POST", "/events", json=[body])
        except _BrokenOff as error:
            raise OutcomeUnknown(f"event {event} may or may not have arrived: {error}") from error

    def flow_run(self, flow_run_id: str) -> FlowRun:
        """Return a run.

        Raises
        ------
        Permanent
            If there is no run of that id.
        Retryable, ServiceFault
            If the server cannot be reached, or refuses the password.
        """
        return self._run(self._call("GET", f"/flow_runs/{flow_run_id}"))

    def flow_runs(
        self,
        name: str | None = None,
        *,
        since_ns: Nanos | None = None,
        limit: int = RUNS_MAX,
    ) -> list[FlowRun]:
        """Return runs, the one expected last first.

        Parameters
        ----------
        name : of the flow; None for all flows
        since_ns : only runs expected to start at or after this instant, ns since 1970 UTC
        limit : 1 to `RUNS_MAX`
        """
        body: dict[str, Any] = {"sort": "EXPECTED_START_TIME_DESC", "limit": min(limit, RUNS_MAX)}
        if name is not None:
            body["flows"] = {"name": {"any_": [name]}}
        if since_ns is not None:
            body["flow_runs"] = {"expected_start_time": {"after_": _iso(since_ns)}}
        return [self._run(found) for found in self._call("POST", "/flow_runs/filter", json=body)]

    def wait_flow_run(self, flow_run_id: str, *, timeout_s: float) -> FlowRun:
        """Return a run once it has ended.

        Raises
        ------
        Retryable
            If it has not ended after `timeout_s` seconds; the text names its state.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            run = self.flow_run(flow_run_id)
            if run.is_final:
                return run
            if time.monotonic() >= deadline:
                raise Retryable(
                    f"flow run {run.name} is still {run.state_name} after {timeout_s:g} s: "
                    f"see {run.url}"
                )
            time.sleep(WAIT_POLL_S)

    def is_served(self, name: str) -> bool:
        """Tell whether a process serves a deployment; `name` is ``flow/deployment``.

        True once the process has registered its deployments with their triggers and looked for runs
        for the first time. It stays true for a minute after the process has ended.
        """
        try:
            return bool(self._call("GET", f"/deployments/name/{name}")["status"] == "READY")
        except _NotFound:
            return False

    def is_healthy(self) -> bool:
        """Tell whether the server answers and knows the password."""
        try:
            self._call("POST", "/flow_runs/count", json={})
        except (Retryable, Permanent):
            return False
        return True

    def prune_runs(self, *, now_ns: Nanos, keep_days: int) -> int:
        """Delete finished runs; see `dmm.ports.Scheduler`. At most 10,000 a call.

        Raises
        ------
        ValueError
            If `keep_days` is below 1.
        """
        if keep_days < 1:
            raise ValueError(f"keep_days must be at least 1, got {keep_days}")
        before = _iso(now_ns - keep_days * SECONDS_PER_DAY * NS_PER_S)
        old = {"state": {"type": {"any_": list(TERMINAL)}}, "end_time": {"before_": before}}
        deleted = 0
        for _batch in range(PRUNE_BATCHES_MAX):
            answer = self._call(
                "POST", "/flow_runs/bulk_delete", json={"flow_runs": old, "limit": PRUNE_BATCH_MAX}
            )
            deleted += len(answer["deleted"])
            if len(answer["deleted"]) < PRUNE_BATCH_MAX:
                break
        return deleted

    def crash_unfinished(self, *, message: str) -> int:
        """Mark every run that is under way as crashed; return how many. At most `RUNS_MAX` a call.

        For the start of a server whose processes all ended with their owner: such a run would hold
        its deployment's only slot until its heartbeat is missed.
        """
        under_way = {"state": {"type": {"any_": list(UNDER_WAY)}}}
        found = self._call(
            "POST", "/flow_runs/filter", json={"flow_runs": under_way, "limit": RUNS_MAX}
        )
        for run in found:
            self._call(
                "POST",
                f"/flow_runs/{run['id']}/set_state",
                json={"state": {"type": "CRASHED", "name": "Crashed", "message": message}},
            )
        return len(found)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        """Return itself, closed at the end of the block."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Close."""
        self.close()

    def _run(self, body: Mapping[str, Any]) -> FlowRun:
        state = body.get("state") or {}
        return FlowRun(
            flow_run_id=body["id"],
            name=body["name"],
            state=state.get("type", "PENDING"),
            state_name=state.get("name", "Pending"),
            message=state.get("message") or "",
            parameters=body["parameters"],
            deployment_id=body.get("deployment_id"),
            created_by=(body.get("created_by") or {}).get("type") or "",
            url=f"{self._api_url.removesuffix('/api')}/runs/flow-run/{body['id']}",
        )

    def _call(self, method: str, path: str, *, json: object = None) -> Any:
        where = f"Prefect at {self._api_url}"
        try:
            answer = self._client.request(method, path, json=json)
            for pause_s in BUSY_PAUSES_S:
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                # The server rolled back and asks to be asked again: its database was locked.
                time.sleep(pause_s)
                answer = self._client.request(method, path, json=json)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise Retryable(
                f"{where} cannot be reached ({error}): is it up, and is DMM_PREFECT_API_URL right?"
            ) from error
        except httpx.TransportError as error:
            raise _BrokenOff(f"{where} broke off: {type(error).__name__}") from error
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            raise ServiceFault(f"{where} refuses the password: set DMM_PREFECT_API_AUTH")
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise _NotFound(f"{where} has nothing at {path}")
        if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise _BrokenOff(f"{where} answered {answer.status_code} to {path}")
        if answer.is_error:
            words = " ".join(answer.text.split())[:200]
            raise Permanent(f"{where} refused {path} ({answer.status_code}): {words}")
        return answer.json() if answer.content else None


class _BrokenOff(Retryable):
    """The request was sent and the answer is missing: only a read may simply be repeated."""


class _NotFound(Permanent):
    """There is nothing of that name."""


def _iso(at_ns: int) -> str:
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (epoch + dt.timedelta(microseconds=at_ns // 1_000)).isoformat()
