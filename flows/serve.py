"""Serve the desk's deployments from prefect.yaml: schedules, triggers and limits, as written there.

``python -m flows.serve [--only NAME]… [--paused]`` registers them, makes sure that runs without
heartbeat are crashed, and starts a process per run until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect import get_client
from prefect.client.schemas.objects import ConcurrencyLimitConfig, StateType
from prefect.deployments.runner import RunnerDeployment
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.deployment_triggers import DeploymentEventTrigger
from prefect.runner import Runner
from prefect.schedules import Schedule

QUERY_S = 1.0
"""How often due runs are looked for, seconds: a triggered run starts within it."""

RUNS_MAX = 4
"""Runs at a time, each a process of its own."""

HEARTBEAT_S = 30
"""How often a run tells that it is alive, seconds; Prefect refuses less."""

ZOMBIE_S = 90
"""A run that told nothing for so long is dead, seconds; three heartbeats."""

ZOMBIES = "crash runs without heartbeat"


def definition_path() -> Path:
    """Return prefect.yaml: beside this file in a wheel, in the project's root in a checkout."""
    packaged = Path(__file__).with_name("prefect.yaml")
    return packaged if packaged.exists() else packaged.parents[1] / "prefect.yaml"


def definitions(only: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the deployments of prefect.yaml, all or those named.

    Raises
    ------
    ValueError
        If a name is not defined; the text lists what is.
    """
    document = yaml.safe_load(definition_path().read_text(encoding="utf-8"))
    found = {entry["name"]: entry for entry in document["deployments"]}
    unknown = sorted(set(only) - set(found))
    if unknown:
        raise ValueError(f"no deployment {', '.join(unknown)}: there are {', '.join(found)}")
    return [entry for name, entry in found.items() if not only or name in only]


def deployment(entry: dict[str, Any], *, paused: bool) -> RunnerDeployment:
    """Return a deployment as defined; `paused` leaves its schedules off and its triggers on."""
    return RunnerDeployment.from_entrypoint(
        entrypoint=entry["entrypoint"],
        name=entry["name"],
        description=entry["description"],
        version=entry["version"],
        tags=entry["tags"],
        parameters=entry["parameters"],
        enforce_parameter_schema=entry["enforce_parameter_schema"],
        concurrency_limit=ConcurrencyLimitConfig(**entry["concurrency_limit"]),
        schedules=[schedule(part, active=not paused) for part in entry.get("schedules", [])],
        triggers=[DeploymentEventTrigger(**part) for part in entry.get("triggers", [])],
    )


def schedule(part: dict[str, Any], *, active: bool) -> Schedule:
    """Return one schedule of a definition."""
    values = dict(part)
    if "interval" in values:
        values["interval"] = dt.timedelta(seconds=values["interval"])
        values["anchor_date"] = dt.datetime.fromisoformat(values["anchor_date"])
    return Schedule(**values, active=active)


def zombie_automation() -> AutomationCore:
    """Return the automation that crashes a run whose process is gone."""
    alive = "prefect.flow-run.heartbeat"
    ends = {f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Cancelled", "Crashed")}
    return AutomationCore(
        name=ZOMBIES,
        description=f"A run that sent no heartbeat for {ZOMBIE_S} s has lost its process.",
        trigger=EventTrigger(
            after={alive},
            expect={alive, *ends},
            match={"prefect.resource.id": ["prefect.flow-run.*"]},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=dt.timedelta(seconds=ZOMBIE_S),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message=f"no heartbeat for {ZOMBIE_S} s",
                force=False,
            )
        ],
    )


async def crash_zombies() -> None:
    """Create the automation, or bring the one that is there up to date."""
    async with get_client() as client:
        known = await client.read_automations_by_name(ZOMBIES)
        if not known:
            await client.create_automation(zombie_automation())
            return
        await client.update_automation(known[0].id, zombie_automation())
        for double in known[1:]:
            await client.delete_automation(double.id)


async def serve(only: Sequence[str], *, paused: bool) -> None:
    """Register the deployments and start their runs until SIGTERM."""
    # Schedules go on over a restart of this process: what fell due meanwhile is run late.
    runner = Runner(
        name="dmm",
        query_seconds=QUERY_S,
        heartbeat_seconds=HEARTBEAT_S,
        limit=RUNS_MAX,
        pause_on_shutdown=False,
    )
    if not paused:
        # It counts every run's heartbeats in buckets of its own. On SQLite those writes can hold up
        # the server for a minute, which a session that watches its few runs itself need not bear.
        await crash_zombies()
    for entry in definitions(only):
        await runner.aadd_deployment(deployment(entry, paused=paused))
    await until_ended(runner)


async def until_ended(runner: Runner) -> None:
    """Run until SIGTERM or SIGINT, then end the runs in progress.

    Their epochs are claimed or not, as the journal tells; a later run goes on from there.
    """
    loop = asyncio.get_running_loop()
    running = asyncio.create_task(runner.start())
    # The runner's own handler, set at its first step, leaves the loop without ending its runs.
    await asyncio.sleep(0)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m flows.serve", description=__doc__)
    parser.add_argument("--only", action="append", default=[], help="serve this one; repeatable")
    parser.add_argument("--paused", action="store_true", help="leave schedules off, triggers on")
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.only, paused=chosen.paused))


if __name__ == "__main__":
    main()
