"""The command line ``dmm``; ``dmm --help`` lists what it does.

stdout is the result, progress goes to stderr. Exit codes: 0 ok, 1 a fault or a failed check,
2 usage.
Imports are inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from dmm.entrypoints.faults import exit_code, one_line
from dmm.units.errors import Fault, UsageFault

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    name="dmm",
    help="A market-making desk that runs itself and can be audited.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
gov = typer.Typer(help="Governance of the local chain, signed by its DEMO multisig.")
app.add_typer(gov, name="gov")
settle = typer.Typer(help="What is on its way on chain, and what is in doubt.")
app.add_typer(settle, name="settle")
tapes = typer.Typer(help="Recordings: what they hold, and our own columnar form of them.")
app.add_typer(tapes, name="tape")
risks = typer.Typer(help="Risk of a run's position, and Greeks of options.")
app.add_typer(risks, name="risk")

State = Annotated[
    Path | None,
    typer.Option("--state", help="State folder of the embedded services.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def reported(command: Callable[P, R]) -> Callable[P, R]:
    """Turn faults into one line on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except Fault as fault:
            typer.echo(f"dmm: {one_line(fault)}", err=True)
            raise typer.Exit(exit_code(fault)) from None
        except KeyboardInterrupt:
            typer.echo("dmm: interrupted; everything it started is stopped", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, SystemExit):
            raise
        except Exception as bug:  # noqa: BLE001 - the last line of defence: no traceback for users
            typer.echo(f"dmm: {_keep_traceback(bug)}", err=True)
            raise typer.Exit(1) from None

    return run


def _keep_traceback(bug: Exception) -> str:
    from dmm.settings import PROJECT_ROOT

    text = f"unexpected {type(bug).__name__}: {one_line(bug)}"
    path = PROJECT_ROOT / ".dmm" / "fault.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(traceback.format_exception(bug)), encoding="utf-8")
    except OSError:
        return text
    return f"{text} (traceback in {path})"


@app.command()
@reported
def demo(
    tape: Annotated[
        list[Path] | None,
        typer.Option("--tape", help="A recording; several files are joined by sequence id."),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(help="Further files of the tape.")] = None,
    epochs: Annotated[int, typer.Option(min=1, max=1_000, help="Equal slices of event time.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Play a gapped or truncated tape; count the gaps.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue the run that was cut off, from its journal.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the services up after the result, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Play a tape through the whole desk, settle on the local chain, audit, report."""
    from dmm.entrypoints.demo import run_demo

    if more and not tape:
        raise UsageFault(f"{more[0]}: name recordings with --tape")
    code = run_demo(
        tape=[*(tape or []), *(more or [])],
        epochs=epochs,
        seed=seed,
        allow_gaps=allow_gaps,
        resume=resume,
        keep=keep,
        as_json=as_json,
        state=state,
    )
    raise typer.Exit(code)


@app.command()
@reported
def up(
    state: State = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated market.")] = 1,
    prefect_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Port of the Prefect UI; 0 picks a free one.")
    ] = 4200,
) -> None:
    """Start the desk and stay: worker quoting, settler settling, flows on their schedules."""
    from dmm.entrypoints.up import run_up

    raise typer.Exit(run_up(state=state, seed=seed, prefect_port=prefect_port))


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


@settle.command("status")
@reported
def settle_status(state: State = None, as_json: AsJson = False) -> None:
    """Show open intents, those in quarantine, live slots, and whether a kill is complete."""
    from dmm.entrypoints.settlement import run_status

    run_status(state=state, as_json=as_json)


@settle.command("release")
@reported
def settle_release(
    intent: Annotated[str, typer.Argument(help="Its id, 64 hex digits.")], state: State = None
) -> None:
    """End an intent's quarantine; needs an order for it, executed by the multisig."""
    from dmm.entrypoints.settlement import run_release

    run_release(intent=intent, state=state)


@settle.command("reverse")
@reported
def settle_reverse(
    intent: Annotated[str, typer.Argument(help="Its id, 64 hex digits.")], state: State = None
) -> None:
    """Undo a payment that the chain took back; needs an order for it, executed by the multisig."""
    from dmm.entrypoints.settlement import run_reverse

    run_reverse(intent=intent, state=state)


@gov.command("release")
@reported
def gov_release(state: State = None) -> None:
    """Execute the release of the present kill on the local chain, signed by 2 of 3 DEMO owners."""
    from dmm.entrypoints.control import run_gov_release

    run_gov_release(state=state)


@app.command()
@reported
def doctor(as_json: AsJson = False, state: State = None) -> None:
    """Check Python, disk, ports, locked versions, database, chain and clock, each with a cure."""
    from dmm.entrypoints.doctor import run_doctor

    raise typer.Exit(run_doctor(as_json=as_json, state=state))


@app.command()
@reported
def quote(
    model: Annotated[
        str | None,
        typer.Option(help="as2008, dct, glft, glft-exact, cartea-jaimungal or hummingbot."),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(help="The formula's inputs: a JSON object, @FILE, or - for stdin.")
    ] = None,
    guard_percent: Annotated[
        float | None,
        typer.Option(help="Refuse a half-spread beyond this share of mid; 10 unless given."),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="as2008: simulate the table of the paper.")
    ] = None,
    gamma: Annotated[float | None, typer.Option(help="Risk aversion of the table.")] = None,
    paths: Annotated[
        int | None, typer.Option(help="Paths of the table; 1,000 unless given.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the table; 1 unless given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print one quote of a model, or the simulated table of a paper."""
    from dmm.entrypoints.quote import QuoteRequest, run_quote

    request = QuoteRequest(
        model=model,
        inputs=inputs,
        guard_percent=guard_percent,
        table=table,
        gamma=gamma,
        paths=paths,
        seed=seed,
    )
    run_quote(request, as_json=as_json)


@app.command()
@reported
def calibrate(
    tape: Annotated[
        list[Path],
        typer.Argument(help="Recordings that continue each other, the earliest first."),
    ],
    fit_range: Annotated[
        str | None, typer.Option(help="Ticks over which κ and A are fitted; 0:20 unless given.")
    ] = None,
    arrival: Annotated[
        str | None,
        typer.Option(help="trade: each trade's depth; grid: the deepest of each 100 ms."),
    ] = None,
    tick_size: Annotated[
        str | None, typer.Option(help="Quote per base, where the tape does not tell it.")
    ] = None,
    allow_gaps: Annotated[
        bool, typer.Option("--allow-gaps", help="Count the tape's flaws and go on.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the intervals.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure a recording: σ, κ and A with their confidence, order flow, liquidity."""
    from dmm.entrypoints.calibrate import run_calibrate

    run_calibrate(
        tape=tape,
        fit_range=fit_range,
        arrival=arrival,
        tick_size=tick_size,
        allow_gaps=allow_gaps,
        seed=seed,
        as_json=as_json,
    )


@app.command()
@reported
def bench(
    name: Annotated[str, typer.Argument(help="A module of the folder bench: spine, quote, …")],
    as_json: AsJson = False,
    tape: Annotated[Path | None, typer.Option(help="The recording to play.")] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A size that proves that it runs, and nothing else.")
    ] = False,
) -> None:
    """Run a benchmark."""
    from dmm.entrypoints.bench import run_bench

    run_bench(name, as_json=as_json, tape=tape, smoke=smoke)


@app.command()
@reported
def audit(
    export: Annotated[
        Path | None,
        typer.Option(help="Write what proves every intent, for contracts/verify/verify.mjs."),
    ] = None,
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Compare the chain with the ledger, account by account; outflow without a reason latches."""
    from dmm.entrypoints.audit import run_audit

    raise typer.Exit(run_audit(state=state, export=export, as_json=as_json))


@app.command()
@reported
def backup(
    out: Annotated[Path, typer.Option("--out", help="The file to make; never written over.")],
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Write one consistent snapshot of the journal to a file, with its digest."""
    from dmm.entrypoints.backup import run_backup

    run_backup(out=out, state=state, as_json=as_json)


@app.command()
@reported
def restore(
    file: Annotated[Path, typer.Argument(help="What `dmm backup` made.")],
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Bring a backup back into an empty database; nothing is signed until the chain is adopted."""
    from dmm.entrypoints.backup import run_restore

    run_restore(file, state=state, as_json=as_json)


@app.command()
@reported
def runs(state: State = None, as_json: AsJson = False) -> None:
    """List the runs in the journal, the latest first."""
    from dmm.entrypoints.journal import run_list

    run_list(state=state, as_json=as_json)


@app.command("replay-journal")
@reported
def replay_journal(
    run_id: Annotated[
        str, typer.Argument(metavar="ID", help="A run, the beginning of its id, or `latest`.")
    ],
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Decide again from every journalled decision's inputs and compare the bytes."""
    from dmm.entrypoints.journal import run_replay

    raise typer.Exit(run_replay(run_id, state=state, as_json=as_json))


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def retain(context: typer.Context) -> None:
    """Prune the journal by hand, or prove what was pruned; `dmm retain --help`."""
    from dmm.entrypoints.retain import main as run_retain

    raise typer.Exit(run_retain(context.args))


@risks.callback(invoke_without_command=True)
@reported
def risk(
    context: typer.Context,
    run: Annotated[
        str | None,
        typer.Option("--run", help="A run or the beginning of its id; the latest unless given."),
    ] = None,
    level: Annotated[
        int, typer.Option(min=1, max=9_999, help="Level of VaR and CVaR in basis points.")
    ] = 9_900,
    horizon_s: Annotated[
        int, typer.Option(min=1, max=86_400, help="Length of a scenario, seconds.")
    ] = 1,
    hold_s: Annotated[
        int, typer.Option(min=1, max=86_400, help="How long a hedge takes under stress, seconds.")
    ] = 60,
    gas_per_fill: Annotated[
        int, typer.Option(min=0, help="Network fee with each fill, atoms of the cash asset.")
    ] = 0,
    unwind_gas: Annotated[
        int, typer.Option(min=0, help="Network fee of closing, atoms of the cash asset.")
    ] = 0,
    cash_price_ppm: Annotated[
        int, typer.Option(min=1, help="Price of the cash asset, millionths of its reference.")
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of CVaR's interval.")] = 1,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Print positions, VaR and CVaR, concentration, stress and limits in use, from the journal."""
    if context.invoked_subcommand is not None:
        return
    from dmm.entrypoints.risk import run_risk
    from dmm.units.amount import Atoms
    from dmm.usecases.risk import RiskQuestion

    question = RiskQuestion(
        level_bps=level,
        horizon_s=horizon_s,
        hold_s=hold_s,
        gas_per_fill_atoms=Atoms(gas_per_fill),
        unwind_gas_atoms=Atoms(unwind_gas),
        cash_price_ppm=cash_price_ppm,
    )
    run_risk(run, question, seed=seed, state=state, as_json=as_json)


@risks.command("greeks")
@reported
def risk_greeks(
    inputs: Annotated[
        str | None, typer.Option(help="An option or a book: JSON, @FILE, or - for stdin.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print value and Greeks of European options by Black-Scholes-Merton."""
    from dmm.entrypoints.risk import run_greeks

    run_greeks(inputs, as_json=as_json)


TapePaths = Annotated[
    list[Path], typer.Argument(help="Files that continue each other, the earliest first.")
]
AllowGaps = Annotated[
    bool, typer.Option("--allow-gaps", help="Count flaws and read on instead of refusing the tape.")
]
TickSize = Annotated[
    str | None, typer.Option("--tick-size", help="Quote per base; told by the content otherwise.")
]
Coin = Annotated[
    str | None, typer.Option("--symbol", help="The coin, where neither content nor names tell it.")
]
FromQuotes = Annotated[
    bool,
    typer.Option(
        "--book-from-quotes", help="Raw recordings without a snapshot: books of one level."
    ),
]


@tapes.command("info")
@reported
def tape_info(
    paths: TapePaths,
    allow_gaps: AllowGaps = False,
    tick_size: TickSize = None,
    symbol: Coin = None,
    book_from_quotes: FromQuotes = False,
    as_json: AsJson = False,
) -> None:
    """Read a recording to its end: instrument, span, counts, flaws, clock offset, quotes."""
    from dmm.entrypoints.tape import run_info

    run_info(
        paths,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
        as_json=as_json,
    )


@tapes.command("convert")
@reported
def tape_convert(
    paths: TapePaths,
    out: Annotated[Path, typer.Option("--out", help="The native tape to make.")],
    allow_gaps: AllowGaps = False,
    tick_size: TickSize = None,
    symbol: Coin = None,
    book_from_quotes: FromQuotes = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Convert a recording to columns in parquet with zstd; whole or not at all."""
    from dmm.entrypoints.tape import run_convert

    run_convert(
        paths,
        out=out,
        allow_gaps=allow_gaps,
        tick_size=tick_size,
        symbol=symbol,
        book_from_quotes=book_from_quotes,
        force=force,
        as_json=as_json,
    )


@tapes.command("record")
@reported
def tape_record(
    venue: Annotated[str, typer.Option("--venue", help="binance-spot, binance-usdm or coinbase.")],
    symbol: Annotated[str, typer.Option("--symbol", help="Such as BTCUSDT; coinbase: BTC-USD.")],
    out: Annotated[Path, typer.Option("--out", help="The file to make; never replaced.")],
    seconds: Annotated[
        float | None, typer.Option("--seconds", help="How long; until Ctrl-C unless given.")
    ] = None,
    streams: Annotated[
        str, typer.Option("--streams", help="Some of depth,trades,bookTicker, with depth.")
    ] = "depth,trades,bookTicker",
    url: Annotated[
        str, typer.Option("--url", help="Another WebSocket server: ws:// or wss://.")
    ] = "",
    rest_url: Annotated[
        str, typer.Option("--rest-url", help="Another REST server: http:// or https://.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Record a venue's public messages as they come, through gaps and reconnects."""
    from dmm.entrypoints.record import RecordRequest, run_record

    request = RecordRequest(
        venue=venue,
        symbol=symbol,
        out=out,
        seconds=seconds,
        streams=streams,
        url=url,
        rest_url=rest_url,
    )
    run_record(request, as_json=as_json)


def main() -> None:
    """Run the command line."""
    sys.exit(app())
