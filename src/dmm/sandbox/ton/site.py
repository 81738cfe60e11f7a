"""One deployment on the local chain under way: what is sent, round by round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytoniq_core import Cell
from pytoniq_core.tlb.account import StateInit

from dmm.adapters.ton.codec import LAYOUT_WITH_STATUS, WALLET_CODE, WalletCode
from dmm.adapters.ton.node import Node, NodeRefused
from dmm.adapters.ton.sign import Key, SequencedKey
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.demo_keys import THRESHOLD
from dmm.sandbox.ton import cells, desk_cells
from dmm.sandbox.ton.actors import CHAIN, MARKET_MAKER, Actors
from dmm.sandbox.ton.demo_cells import (
    approval,
    batch,
    cap_order,
    execution,
    proposal,
)
from dmm.sandbox.ton.founding import contracts
from dmm.sandbox.ton.node import TonNode
from dmm.units.errors import ServiceFault
from dmm.units.ids import Hash32

DCT = Asset(symbol="DCT", decimals=9)
"""The desk's own token: rewards are paid in it, buybacks burn it."""

TON1 = 10**9
LEG_NANOTON = 80_000_000
ORDER_LIFETIME_S = 3_600
BLOCKS_MAX = 200
"""Blocks that one round of messages may take."""

SITE_SLOTS = 8_000_000
"""Slots of the deployment's own messages: takers use those of their quotes' nonces, the desk's
lanes begin at 0."""


Order = tuple[int, Cell]
"""What the owners order, and of whom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """DEMO money in whole tokens, of each token a holder needs."""

    treasury: int = 10_000_000
    desk: int = 1_000_000
    taker: int = 1_000_000
    market_maker: int = 100_000_000
    cap_per_day: int = 1_000_000
    """What the treasury may pay out of one token in a day."""
    native: int = 10_000
    """TON of each actor, for fees and for what goes with messages."""


@dataclass(slots=True, kw_only=True)
class Site:
    """One deployment under way: wallets send in batches, and each round waits for its messages."""

    node: TonNode
    server: Node
    build_dir: Path
    actors: Actors
    made: dict[str, int] = field(default_factory=dict)
    wallet_code: Cell = cells.EMPTY
    awake: set[int] = field(default_factory=set)

    def give_native(self, whole: int) -> None:
        """Send TON to everybody who sends messages, whole."""
        actors = self.actors
        self.wallet_code = cells.code_of(self.build_dir, "JettonWallet")
        everybody = (
            actors.deployer,
            actors.operator,
            actors.desk,
            actors.market_maker,
            *actors.owners[:THRESHOLD],
            *actors.takers,
        )
        for key in everybody:
            self.node.fund(key.address, whole * TON1)
        self.settle()

    def create(self, tokens: dict[str, Asset], genesis_head: Hash32) -> None:
        """Deploy every contract, and the wallets that wait for others."""
        actors = self.actors
        founded: list[Cell] = []
        for name, account, init in contracts(
            build_dir=self.build_dir, actors=actors, symbols=tokens, genesis_head=genesis_head
        ):
            self.made[name] = account
            # The multisig pays for what the orders cause.
            nanoton = 20 * TON1 if name == "multisig" else 2 * TON1
            founded.append(
                outgoing(to=account, nanoton=nanoton, body=cells.EMPTY, bounce=False, init=init)
            )
        self.post(actors.deployer, founded)
        for key in (actors.operator, *actors.takers):
            # A wallet exists once it has sent something; these wait for the desk's messages.
            self._wake(key)
        self.settle()

    def mint(self, tokens: dict[str, Asset], money: Funding) -> None:
        """Mint to everybody, and list the jettons at both vaults."""
        actors = self.actors
        holders = {
            self.made["treasury"]: money.treasury,
            actors.desk.account: money.desk,
            actors.market_maker.account: money.market_maker,
        } | {taker.account: money.taker for taker in actors.takers}
        self.post(
            actors.deployer,
            [
                self._minted(symbol, holder, whole * 10**asset.decimals)
                for symbol, asset in tokens.items()
                for holder, whole in holders.items()
            ],
        )
        for name, owner in (("settlement", actors.desk), (MARKET_MAKER, actors.market_maker)):
            self.post(owner, [self._listed(self.made[name], symbol) for symbol in tokens])

    def deposit(self, tokens: dict[str, Asset], money: Funding) -> None:
        """Put both makers' jettons into their vaults' books."""
        actors = self.actors
        for name, owner, whole in (
            ("settlement", actors.desk, money.desk),
            (MARKET_MAKER, actors.market_maker, money.market_maker),
        ):
            self.post(
                owner,
                [
                    outgoing(
                        to=self.wallet(owner.account, symbol),
                        nanoton=TON1 // 4,
                        body=cells.transfer(
                            amount=whole * 10**asset.decimals,
                            to=self.made[name],
                            response=owner.account,
                            forward_nanoton=TON1 // 20,
                            payload=cells.op(cells.OP_DEPOSIT_JETTON),
                        ),
                    )
                    for symbol, asset in tokens.items()
                ],
            )

    def orders(self, tokens: dict[str, Asset], money: Funding) -> dict[int, Order]:
        """Return what the owners are to order: assets, caps and maker, the token of claims."""
        treasury, maker = self.made["treasury"], self.made[MARKET_MAKER]
        bodies: list[Cell] = []
        for symbol, asset in tokens.items():
            wallet, cap = self.wallet(treasury, symbol), money.cap_per_day * 10**asset.decimals
            bodies += [self._held(wallet, symbol), cap_order(wallet, cap)]
        bodies.append(
            cells.op(
                desk_cells.OP_SET_MAKER,
                write=lambda b: b.store_uint(maker, 256).store_bit_int(1),
            )
        )
        multisig = cells.raw(self.made["multisig"])
        first = int(self.server.get(multisig, "multisig", [], self.server.head())[3])
        orders = [(treasury, body) for body in bodies]
        orders.append((self.made["distributor"], self._claimable()))
        return dict(enumerate(orders, start=first))

    def propose(self, orders: dict[int, Order]) -> None:
        """Have the first owner propose the orders."""
        expiry_s = self.now_s() + ORDER_LIFETIME_S
        proposals = [proposal(to, body, expiry_s) for to, body in orders.values()]
        self._to_multisig(self.actors.owners[0], proposals)

    def approve(self, orders: dict[int, Order]) -> None:
        """Have the second owner approve them."""
        self._to_multisig(self.actors.owners[1], [approval(order) for order in orders])

    def execute(self, orders: dict[int, Order]) -> None:
        """Have them executed."""
        self._to_multisig(self.actors.deployer, [execution(order) for order in orders])

    def _to_multisig(self, key: Key, bodies: Sequence[Cell]) -> None:
        to = self.made["multisig"]
        self.post(key, [outgoing(to=to, nanoton=TON1 // 10, body=body) for body in bodies])

    def require_done(self, tokens: dict[str, Asset], money: Funding) -> None:
        """Refuse a deployment of which a message was refused somewhere."""
        head = self.server.head()
        vault, treasury = self.made["settlement"], self.made["treasury"]
        for symbol, asset in tokens.items():
            own = self.wallet(vault, symbol)
            booked = self.server.get(cells.raw(vault), "asset", [own], head)[1]
            theirs = self.wallet(treasury, symbol)
            line = self.server.get(cells.raw(treasury), "line", [theirs, 0], head)
            wanted = money.desk * 10**asset.decimals, money.cap_per_day * 10**asset.decimals
            if (booked, line[1]) != wanted:
                raise ServiceFault(
                    f"the local TON chain refused part of the deployment of {symbol}: "
                    "start on an empty state folder"
                )

    def record(self, tokens: dict[str, Asset], *, first: int, last: int) -> list[Deployment]:
        """Return what was deployed; `last` is the block of the last funding."""
        decimals = {f"token:{symbol}": asset.decimals for symbol, asset in tokens.items()}
        code = WalletCode.of(self.wallet_code, layout=LAYOUT_WITH_STATUS).text()
        contracts = {name: cells.raw(account) for name, account in self.made.items()}
        contracts |= {f"{WALLET_CODE}{symbol}": code for symbol in tokens}
        people = {
            "vault:treasury": contracts["treasury"],
            "vault:desk": contracts["settlement"],
            "signer:settlement": self.actors.operator.address,
            "signer:quote": self.actors.quote_signer.address,
            "actor:market-maker": contracts[MARKET_MAKER],
        } | {f"actor:{role}": address for role, address in self.actors.parties().items()}
        found = [
            Deployment(
                chain=CHAIN,
                name=name,
                address=address,
                height=first,
                decimals=decimals.get(name, 0),
            )
            for name, address in contracts.items()
        ]
        return found + [
            Deployment(chain=CHAIN, name=name, address=address, height=last)
            for name, address in people.items()
        ]

    # -- messages ---------------------------------------------------------------------------------

    def wallet(self, owner: int, symbol: str) -> int:
        """Return the account of an owner's wallet of a jetton."""
        code = WalletCode.of(self.wallet_code, layout=LAYOUT_WITH_STATUS)
        return code.wallet_of(owner=owner, minter=self.made[f"token:{symbol}"])

    def now_s(self) -> int:
        """Return the chain's time."""
        return int(self.node.status()["time_s"])

    def post(self, key: Key, messages: Sequence[Cell]) -> None:
        """Have a key's wallet send messages, in their order; it is made with the first of them."""
        status = self.node.status()
        query_id = query_id_of(SITE_SLOTS + status["seqno"])
        init: StateInit | None = None if key.account in self.awake else key.init
        one = messages[0] if len(messages) == 1 else batch(key, messages, query_id=query_id)
        _, content = key.send_on(one, query_id=query_id, created_at_s=status["time_s"], init=init)
        self._hand_in(key, content)

    def _wake(self, key: Key) -> None:
        """Have a wallet send a nanoton to itself."""
        message = outgoing(to=key.account, nanoton=1, body=cells.EMPTY, bounce=False)
        if isinstance(key, SequencedKey):
            until_s = self.now_s() + ORDER_LIFETIME_S
            _, content = key.send_next(message, seqno=0, valid_until_s=until_s, init=key.init)
            self._hand_in(key, content)
        else:
            self.post(key, [message])

    def _hand_in(self, key: Key, content: bytes) -> None:
        try:
            self.server.send(content)
        except NodeRefused as error:
            raise ServiceFault(
                f"the local TON chain refused a wallet's message: {error}"
            ) from error
        self.awake.add(key.account)

    def settle(self) -> None:
        """Wait until nothing is under way."""
        for _ in range(BLOCKS_MAX):
            # Blocks on demand: waiting for the beat would cost half of the time.
            if self.node.seal()["is_idle"]:
                return
        raise ServiceFault(f"messages of the deployment are under way after {BLOCKS_MAX} blocks")

    def _minted(self, symbol: str, to: int, amount: int) -> Cell:
        body = cells.op(
            cells.OP_MINT,
            write=lambda b: (
                b.store_address(cells.at(to)).store_coins(amount).store_coins(TON1 // 10)
            ),
        )
        return outgoing(to=self.made[f"token:{symbol}"], nanoton=TON1 // 5, body=body)

    def _listed(self, vault: int, symbol: str) -> Cell:
        body = cells.op(
            cells.OP_LIST_ASSET,
            write=lambda b: (
                b.store_uint(self.wallet(vault, symbol), 256)
                .store_uint(self.made[f"token:{symbol}"], 256)
                .store_uint(LAYOUT_WITH_STATUS, 8)
                .store_coins(LEG_NANOTON)
                .store_ref(self.wallet_code)
            ),
        )
        return outgoing(to=vault, nanoton=TON1 // 10, body=body)

    def _holding(self, symbol: str) -> Cell:
        return desk_cells.holding(
            layout=LAYOUT_WITH_STATUS,
            leg_nanoton=LEG_NANOTON,
            minter=self.made[f"token:{symbol}"],
            code=self.wallet_code,
        )

    def _claimable(self) -> Cell:
        wallet, held = self.wallet(self.made["distributor"], DCT.symbol), self._holding(DCT.symbol)
        return cells.op(
            desk_cells.OP_DISTRIBUTOR_LIST_ASSET,
            write=lambda b: b.store_uint(wallet, 256).store_ref(held),
        )

    def _held(self, wallet: int, symbol: str) -> Cell:
        held, buyable = self._holding(symbol), int(symbol == DCT.symbol)
        return cells.op(
            desk_cells.OP_TREASURY_LIST_ASSET,
            write=lambda b: b.store_uint(wallet, 256).store_bit_int(buyable).store_ref(held),
        )
