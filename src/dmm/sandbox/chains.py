"""The local chains: one seam for every kind, so that nothing above it knows a chain by name.

A chain's package below `dmm.sandbox` has a module ``local`` with two functions, which `open_chain`
and `missing` call:

``open_chain(*, root, folder, cache_dir)``
    returns its `LocalChain`, not started; see `open_chain` for the parameters.
``missing(root)``
    returns why the chain cannot run on this machine, one line without a full stop at its end, or
    an empty text when it can. It imports what the chain needs and starts nothing.

The signer processes and the desk find a chain's signatures in its adapter: ``sign.Key(secret)``,
``sign.sign_settlement(request, key=, book=)``, ``sign.sign_quote(quote, key=, book=)``,
``verify.acceptance_is_signed(quote, acceptance, signature, book=)``, and the book that all of them
take, ``codec.Book(chain_id=, deployments=)``, whose ``chain_id`` is the signer policy's.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, cast

from dmm.adapters.signers.policy import SignerPolicy
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import UsageFault
from dmm.units.ids import Hash32, Json

LOCAL_CHAINS = ("evm", "solana", "ton")
"""Every chain there is a local node for; the first is the home chain."""


class LocalChain(Protocol):
    """One local chain: its node as a child process, our contracts on it, and its DEMO actors.

    The order of calls is `start`, `deploy`, then everything else; `stop` may come at any time.
    Addresses are text in the chain's own form, exactly as its adapter writes them.
    """

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        ...

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        ...

    def start(self) -> None:
        """Start the node as a child, or continue the chain that its folder holds.

        Blocks are made on the chain's own beat from here on, so that everything becomes final.

        Raises
        ------
        ServiceFault
            If it does not come up.
        """
        ...

    def stop(self) -> None:
        """Stop the node by its pid; again, or before a start, is a no-op."""
        ...

    def is_healthy(self) -> bool:
        """Tell whether the node runs and answers."""
        ...

    def settings(self) -> dict[str, Json]:
        """Return the fields of `dmm.settings.Settings` by which a desk reaches the started node.

        For example ``{"evm_rpc_urls": ["http://127.0.0.1:8545"]}``; the journal's and the signers'
        are not among them.
        """
        ...

    def deploy(self, *, position: Asset, cash: Asset, genesis_head: Hash32) -> list[Deployment]:
        """Deploy and fund everything, or return what was deployed on this chain before.

        Returns with everything final. The names are those of every chain: ``settlement``,
        ``treasury``, ``governor``, ``token:SYMBOL`` with decimals for DCT, position and cash,
        ``vault:treasury``, ``vault:desk``, ``signer:settlement``, ``signer:quote``, and
        ``actor:taker-N``, ``actor:lp-N``, ``actor:market-maker``. Every height of a ``vault:…`` or
        ``actor:…`` is at or above that of the last funding transfer.

        Parameters
        ----------
        position, cash : the instrument's assets; DCT comes along when it is neither
        genesis_head : what the governor's first order stands on
        """
        ...

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' allow-list and caps, in this chain's units of work and fee."""
        ...

    def signer_secret(self, role: str) -> bytes:
        """Return the 32 secret bytes from which ``dmm.adapters.<chain>.sign.Key`` is made.

        Parameters
        ----------
        role : ``settlement`` or ``quote``
        """
        ...

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        """Accept a quote whole as the DEMO taker it is bound to; return it with its signature.

        Parameters
        ----------
        maker_signature : the quote's, for chains where the taker's word carries it

        Raises
        ------
        UsageFault
            If the taker is none of this chain's.
        """
        ...

    def sign_statement(self, carrier: Intent) -> bytes | None:
        """Sign as the DEMO taker what its quotes come to; None where it signs no statements.

        Raises
        ------
        Permanent
            If a quote was not taken as the statement says.
        """
        ...

    def settle_as_taker(self, trade: RfqTrade) -> None:
        """Do what the taker itself must send for an accepted quote to settle; again is a no-op.

        Nothing where the desk sends the whole settlement. It does not wait for finality.
        """
        ...

    def sign_buyback_quote(
        self,
        *,
        taker: str,
        cash_asset: str,
        cash_amount: Atoms,
        bought_asset: str,
        bought_amount: Atoms,
        deadline_s: int,
        nonce: int,
    ) -> tuple[FirmQuote, bytes]:
        """Sign a firm quote as the outside DEMO market maker, who sells what is bought back.

        Parameters
        ----------
        taker : the treasury
        deadline_s : chain time until which the quote can be taken
        """
        ...


def open_chain(name: str, *, root: Path, folder: Path, cache_dir: Path) -> LocalChain:
    """Return a local chain, not started.

    Parameters
    ----------
    root : the project's folder, with ``contracts``
    folder : where the chain's state, log and seed of actors live; a later start goes on there
    cache_dir : where downloads of node packages may be kept; made when missing

    Raises
    ------
    UsageFault
        If there is no such chain.
    """
    module = importlib.import_module(_module(name))
    chain = module.open_chain(root=root, folder=folder, cache_dir=cache_dir)
    return cast("LocalChain", chain)


def missing(name: str, root: Path) -> str:
    """Return why a chain cannot run on this machine, empty when it can."""
    try:
        return str(importlib.import_module(_module(name)).missing(root))
    except ImportError as error:
        return f"{error.name or name} is not installed for this platform"


def runnable(names: tuple[str, ...], root: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the chains of `names` that can run here, and why each of the others cannot.

    Raises
    ------
    UsageFault
        If one is unknown, named twice, or the home chain is not among them.
    """
    if len(set(names)) != len(names) or HOME_CHAIN not in names:
        raise UsageFault(f"chains must hold {HOME_CHAIN!r}, each once, got {','.join(names)!r}")
    reasons = {name: missing(name, root) for name in names}
    left_out = {name: reason for name, reason in reasons.items() if reason and name != HOME_CHAIN}
    return tuple(name for name in names if name not in left_out), left_out


def left_out_text(left_out: Mapping[str, str]) -> str:
    """Return in words which chains are left out, and why."""
    return "; ".join(f"chain {name} is left out: {why}" for name, why in left_out.items())


def _module(name: str) -> str:
    if name not in LOCAL_CHAINS:
        raise UsageFault(f"there is no local chain {name!r}: choose of {', '.join(LOCAL_CHAINS)}")
    return f"dmm.sandbox.{name}.local"
