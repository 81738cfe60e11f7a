"""Makes our accounts and DEMO tokens on the local chain, funds everybody, says where they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms
from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.calls import NONCES_PER_PAGE, open_account
from dmm.adapters.solana.codec import SYSTEM, TOKEN, chain_id_of, token_account
from dmm.adapters.solana.history import CHAIN
from dmm.adapters.solana.pages import init_page
from dmm.adapters.solana.sign import Key
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.deployed import recorded, save
from dmm.sandbox.solana.actors import Actors
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.node import PROGRAM, SolanaNode
from dmm.sandbox.solana.transact import MINT_BYTES, Call, Sender, approve, give, new_mint
from dmm.units.ids import ZERO_HASH, Hash32

DCT = Asset(symbol="DCT", decimals=9)
"""The desk's own token: rewards are paid in it, buybacks burn it."""

QUOTE_LIFETIME_S_MAX = 2 * 86_400
"""Longest time a quote may have to run when it is settled, enforced by the program."""

CHALLENGE_S = 3_600
"""How long a new root of claims can be vetoed before it pays, seconds."""

PAGES = 4
"""Pages of nonces the desk's maker has to begin with, 256 quotes each."""

PROCESSED = {"encoding": "base64", "commitment": "processed"}
"""Asks for the newest state: what was deployed a moment ago counts."""

CALLS_PER_TX = 3
"""Instructions of a transaction; with their keys they stay below 1,232 bytes."""

ATOMS_EACH_MAX = 2**64 // 16
"""The most one holder gets of a token: a supply on Solana is 64 bits, and five share it."""

FIRST_SLOT = 0
"""From where the history of everything but vaults and actors is read: also of a cut deployment."""

HOME = hashlib.sha256(b"dmm/home-chain/evm").digest()
"""Names the chain whose log the governor mirrors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """DEMO money in whole tokens, of each token a holder needs."""

    treasury: int = 1_000_000
    desk: int = 1_000_000
    taker: int = 1_000_000
    market_maker: int = 1_000_000
    cap_per_day: int = 1_000_000
    """What the treasury may pay out of one token in a day."""
    native: int = 1_000
    """Of the chain's own coin, for fees and rent."""


def deploy(
    *,
    node: SolanaNode,
    folder: Path,
    actors: Actors,
    position: Asset,
    cash: Asset,
    genesis_head: Hash32 = ZERO_HASH,
    funding: Funding | None = None,
    finalized_slots: int | None = None,
) -> list[Deployment]:
    """Make and fund everything, or return what was made on this chain before.

    A deployment that was cut off goes on where it stopped. Returns with everything final. Every
    height is at or above that of the last funding transfer for the names ``vault:…`` and
    ``actor:…``.

    Parameters
    ----------
    folder : the chain's; what was deployed is recorded there
    position, cash : the instrument's assets; DCT comes along when it is neither
    genesis_head : what the mirror's first order stands on
    finalized_slots : how far the chain's finality lags, slots; the usual when None

    Raises
    ------
    ServiceFault
        If the chain refuses something, or lost what was deployed.
    """
    known = recorded(
        folder,
        position=position,
        cash=cash,
        contracts=("settlement", "treasury", "governor", "distributor"),
        is_there=lambda made: (
            node.call("getAccountInfo", made.address, PROCESSED)["value"] is not None
        ),
    )
    if known is not None:
        return known
    tokens = {asset.symbol: asset for asset in (DCT, position, cash)}
    site = _Site(call=node.call, actors=actors, tokens=tokens, money=funding or Funding())
    for batch in _batches(site.missing(site.plan(genesis_head))):
        site.run(batch)
    last = site.slot()
    lag = Pace().finalized_slots if finalized_slots is None else finalized_slots
    node.call("dmm_advance", lag + 1)
    deployments = site.record(last=last)
    save(folder, deployments)
    return deployments


def require_page(call: Call, *, payer: Key, maker: Pubkey, nonce: int) -> None:
    """Make the page that a maker's nonce lies on, if it is not there yet."""
    word = nonce // NONCES_PER_PAGE
    page = str(terms.page_address(PROGRAM, maker, word))
    config = {"encoding": "base64", "commitment": "processed"}
    if call("getAccountInfo", page, config)["value"] is None:
        Sender(call, payer).run([init_page(PROGRAM, payer=payer.public, maker=maker, word=word)])


@dataclass(frozen=True, slots=True)
class _Step:
    """Instructions that belong in one transaction, who must sign besides the payer, what they make.

    A step whose account is there is left out: a deployment that was cut off goes on. A step
    without one may be repeated.
    """

    calls: tuple[Instruction, ...]
    signers: tuple[Key, ...] = ()
    makes: Pubkey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Site:
    """One deployment under way."""

    call: Call
    actors: Actors
    tokens: dict[str, Asset]
    money: Funding

    def run(self, steps: Sequence[_Step]) -> None:
        signers = {key.address: key for step in steps for key in step.signers}
        sender = Sender(self.call, self.actors.deployer)
        sender.run([call for step in steps for call in step.calls], *signers.values())

    def missing(self, steps: Iterator[_Step]) -> Iterator[_Step]:
        """Yield the steps that are not done yet."""
        config = {"encoding": "base64", "commitment": "processed"}
        for step in steps:
            made = step.makes and self.call("getAccountInfo", str(step.makes), config)["value"]
            if made is None:
                yield step

    def slot(self) -> int:
        found: int = self.call("getSlot", {"commitment": "processed"})
        return found

    def mint_key(self, symbol: str) -> Key:
        return Key(self.actors.secret(f"mint-{symbol}"))

    def plan(self, genesis_head: Hash32) -> Iterator[_Step]:
        """Yield everything in order; the payer gets its lamports first."""
        actors = self.actors
        wallets = (actors.deployer, actors.operator, actors.market_maker, *actors.takers)
        for key in wallets:
            self.call("requestAirdrop", key.address, self.money.native * 10**9)
        yield from self._mints()
        yield from self._maker(actors.desk, actors.quote_signer)
        yield from self._maker(actors.market_maker, actors.market_maker)
        maker = actors.maker(PROGRAM)
        for word in range(PAGES):
            page = terms.page_address(PROGRAM, maker, word)
            made = init_page(PROGRAM, payer=actors.deployer.public, maker=maker, word=word)
            yield _Step((made,), (), page)
        yield from self._treasury()
        yield from self._claims(genesis_head)
        yield from self._funds()

    def _mints(self) -> Iterator[_Step]:
        lamports = self.call("getMinimumBalanceForRentExemption", MINT_BYTES)
        for symbol, asset in self.tokens.items():
            mint = self.mint_key(symbol)
            calls = new_mint(self.actors.deployer, mint, decimals=asset.decimals, lamports=lamports)
            yield _Step(tuple(calls), (mint,), mint.public)

    def _maker(self, authority: Key, signer: Key) -> Iterator[_Step]:
        network = chain_id_of(self.call("getGenesisHash")).to_bytes(32, "big")
        maker = terms.maker_address(PROGRAM, authority.public)
        made = self._call(
            "init_maker",
            {"authority": authority.public, "maker": maker},
            network=network,
            guardian=self.actors.guardian.public,
            lifetime_s_max=QUOTE_LIFETIME_S_MAX,
        )
        yield _Step((made,), (authority,), maker)
        accounts = {"authority": authority.public, "maker": maker}
        delegated = self._call("set_signer", accounts, signer=signer.public, allowed=True)
        yield _Step((delegated,), (authority,))

    def _treasury(self) -> Iterator[_Step]:
        actors, treasury = self.actors, self.actors.treasury(PROGRAM)
        authority = actors.authority
        made = self._call(
            "init_treasury",
            {"authority": authority.public, "treasury": treasury},
            operator=actors.operator.public,
            guardian=actors.guardian.public,
        )
        yield _Step((made,), (authority,), treasury)
        for symbol, asset in self.tokens.items():
            mint = self.mint_key(symbol).public
            accounts = {
                "authority": authority.public,
                "treasury": treasury,
                "cap": terms.cap_address(PROGRAM, treasury, mint),
                "mint": mint,
            }
            amount = min(self.money.cap_per_day * 10**asset.decimals, ATOMS_EACH_MAX)
            capped = self._call(
                "set_cap", accounts, amount_per_day=amount, buyable=symbol == DCT.symbol
            )
            yield _Step((capped,), (authority,))

    def _claims(self, genesis_head: Hash32) -> Iterator[_Step]:
        actors, authority = self.actors, self.actors.authority
        distributor = terms.distributor_address(PROGRAM, authority.public, 0)
        mint = self.mint_key(DCT.symbol).public
        yield _Step((open_account(actors.deployer.public, distributor, mint),))
        made = self._call(
            "init_distributor",
            {
                "authority": authority.public,
                "distributor": distributor,
                "vault": token_account(distributor, mint),
                "mint": mint,
            },
            number=0,
            network=chain_id_of(self.call("getGenesisHash")).to_bytes(32, "big"),
            guardian=actors.guardian.public,
            budget=0,
            challenge_s=CHALLENGE_S,
        )
        yield _Step((made,), (authority,), distributor)
        governor = terms.governor_address(PROGRAM, authority.public)
        accounts = {"authority": authority.public, "governor": governor}
        mirror = self._call("init_governor", accounts, home=HOME, head=bytes(genesis_head))
        yield _Step((mirror,), (authority,), governor)

    def _funds(self) -> Iterator[_Step]:
        actors, money = self.actors, self.money
        mover, _ = terms.mover_address(PROGRAM)
        holders = {
            actors.treasury(PROGRAM): money.treasury,
            actors.maker(PROGRAM): money.desk,
            actors.market_makers_maker(PROGRAM): money.market_maker,
        } | {taker.public: money.taker for taker in actors.takers}
        for symbol, asset in self.tokens.items():
            mint = self.mint_key(symbol).public
            for owner, whole in holders.items():
                atoms = min(whole * 10**asset.decimals, ATOMS_EACH_MAX)
                calls = give(actors.deployer, owner, mint, atoms)
                yield _Step(tuple(calls), (), token_account(owner, mint))
            for taker in actors.takers:
                yield _Step((approve(taker, mint, mover),), (taker,))

    def _call(self, name: str, accounts: dict[str, Pubkey], **arguments: object) -> Instruction:
        payer = {"payer": self.actors.deployer.public, "system_program": SYSTEM}
        known = payer | {"token_program": TOKEN}
        return program_abi().instruction(PROGRAM, name, known | accounts, (), **arguments)

    def record(self, *, last: int) -> list[Deployment]:
        authority = self.actors.authority.public
        contracts = {
            "settlement": PROGRAM,
            "treasury": self.actors.treasury(PROGRAM),
            "distributor": terms.distributor_address(PROGRAM, authority, 0),
            "governor": terms.governor_address(PROGRAM, authority),
        }
        found = [
            Deployment(chain=CHAIN, name=name, address=str(key), height=FIRST_SLOT)
            for name, key in contracts.items()
        ]
        found += [
            Deployment(
                chain=CHAIN,
                name=f"token:{symbol}",
                address=self.mint_key(symbol).address,
                height=FIRST_SLOT,
                decimals=asset.decimals,
            )
            for symbol, asset in self.tokens.items()
        ]
        people = {
            "vault:treasury": str(self.actors.treasury(PROGRAM)),
            "vault:desk": str(self.actors.maker(PROGRAM)),
            "signer:settlement": self.actors.operator.address,
            "signer:quote": self.actors.quote_signer.address,
        } | {f"actor:{role}": address for role, address in self.actors.named().items()}
        return found + [
            Deployment(chain=CHAIN, name=name, address=address, height=last)
            for name, address in people.items()
        ]


def _batches(steps: Iterator[_Step]) -> Iterator[list[_Step]]:
    """Yield steps in transactions of at most `CALLS_PER_TX` instructions."""
    batch: list[_Step] = []
    for step in steps:
        if sum(len(one.calls) for one in [*batch, step]) > CALLS_PER_TX:
            yield batch
            batch = []
        batch.append(step)
    if batch:
        yield batch
