"""A signer process: ``python -m dmm.entrypoints.signer settlement|quote``.

The only processes that hold keys. Each listens on a unix socket that its own account alone can
open, signs what its policy file allows and nothing while the kill switch holds, and remembers what
it signed in a register of its own. While the desk is halted no quote is signed; what is owed is.
The settlement signer takes intents and rebuilds the transaction itself; the quote signer's key has
no settlement rights.
"""

from __future__ import annotations

import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dmm import observe
from dmm.adapters.clock import SystemClock
from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import Key, load_key, sign_quote, sign_settlement
from dmm.adapters.signers.guard import check_burn, check_quote, check_settlement
from dmm.adapters.signers.latch import Latches
from dmm.adapters.signers.policy import SignerPolicy, read_policy
from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.server import SignerServer
from dmm.adapters.signers.wire import request_from_json, signed_to_json
from dmm.entrypoints.faults import exit_code, one_line
from dmm.ports import Clock, ControlStore, Deployment
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Purpose
from dmm.units.errors import Fault, Permanent, UsageFault
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

REGISTER_FILE = "register.sqlite"


class Role(StrEnum):
    """What a signer signs."""

    SETTLEMENT = "settlement"
    QUOTE = "quote"


class SettlementSigner:
    """Answers the driver: its address, and one signature per slot and bump."""

    def __init__(
        self, *, key: Key, policy: SignerPolicy, register: Register, latches: Latches, clock: Clock
    ) -> None:
        self._key, self._policy, self._register = key, policy, register
        self._latches, self._clock = latches, clock
        self._book = book_of(policy)

    def answer(self, body: dict[str, Json]) -> Json:
        """Answer one request; a `Fault` refuses."""
        match body:
            case {"op": "address", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._key.address
            case {"op": "sign", "request": request}:
                return self._sign(request)
            case _:
                raise Permanent(f"a settlement signer knows no such request: {body.get('op')!r}")

    def _sign(self, body: Json) -> Json:
        request = request_from_json(body)
        if request.purpose is Purpose.BURN:
            check_burn(request, self._policy)
        else:
            self._latches.require_not_killed()
            check_settlement(request, self._policy)
        cap = self._policy.caps.get(request.intent.asset)
        entry = Entry(
            request=request,
            key=self._key.address,
            day_atoms_max=0 if cap is None else cap.day_atoms,
            now_s=self._clock.now_ns() // NS_PER_S,
        )
        signed = self._register.sign_once(
            entry, lambda: sign_settlement(request, key=self._key, book=self._book)
        )
        observe.signed(
            kind=f"{request.intent.kind}:{request.purpose}", subject=request.intent.intent_id.hex()
        )
        return signed_to_json(signed)


class QuoteSigner:
    """Answers the RFQ desk: maker, signer, and signatures of firm quotes within its caps."""

    def __init__(self, *, key: Key, policy: SignerPolicy, latches: Latches, clock: Clock) -> None:
        self._key, self._policy, self._latches, self._clock = key, policy, latches, clock
        self._book = book_of(policy)

    def answer(self, body: dict[str, Json]) -> Json:
        """Answer one request; a `Fault` refuses."""
        match body:
            case {"op": "maker", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._policy.maker
            case {"op": "signer", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._key.address
            case {"op": "sign_quote", "quote": dict(quote)}:
                return self._sign(quote)
            case _:
                raise Permanent(f"a quote signer knows no such request: {body.get('op')!r}")

    def _sign(self, body: dict[str, Json]) -> Json:
        try:
            quote = FirmQuote.from_json(body)
        except TypeError as error:
            raise Permanent(f"unreadable quote: {error}") from error
        self._latches.require_not_halted()
        now_s = self._clock.now_ns() // NS_PER_S
        check_quote(quote, self._policy, signer=self._key.address, now_s=now_s)
        signature = sign_quote(quote, key=self._key, book=self._book)
        observe.signed(kind="firm_quote", subject=quote.quote_id.hex())
        return signature.hex()


def book_of(policy: SignerPolicy) -> Book:
    """Return the deployments that a policy names."""
    deployments = {
        name: Deployment(chain=policy.chain, name=name, address=address, height=0)
        for name, address in policy.contracts.items()
    }
    return Book(chain_id=policy.chain_id, deployments=deployments)


def require_chain(chain: str, policy: SignerPolicy) -> None:
    """Refuse a chain that this signer does not serve."""
    if chain != policy.chain:
        raise Permanent(f"chain {chain!r} is not allowed, only {policy.chain!r}")


def latches_of(latch: Path | None, database_url_file: Path | None, clock: Clock) -> Latches:
    """Return the kill switches to obey; `UsageFault` when there is none."""
    store: ControlStore | None = None
    if database_url_file is not None:
        from dmm.bootstrap import control_store

        try:
            store = control_store(database_url_file.read_text(encoding="utf-8").strip())
        except OSError as error:
            raise UsageFault(f"{database_url_file} cannot be read: {error.strerror}") from error
    elif latch is None:
        raise UsageFault("a signer obeys a kill switch: give --latch or --database-url-file")
    return Latches(file=latch, store=store, clock=clock)


def serve(server: SignerServer) -> None:
    """Answer until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # `shutdown` waits for the serving loop, which this thread runs.
        signal.signal(
            number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start()
        )
    with server:
        server.serve_forever(poll_interval=0.1)


@app.command()
def run(
    role: Annotated[Role, typer.Argument(help="What this process signs.")],
    socket: Annotated[Path, typer.Option(help="Unix socket to listen on, mode 0600.")],
    keystore: Annotated[Path, typer.Option(help="Encrypted key, version 3, mode 0600.")],
    password_file: Annotated[Path, typer.Option(help="Its password, mode 0600.")],
    policy: Annotated[Path, typer.Option(help="Allow-list and caps, TOML.")],
    folder: Annotated[Path, typer.Option(help="The register's folder, for this signer alone.")],
    latch: Annotated[
        Path | None, typer.Option(help="Nothing is signed while this file exists.")
    ] = None,
    database_url_file: Annotated[
        Path | None, typer.Option(help="File with the URL of the database with the kill switch.")
    ] = None,
) -> None:
    """Hold one key and sign with it what the policy allows."""
    observe.configure_logging()
    try:
        clock, rules = SystemClock(), read_policy(policy)
        key = load_key(keystore, password_file)
        latches = latches_of(latch, database_url_file, clock)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        match role:
            case Role.SETTLEMENT:
                answer = SettlementSigner(
                    key=key,
                    policy=rules,
                    register=Register(folder / REGISTER_FILE),
                    latches=latches,
                    clock=clock,
                ).answer
            case Role.QUOTE:
                answer = QuoteSigner(key=key, policy=rules, latches=latches, clock=clock).answer
        observe.service(name=f"signer-{role}", state="healthy", note=key.address)
        serve(SignerServer(socket, answer))
        socket.unlink(missing_ok=True)
    except Fault as fault:
        typer.echo(f"dmm signer: {one_line(fault)}", err=True)
        raise typer.Exit(exit_code(fault)) from None


if __name__ == "__main__":
    app()
