"""The local Solana chain behind the seam of all local chains."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.solana.calls import NONCES_PER_PAGE
from dmm.adapters.solana.codec import Book, account, chain_id_of
from dmm.adapters.solana.fees import UNITS_MAX
from dmm.adapters.solana.history import CHAIN
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.sandbox.signers import demo_policy
from dmm.sandbox.solana import deploy as site
from dmm.sandbox.solana.actors import Actors, accept, sign_buyback_quote
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.node import SolanaNode, local_programs
from dmm.settlement.intent import Intent
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault
from dmm.units.ids import Hash32, Json

PACE = Pace(slot_ms=50)
"""Finality, 32 slots, takes 1.6 s; a blockhash named at finality lives 5.9 s longer."""

UNIT_FEE_MAX = 1_000_000
"""DEMO cap of the priority fee, millionths of a lamport per compute unit."""

KEYS = {"settlement": "operator", "quote": "quote-signer"}
"""Whose key each signer holds."""


def missing(root: Path) -> str:
    """Return why the chain cannot run here: the committed program must be there."""
    for path in local_programs(root).values():
        if not path.is_file():
            return f"{path.name} is not in contracts/solana/build"
    return ""


def open_chain(*, root: Path, folder: Path, cache_dir: Path) -> SolanaLocalChain:
    """Return the chain, not started; see `dmm.sandbox.chains.open_chain`."""
    del cache_dir
    return SolanaLocalChain(root=root, folder=folder)


class SolanaLocalChain:
    """The local node, our program on it, and its DEMO actors; see `dmm.sandbox.chains`."""

    name = CHAIN

    def __init__(self, *, root: Path, folder: Path, pace: Pace = PACE) -> None:
        self._folder, self._pace = folder, pace
        self.node = SolanaNode(folder=folder, programs=local_programs(root), pace=pace)
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
            raise ServiceFault("nothing is deployed on the local Solana chain yet")
        return self._book

    @property
    def genesis_hash(self) -> str:
        """Return the started chain's genesis hash, base 58."""
        return str(self.node.call("getGenesisHash"))

    @property
    def pid(self) -> int:
        """Return the node's process id, 0 when it was never started."""
        return self.node.pid

    def start(self) -> None:
        """Start the node, or go on with the chain in its folder."""
        self.node.start()

    def stop(self) -> None:
        """Stop the node; again is a no-op."""
        self.node.stop()

    def is_healthy(self) -> bool:
        """Tell whether the node runs and answers."""
        return self.node.is_healthy()

    def settings(self) -> dict[str, Json]:
        """Return how a desk reaches the started node."""
        return {"solana_rpc_urls": [self.node.url], "solana_genesis_hash": self.genesis_hash}

    def deploy(self, *, position: Asset, cash: Asset, genesis_head: Hash32) -> list[Deployment]:
        """Make and fund everything, or return what was made on this chain before."""
        deployments = site.deploy(
            node=self.node,
            folder=self._folder,
            actors=self.actors,
            position=position,
            cash=cash,
            genesis_head=genesis_head,
            finalized_slots=self._pace.finalized_slots,
        )
        self.use(deployments)
        return deployments

    def use(self, deployments: list[Deployment]) -> None:
        """Take what is deployed from elsewhere, for example from the journal."""
        chain_id = chain_id_of(self.genesis_hash)
        self._book = Book(chain_id=chain_id, deployments={d.name: d for d in deployments})

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' allow-list and caps, in compute units and their price."""
        return demo_policy(
            deployments,
            chain=CHAIN,
            chain_id=chain_id_of(self.genesis_hash),
            unit_fee_max=UNIT_FEE_MAX,
            gas_max=max(UNITS_MAX.values()),
        )

    def signer_secret(self, role: str) -> bytes:
        """Return the secret of the treasury's operator, or of the desk's quote signer."""
        return self.actors.secret(KEYS[role])

    def accept(
        self, quote: FirmQuote, *, maker_signature: bytes | None = None
    ) -> tuple[Acceptance, bytes]:
        """Accept a quote whole as the DEMO taker it is bound to.

        The desk's next page of nonces is made here, in the middle of the one before: on a real
        cluster whoever runs the desk makes pages ahead.
        """
        del maker_signature
        maker = account(quote.maker, what="quote.maker")
        for nonce in (quote.nonce, quote.nonce + NONCES_PER_PAGE // 2):
            site.require_page(self.node.call, payer=self.actors.deployer, maker=maker, nonce=nonce)
        return accept(quote, actors=self.actors, book=self.book)

    def sign_statement(self, carrier: Intent) -> None:
        """Sign none: nothing is netted on this chain."""

    def settle_as_taker(self, trade: RfqTrade) -> None:
        """Do nothing: the desk relays the whole settlement, by the delegation the takers gave."""

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
        """Sign a firm quote as the outside DEMO market maker, its page of nonces made first."""
        maker = self.actors.market_makers_maker(self.book.program)
        site.require_page(self.node.call, payer=self.actors.market_maker, maker=maker, nonce=nonce)
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
