"""The local TON chain behind the seam of all local chains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.ton.client import MESSAGES_MAX
from dmm.adapters.ton.codec import Book
from dmm.adapters.ton.wallet import Wallet
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.sandbox.signers import demo_policy
from dmm.sandbox.ton import deploy as site
from dmm.sandbox.ton.actors import CHAIN, Actors, V5Actors, accept, sign_buyback_quote
from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.node import GLOBAL_ID, TonNode
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault
from dmm.units.ids import Hash32, Json

BLOCK_MS = 50
"""Time between blocks while something is under way: a payment takes about six."""

IDLE_MS = 500
MESSAGE_NANOTON_MAX = 10**9
"""DEMO cap of what goes with one message."""


def missing(root: Path) -> str:
    """Return why the chain cannot run here; its packages come by npm when it starts."""
    if not (root / "contracts" / "ton" / "package-lock.json").is_file():
        return f"{root}/contracts/ton is not a complete checkout"
    return ""


def open_chain(*, root: Path, folder: Path, cache_dir: Path) -> TonLocalChain:
    """Return the chain, not started; see `dmm.sandbox.chains.open_chain`."""
    return TonLocalChain(root=root, folder=folder, cache_dir=cache_dir)


class TonLocalChain:
    """The TVM, our contracts on it, and DEMO actors; see `dmm.sandbox.chains.LocalChain`."""

    name = CHAIN

    def __init__(
        self,
        *,
        root: Path,
        folder: Path,
        cache_dir: Path,
        wallet: Wallet = Wallet.HIGHLOAD_V3,
    ) -> None:
        """Describe the chain; `wallet` carries the settlement signer's messages."""
        self._wallet = wallet
        self._root, self._folder, self._cache_dir = root, folder, cache_dir
        self.node = TonNode(root=root, folder=folder, tick_ms=BLOCK_MS, idle_ms=IDLE_MS)
        self._actors: Actors | None = None
        self._book: Book | None = None

    @property
    def actors(self) -> Actors:
        """Return the DEMO actors of the chain's folder; the first call there makes their seed."""
        if self._actors is None:
            kind = V5Actors if self._wallet is Wallet.V5 else Actors
            self._actors = kind.of(self._folder)
        return self._actors

    @property
    def book(self) -> Book:
        """Return our deployments; `ServiceFault` before `deploy`."""
        if self._book is None:
            raise ServiceFault("nothing is deployed on the local TON chain yet")
        return self._book

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        return self.node.pid

    def start(self) -> None:
        """Install the node's packages when missing and start the node."""
        ensure_npm(self._root, cache_dir=self._cache_dir)
        self.node.start()

    def stop(self) -> None:
        """Stop the node; again is a no-op."""
        self.node.stop()

    def is_healthy(self) -> bool:
        """Tell whether the node runs and answers."""
        return self.node.is_healthy()

    def settings(self) -> dict[str, Json]:
        """Return how a desk reaches the started node."""
        return {
            "ton_configs": [str(self.node.config_path)],
            "ton_global_id": GLOBAL_ID,
            "ton_wallet": self._wallet.value,
        }

    def deploy(self, *, position: Asset, cash: Asset, genesis_head: Hash32) -> list[Deployment]:
        """Deploy and fund everything, or return what was deployed on this chain before."""
        deployments = site.deploy(
            node=self.node,
            build_dir=self._root / "contracts" / "ton" / "build",
            actors=self.actors,
            position=position,
            cash=cash,
            genesis_head=genesis_head,
        )
        self.use(deployments)
        return deployments

    def use(self, deployments: list[Deployment]) -> None:
        """Take what is deployed from elsewhere, for example from the journal."""
        self._book = Book(chain_id=GLOBAL_ID, deployments={d.name: d for d in deployments})

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' allow-list and caps; a unit of work is a message."""
        policy = demo_policy(
            deployments,
            chain=CHAIN,
            chain_id=GLOBAL_ID,
            unit_fee_max=MESSAGE_NANOTON_MAX,
            gas_max=MESSAGES_MAX,
        )
        return replace(policy, wallet=self._wallet.value)

    def signer_secret(self, role: str) -> bytes:
        """Return the secret of the treasury's operator, or of the desk's quote signer."""
        return self.actors.secret("operator" if role == "settlement" else "quote-signer")

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        """Accept a quote whole as the DEMO taker it is bound to."""
        return accept(quote, actors=self.actors, book=self.book, maker_signature=maker_signature)

    def sign_statement(self, carrier: Intent) -> None:
        """Sign none: nothing is netted on this chain."""

    def settle_as_taker(self, trade: RfqTrade) -> None:
        """Do nothing: the acceptance is the taker's signed order, which the desk hands in."""

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
        """Sign a firm quote as the outside DEMO market maker."""
        return sign_buyback_quote(
            actors=self.actors,
            book=self.book,
            taker=taker,
            cash_asset=cash_asset,
            cash_amount=cash_amount,
            bought_asset=bought_asset,
            bought_amount=bought_amount,
            deadline_s=deadline_s,
            nonce=nonce,
        )
