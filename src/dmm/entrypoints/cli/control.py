"""Commands that stop the desk and let it go on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmm.entrypoints.cli.app import AsJson, State, app, gov, reported


@app.command()
@reported
def kill(
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes to the audit log.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Latch the kill switch: new orders are blocked at once, live ones are cancelled."""
    from dmm.entrypoints.control import run_kill

    run_kill(reason=reason, state=state, as_json=as_json)


@app.command()
@reported
def resume(state: State = None, as_json: AsJson = False) -> None:
    """Release the kill switch; needs a release order executed by the multisig."""
    from dmm.entrypoints.control import run_resume

    run_resume(state=state, as_json=as_json)


@app.command()
@reported
def reset(
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes to the audit log.")],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Reset a halt: after a drawdown the desk holds no orders until a person says it may."""
    from dmm.entrypoints.control import run_reset

    run_reset(reason=reason, state=state, as_json=as_json)


@gov.command("release")
@reported
def gov_release(state: State = None) -> None:
    """Execute the release of the present kill on the local chain, signed by 2 of 3 DEMO owners."""
    from dmm.entrypoints.control import run_gov_release

    run_gov_release(state=state)


@gov.command("policy")
@reported
def gov_policy(
    preset: Annotated[
        str | None, typer.Option("--preset", help="bootstrap, steady or defensive.")
    ] = None,
    venue: Annotated[
        str | None,
        typer.Option(
            "--venue", help="paper-cex or ton-dex; that of the policy in force unless named."
        ),
    ] = None,
    body: Annotated[
        Path | None,
        typer.Option("--body", help="An order's bytes, as `dmm proposals ID --body` writes them."),
    ] = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Execute a policy on the local chain, signed by 2 of 3 DEMO owners; the desk adopts it."""
    from dmm.entrypoints.gov import run_gov_policy

    run_gov_policy(preset=preset, venue=venue, body=body, state=state, as_json=as_json)
