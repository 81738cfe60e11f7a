"""A signer process: ``python -m dmm.entrypoints.signer settlement|quote[-CHAIN]``.

The only processes that hold keys. Each listens on a unix socket that its own account alone can
open, signs what its policy file allows and nothing while the kill switch holds, and remembers what
it signed in a register of its own. While the desk is halted no quote is signed; what is owed is.
The settlement signer takes intents and rebuilds the transaction itself; the quote signer's key has
no settlement rights. The policy names the chain; the key lies in a keystore, or with a remote
signer that is asked for signatures and sees none of the requests it would not sign.
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
from dmm.adapters.signers.answers import QuoteSigner, SettlementSigner
from dmm.adapters.signers.chain_signing import ChainSigning, SigningChain
from dmm.adapters.signers.keystore import unlock
from dmm.adapters.signers.latch import Latches
from dmm.adapters.signers.policy import SignerPolicy, read_policy
from dmm.adapters.signers.quote_register import QuoteRegister
from dmm.adapters.signers.register import Register
from dmm.adapters.signers.remote import RemoteMethod, Tls, Web3Signer
from dmm.adapters.signers.seclusion import seclude
from dmm.adapters.signers.server import AnswerAll, SignerServer
from dmm.adapters.signers.witness import Witness
from dmm.entrypoints.faults import exit_code, one_line
from dmm.entrypoints.signer_chains import signing_chain
from dmm.ports import Clock, ControlStore
from dmm.units.errors import Fault, UsageFault

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

REGISTER_FILE = "register.sqlite"
WITNESS_FILE = "witness"


class Role(StrEnum):
    """What a signer signs."""

    SETTLEMENT = "settlement"
    QUOTE = "quote"


def role_of(name: str, chain: str) -> Role:
    """Return what a signer signs by its name, ``settlement`` or for example ``quote-solana``.

    Raises
    ------
    UsageFault
        If there is no such role, or the name is of another chain than the policy.
    """
    role, _, named = name.partition("-")
    if role not in list(Role):
        raise UsageFault(f"a signer is for {' or '.join(Role)}, got {name!r}")
    if named not in ("", chain):
        raise UsageFault(f"signer {name} has a policy of chain {chain!r}: it is another's")
    return Role(role)


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


def local_key(
    chain: SigningChain, policy: SignerPolicy, keystore: Path | None, password_file: Path | None
) -> ChainSigning:
    """Return the signatures of the key in a keystore."""
    if keystore is None or password_file is None:
        raise UsageFault("a signer has a key: give --keystore and --password-file, or --remote-url")
    return chain.make_key(unlock(keystore, password_file, curve=chain.curve), policy)


def settlement_answer(
    chain: ChainSigning,
    policy: SignerPolicy,
    *,
    folder: Path,
    witness: Path,
    latches: Latches,
    clock: Clock,
) -> SettlementSigner:
    """Return the settlement signer; `UsageFault` when nothing bounds all assets together."""
    if policy.numeraire is None:
        raise UsageFault("the policy has no [numeraire]: a settlement signer needs caps over all")
    return SettlementSigner(
        chain=chain,
        policy=policy,
        register=Register(folder / REGISTER_FILE, Witness(witness)),
        latches=latches,
        clock=clock,
    )


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
    name: Annotated[str, typer.Argument(help="settlement or quote, and -CHAIN if not evm.")],
    socket: Annotated[Path, typer.Option(help="Unix socket to listen on, mode 0600.")],
    policy: Annotated[Path, typer.Option(help="Chain, allow-list and caps, TOML.")],
    folder: Annotated[Path, typer.Option(help="The register's folder, for this signer alone.")],
    keystore: Annotated[
        Path | None, typer.Option(help="Encrypted key, version 3, mode 0600.")
    ] = None,
    password_file: Annotated[Path | None, typer.Option(help="Its password, mode 0600.")] = None,
    witness: Annotated[
        Path | None,
        typer.Option(
            help="File with the register's epoch, outside its backups; in FOLDER if unset."
        ),
    ] = None,
    latch: Annotated[
        Path | None, typer.Option(help="Nothing is signed while this file exists.")
    ] = None,
    database_url_file: Annotated[
        Path | None, typer.Option(help="File with the URL of the database with the kill switch.")
    ] = None,
    remote_url: Annotated[
        str | None, typer.Option(help="Web3Signer that holds the key, instead of a keystore.")
    ] = None,
    remote_address: Annotated[
        str | None, typer.Option(help="Address whose key it is to use.")
    ] = None,
    remote_method: Annotated[
        RemoteMethod, typer.Option(help="Whether it is shown transactions or data to sign.")
    ] = RemoteMethod.TRANSACTION,
    remote_authority: Annotated[
        Path | None, typer.Option(help="Certificates to trust instead of the system's, PEM.")
    ] = None,
    remote_certificate: Annotated[
        Path | None, typer.Option(help="Certificate to show it, PEM.")
    ] = None,
    remote_certificate_key: Annotated[
        Path | None, typer.Option(help="That certificate's key, PEM, mode 0600.")
    ] = None,
) -> None:
    """Hold one key and sign with it what the policy allows."""
    observe.configure_logging()
    try:
        seclude()
        clock, rules = SystemClock(), read_policy(policy)
        role, chain = role_of(name, rules.chain), signing_chain(rules.chain)
        if remote_url is None:
            signing = local_key(chain, rules, keystore, password_file)
        else:
            if role is Role.QUOTE or keystore is not None:
                raise UsageFault("--remote-url is for a settlement signer without a keystore")
            if chain.remote_key is None or remote_address is None:
                raise UsageFault("a remote signer serves chain 'evm' and needs --remote-address")
            tls = Tls(
                authority=remote_authority,
                certificate=remote_certificate,
                key=remote_certificate_key,
            )
            remote = Web3Signer(remote_url, tls=tls, clock=clock, method=remote_method)
            signing = chain.remote_key(remote, remote_address, rules)
        latches = latches_of(latch, database_url_file, clock)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        answer_all: AnswerAll | None = None
        match role:
            case Role.SETTLEMENT:
                settlement = settlement_answer(
                    signing,
                    rules,
                    folder=folder,
                    witness=witness or folder / WITNESS_FILE,
                    latches=latches,
                    clock=clock,
                )
                answer, answer_all = settlement.answer, settlement.answer_all
            case Role.QUOTE:
                answer = QuoteSigner(
                    chain=signing,
                    policy=rules,
                    register=QuoteRegister(
                        folder / REGISTER_FILE, Witness(witness or folder / WITNESS_FILE)
                    ),
                    latches=latches,
                    clock=clock,
                ).answer
        observe.service(name=f"signer-{name}", state="healthy", note=signing.address)
        serve(SignerServer(socket, answer, answer_all))
        socket.unlink(missing_ok=True)
    except Fault as fault:
        typer.echo(f"dmm signer: {one_line(fault)}", err=True)
        raise typer.Exit(exit_code(fault)) from None


if __name__ == "__main__":
    app()
