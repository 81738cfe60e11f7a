"""Keystores for a key ceremony: ``python -m dmm.entrypoints.keystore new|address``.

Run on a machine that is offline. A secret is drawn from the kernel, encrypted, and never shown.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from dmm.adapters.signers.keystore import (
    CEREMONY_WORK,
    SECRET_BYTES,
    lock,
    require_private,
    unlock,
    write_private,
)
from dmm.adapters.signers.seclusion import seclude
from dmm.entrypoints.faults import exit_code, one_line
from dmm.entrypoints.signer_chains import address_of_secret, signing_chain
from dmm.units.errors import Fault, UsageFault

PASSWORD_CHARACTERS_MIN = 20

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

Chain = Annotated[str, typer.Option(help="Chain whose key it is: evm, solana or ton.")]
Keystore = Annotated[Path, typer.Option(help="The encrypted key, mode 0600.")]
Password = Annotated[Path, typer.Option(help="File with its password, mode 0600.")]
Wallet = Annotated[str, typer.Option(help="Only ton: highload-v3 or v5, as in the policy.")]
ChainId = Annotated[int, typer.Option(help="Only ton with v5: the network's number.")]


@app.command()
def new(
    chain: Chain,
    keystore: Keystore,
    password_file: Password,
    wallet: Wallet = "",
    chain_id: ChainId = 0,
) -> None:
    """Draw a key, write it encrypted to a new file, and print its address."""
    try:
        seclude()
        curve = signing_chain(chain).curve
        require_private(password_file)
        password = password_file.read_text(encoding="utf-8").strip()
        if len(password) < PASSWORD_CHARACTERS_MIN:
            raise UsageFault(
                f"{password_file} holds fewer than {PASSWORD_CHARACTERS_MIN} characters"
            )
        # A scalar outside the curve's order has a chance of 2^-128; `lock` would refuse it.
        write_private(
            keystore,
            lock(secrets.token_bytes(SECRET_BYTES), password, curve=curve, work=CEREMONY_WORK),
        )
        # Read back: a file that cannot be opened again is found now and not at a start.
        secret = unlock(keystore, password_file, curve=curve)
        typer.echo(address_of_secret(chain, secret, wallet=wallet, chain_id=chain_id))
    except Fault as fault:
        _fail(fault)


@app.command()
def address(
    chain: Chain,
    keystore: Keystore,
    password_file: Password,
    wallet: Wallet = "",
    chain_id: ChainId = 0,
) -> None:
    """Print the address of a keystore's key."""
    try:
        seclude()
        secret = unlock(keystore, password_file, curve=signing_chain(chain).curve)
        typer.echo(address_of_secret(chain, secret, wallet=wallet, chain_id=chain_id))
    except Fault as fault:
        _fail(fault)


def _fail(fault: Fault) -> None:
    typer.echo(f"dmm keystore: {one_line(fault)}", err=True)
    raise typer.Exit(exit_code(fault)) from None


if __name__ == "__main__":
    app()
