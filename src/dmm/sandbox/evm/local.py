"""The local EVM chain behind the seam of all local chains, and the home of governance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import sign_statement
from dmm.adapters.signers.policy import SignerPolicy
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.sandbox.evm import deploy as site
from dmm.sandbox.evm.actors import Actors, accept, sign_buyback_quote
from dmm.sandbox.evm.install import ensure_npm
from dmm.sandbox.evm.node import CHAIN_ID, EvmNode
from dmm.sandbox.evm.signers import demo_policy
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault
from dmm.units.ids import Hash32, Json

BLOCK_MS = 50
"""Time between blocks while something is under way: finality, 16 blocks, then takes 0.8 s."""


def missing(root: Path) -> str:
    """Return an empty text: Anvil comes by npm when the chain starts."""
    del root
    return ""


def open_chain(*, root: Path, folder: Path, cache_dir: Path) -> EvmLocalChain:
    """Return the chain, not started; see `dmm.sandbox.chains.open_chain`."""
    return EvmLocalChain(root=root, folder=folder, cache_dir=cache_dir)


class EvmLocalChain:
    """Anvil, our contracts on it, and its DEMO actors; see `dmm.sandbox.chains.LocalChain`."""

    name = "evm"

    def __init__(self, *, root: Path, folder: Path, cache_dir: Path) -> None:
        self._root, self._cache_dir = root, cache_dir
        self._folder = folder
        self.node = EvmNode(root=root, folder=folder, tick_ms=BLOCK_MS)
        self._actors: Actors | None = None
        self._book: Book | None = None

    @property
    def actors(self) -> Actors:
        """Return the DEMO actors of the chain's folder; the first call there makes their seed."""
        if self._actors is None:
            self._actors = Actors.of(self._folder)
        return self._actors

    @property
    def book(self) -> Book:
        """Return our deployments; `ServiceFault` before `deploy`."""
        if self._book is None:
            raise ServiceFault("nothing is deployed on the local EVM chain yet")
        return self._book

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        return self.node.pid

    def start(self) -> None:
        """Install the node's package when missing and start the node."""
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
        return {"evm_rpc_urls": [self.node.url], "evm_chain_id": CHAIN_ID}

    def deploy(self, *, position: Asset, cash: Asset, genesis_head: Hash32) -> list[Deployment]:
        """Deploy and fund everything, or return what was deployed on this chain before."""
        deployments = site.deploy(
            node=self.node,
            artefact_dir=self._root / "contracts" / "evm" / "build",
            actors=self.actors,
            position=position,
            cash=cash,
            genesis_head=genesis_head,
        )
        self.use(deployments)
        return deployments

    def use(self, deployments: list[Deployment]) -> None:
        """Take what is deployed from elsewhere, for example from the journal."""
        self._book = Book(chain_id=CHAIN_ID, deployments={d.name: d for d in deployments})

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' allow-list and caps."""
        return demo_policy(deployments)

    def signer_secret(self, role: str) -> bytes:
        """Return the secret of the treasury's operator, or of the desk's quote signer."""
        return self.actors.secret("operator" if role == "settlement" else "quote-signer")

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        """Accept a quote whole as the DEMO taker it is bound to."""
        del maker_signature
        return accept(quote, actors=self.actors, book=self.book)

    def sign_statement(self, carrier: Intent) -> bytes | None:
        """Sign as the first DEMO taker; the others sign none, so that their nets carry quotes."""
        taker = self.actors.takers[0]
        if not carrier.scope.endswith(f">{taker.address}"):
            return None
        return sign_statement(carrier, key=taker, book=self.book)

    def settle_as_taker(self, trade: RfqTrade) -> None:
        """Do nothing: the desk sends the whole settlement, by allowances the takers gave."""

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
            chain=self.name,
            taker=taker,
            cash_asset=cash_asset,
            cash_amount=cash_amount,
            bought_asset=bought_asset,
            bought_amount=bought_amount,
            deadline_s=deadline_s,
            nonce=nonce,
        )
