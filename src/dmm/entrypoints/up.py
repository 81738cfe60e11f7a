"""``dmm up``: the desk stays: worker quoting, settler settling, every deployment scheduled."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from dmm import observe
from dmm.adapters.postgres.roles import Role
from dmm.bootstrap import Desk
from dmm.entrypoints.demo import LOG_FILE, Progress, interruptible, wanted_chains
from dmm.governance.policy import Policy
from dmm.quoting.presets import Preset
from dmm.sandbox.chains import runnable
from dmm.sandbox.demo_program import demo_policy, opening_book, preset_of
from dmm.sandbox.market import SimulatedMarket
from dmm.sandbox.process import Child
from dmm.sandbox.stack import Stack
from dmm.sandbox.state import StateFolder
from dmm.settings import PROJECT_ROOT
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import ServiceFault, UsageFault
from dmm.usecases.control import record_genesis

FOLDER = PROJECT_ROOT / ".dmm" / "up"
WATCH_S = 0.5
"""How often the desk's own processes are looked at."""


def run_up(
    *,
    state: Path | None,
    seed: int,
    prefect_port: int,
    shadow: bool = False,
    preset: str | None = None,
) -> int:
    """Start the desk and stay until SIGINT or SIGTERM; quotes are cancelled before all else."""
    first = None if preset is None else preset_of(preset)
    observe.configure_logging("WARNING")
    folder = StateFolder((state or FOLDER).absolute())
    say = Progress(time.monotonic())
    with interruptible(), folder:
        folder.prepare()
        # The terminal is for people: what is logged goes beside the logs of the services.
        observe.configure_logging("INFO", path=folder.run / LOG_FILE)
        say("DEMO: simulated market, local chains, test tokens, paper orders")
        chains, left_out = runnable(wanted_chains(), PROJECT_ROOT)
        with Stack(
            folder, say=say, prefect_port=prefect_port, chains=chains, left_out=left_out
        ) as stack:
            watched = _start(stack, seed=seed, shadow=shadow, preset=first)
            say(f"Prefect UI at {stack.prefect_url}, login {stack.prefect_login}")
            say("the desk is up; Ctrl-C cancels the quotes and stops everything")
            try:
                _watch(watched)
            except KeyboardInterrupt:
                say("stopping: quotes first")
    return 0


def _start(stack: Stack, *, seed: int, shadow: bool, preset: Preset | None) -> list[Child]:
    """Start what the desk consists of; the worker comes last and so is the first to stop."""
    market = SimulatedMarket(np.random.default_rng(seed), duration_s=None)
    policy = demo_policy(market.instrument, opening_book(market), preset=preset or Preset.STEADY)
    desk = stack.desk()
    if preset is not None:
        require_first(desk, policy)
    stack.deploy(market.instrument, genesis_head=policy.policy_hash)
    begin_policy(desk, policy)
    worker = ["dmm.entrypoints.worker", "--seed", str(seed), *(["--shadow"] if shadow else [])]
    return [
        stack.serve(),
        stack.child("settler", ["dmm.entrypoints.settler"], role=Role.SETTLER),
        stack.child("worker", worker, role=Role.WORKER),
    ]


def require_first(desk: Desk, policy: Policy) -> None:
    """Refuse a preset named for a desk on which another is in force.

    Raises
    ------
    UsageFault
        The text names the one in force and how it is changed.
    """
    head = desk.store.policy_head()
    if head is not None and head.policy.preset != policy.preset:
        name, _, _venue = policy.preset.partition("/")
        raise UsageFault(
            f"policy {head.policy.preset} is in force on this state folder: --preset chooses the "
            f"first one of a new desk; leave it out, then `dmm gov policy --preset {name}`"
        )


def begin_policy(desk: Desk, policy: Policy) -> None:
    """Put the preset in force on a new desk; one that has a policy keeps it, whatever its market.

    Only an order executed on chain changes a policy, not another seed at the next start.
    """
    if desk.store.policy_head() is None:
        record_genesis(store=desk.store, clock=desk.clock, chain=HOME_CHAIN, policy=policy)


def _watch(children: list[Child]) -> None:
    while True:
        for child in children:
            if not child.is_alive:
                raise ServiceFault(f"{child.name} ended: {child.log_tail()}")
        time.sleep(WATCH_S)
