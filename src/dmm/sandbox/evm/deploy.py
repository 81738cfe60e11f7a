"""Puts our contracts and DEMO tokens on the local chain, funds everybody, says where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eth_abi.abi import encode

from dmm.adapters.evm.artefacts import load
from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.sign import Key
from dmm.market.instrument import Asset
from dmm.ports import Deployment
from dmm.sandbox.demo_keys import THRESHOLD
from dmm.sandbox.deployed import recorded, save
from dmm.sandbox.evm.actors import ORDER_LIFETIME_S, Actors
from dmm.sandbox.evm.node import CHAIN_ID, FINALITY_BLOCKS, EvmNode
from dmm.sandbox.evm.transact import Sender, require_success, sign_call
from dmm.units.errors import ServiceFault
from dmm.units.ids import ZERO_HASH, Hash32

CHAIN = "evm"
DCT = Asset(symbol="DCT", decimals=9)
"""The desk's own token: rewards are paid in it, buybacks burn it."""

QUOTE_LIFETIME_S_MAX = 2 * 86_400
"""Longest time a quote may have to run when it is settled, enforced by the contract."""

PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
"""Where Permit2 lies on most chains. The local chain has no code there: paying by it fails."""

UNLIMITED = 2**256 - 1
CHALLENGE_S = 3_600
"""How long a new root of claims can be vetoed before it pays, seconds."""

CALL_GAS_MAX = 300_000
BLOCKS_MAX = 64
"""Blocks a deployment may need; each takes what fits its gas limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """DEMO money in whole tokens, of each token a holder needs."""

    treasury: int = 10_000_000
    desk: int = 1_000_000
    taker: int = 1_000_000
    market_maker: int = 100_000_000
    cap_per_day: int = 1_000_000
    """What the treasury may pay out of one token in a day."""
    native: int = 1_000
    """Of the chain's own coin, for fees."""


def deploy(
    *,
    node: EvmNode,
    artefact_dir: Path,
    actors: Actors,
    position: Asset,
    cash: Asset,
    genesis_head: Hash32 = ZERO_HASH,
    funding: Funding | None = None,
) -> list[Deployment]:
    """Deploy and fund everything, or return what was deployed on this chain before.

    Returns with everything final. Every height is at or above that of the last funding transfer
    for the names ``vault:…`` and ``actor:…``.

    Parameters
    ----------
    artefact_dir : folder of the compiled contracts
    position, cash : the instrument's assets; DCT comes along when it is neither
    genesis_head : what the governor log's first order stands on

    Raises
    ------
    ServiceFault
        If the chain refuses something, or lost what was deployed.
    """
    known = recorded(
        node.folder,
        position=position,
        cash=cash,
        contracts=("settlement", "treasury", "governor", "distributor"),
        is_there=lambda made: node.rpc("eth_getCode", made.address, "latest") != "0x",
    )
    if known is not None:
        return known
    site = _Site(node=node, artefact_dir=artefact_dir, actors=actors)
    tokens = {asset.symbol: asset for asset in (DCT, position, cash)}
    money = funding or Funding()
    site.give_native(money.native)
    contracts = site.deploy_contracts(tokens, genesis_head)
    site.settle()
    site.fund(contracts, tokens, money)
    last = site.settle()
    node.mine(FINALITY_BLOCKS + 1)
    deployments = site.record(contracts, tokens, height=last)
    save(node.folder, deployments)
    return deployments


class _Site:
    """One deployment under way: transactions are handed in, then mined together."""

    def __init__(self, *, node: EvmNode, artefact_dir: Path, actors: Actors) -> None:
        self._node, self._artefacts, self._actors = node, artefact_dir, actors
        self._senders: dict[str, Sender] = {}
        self._waiting: list[str] = []
        self._heights: dict[str, int] = {}
        self._made_by: dict[str, str] = {}
        self._authority_nonce = 0

    def give_native(self, whole: int) -> None:
        actors = self._actors
        for key in (
            actors.deployer,
            actors.operator,
            actors.desk,
            *actors.takers,
            actors.market_maker,
        ):
            self._node.rpc("anvil_setBalance", key.address, hex(whole * 10**18))

    def deploy_contracts(self, tokens: dict[str, Asset], genesis_head: Hash32) -> dict[str, str]:
        actors = self._actors
        owners = [owner.address for owner in actors.owners]
        made = {
            "multisig": self._create("Multisig", ["address[]", "uint256"], [owners, THRESHOLD]),
            "settlement": self._create(
                "Settlement", ["uint256", "address"], [QUOTE_LIFETIME_S_MAX, PERMIT2]
            ),
        }
        made["governor"] = self._create(
            "GovernorLog", ["address", "bytes32"], [made["multisig"], genesis_head]
        )
        made["treasury"] = self._create(
            "Treasury",
            ["address"] * 4,
            [
                made["multisig"],
                actors.operator.address,
                actors.guardian.address,
                made["settlement"],
            ],
        )
        for asset in tokens.values():
            made[f"token:{asset.symbol}"] = self._create(
                "TestToken", ["string", "uint8"], [asset.symbol, asset.decimals]
            )
        made["distributor"] = self._create(
            "Distributor",
            ["address", "address", "address", "uint256"],
            [
                made["multisig"],
                actors.guardian.address,
                made[f"token:{DCT.symbol}"],
                CHALLENGE_S,
            ],
        )
        return made

    def fund(self, made: dict[str, str], tokens: dict[str, Asset], money: Funding) -> None:
        actors, settlement = self._actors, made["settlement"]
        holders = {
            made["treasury"]: money.treasury,
            actors.desk.address: money.desk,
            actors.market_maker.address: money.market_maker,
        } | {taker.address: money.taker for taker in actors.takers}
        for symbol, asset in tokens.items():
            token, one = made[f"token:{symbol}"], 10**asset.decimals
            for holder, whole in holders.items():
                self._call(actors.deployer, token, "mint(address,uint256)", holder, whole * one)
            for owner in (actors.desk, actors.market_maker, *actors.takers):
                self._call(owner, token, "approve(address,uint256)", settlement, UNLIMITED)
            self._govern(made, "setCap(address,uint256)", [token, money.cap_per_day * one])
        self._govern(made, "setBuyable(address,bool)", [made[f"token:{DCT.symbol}"], True])
        self._call(
            actors.desk,
            settlement,
            "setSigner(address,bool)",
            actors.quote_signer.address,
            True,  # noqa: FBT003 - the contract's own argument
        )

    def settle(self) -> int:
        """Mine until everything handed in is in a block; return the last one's height."""
        last = 0
        for _ in range(BLOCKS_MAX):
            if not self._waiting:
                return last
            self._node.mine(1)
            for tx_id in list(self._waiting):
                receipt = self._node.rpc("eth_getTransactionReceipt", tx_id)
                if receipt is None:
                    continue
                require_success(receipt)
                last = max(last, int(receipt["blockNumber"], 16))
                self._heights[tx_id] = int(receipt["blockNumber"], 16)
                self._waiting.remove(tx_id)
        raise ServiceFault(f"{len(self._waiting)} transactions of the deployment are in no block")

    def record(
        self, made: dict[str, str], tokens: dict[str, Asset], *, height: int
    ) -> list[Deployment]:
        found = [
            Deployment(
                chain=CHAIN,
                name=name,
                address=address,
                height=self._heights[self._made_by[address]],
                decimals=_decimals(name, tokens),
            )
            for name, address in made.items()
        ]
        people = {
            "vault:treasury": made["treasury"],
            "vault:desk": self._actors.desk.address,
            "signer:settlement": self._actors.operator.address,
            "signer:quote": self._actors.quote_signer.address,
        } | {f"actor:{role}": address for role, address in self._actors.named().items()}
        found += [
            Deployment(chain=CHAIN, name=name, address=address, height=height)
            for name, address in people.items()
        ]
        return found

    def _create(self, contract: str, types: Sequence[str], values: Sequence[object]) -> str:
        sender = self._sender(self._actors.deployer)
        address = sender.next_contract()
        bytecode = load(self._artefacts, contract).bytecode
        tx_id = sender.submit(None, bytecode + encode(types, values))
        self._waiting.append(tx_id)
        self._made_by[address] = tx_id
        return address

    def _call(self, key: Key, to: str, signature: str, *values: object) -> None:
        tx_id = self._sender(key).submit(to, calldata(signature, *values), gas_max=CALL_GAS_MAX)
        self._waiting.append(tx_id)

    def _govern(self, made: dict[str, str], signature: str, values: Sequence[object]) -> None:
        """Call the treasury as its authority: two of the three DEMO owners sign."""
        sender = self._sender(self._actors.deployer)
        data = sign_call(
            signature,
            values,
            target=made["treasury"],
            multisig=made["multisig"],
            chain_id=CHAIN_ID,
            nonce=self._authority_nonce,
            deadline_s=sender.time_s() + ORDER_LIFETIME_S,
            owners=self._actors.owners[:THRESHOLD],
        )
        self._authority_nonce += 1
        self._waiting.append(sender.submit(made["multisig"], data, gas_max=CALL_GAS_MAX))

    def _sender(self, key: Key) -> Sender:
        if key.address not in self._senders:
            self._senders[key.address] = Sender(rpc=self._node.rpc, key=key, chain_id=CHAIN_ID)
        return self._senders[key.address]


def _decimals(name: str, tokens: dict[str, Asset]) -> int:
    asset = tokens.get(name.removeprefix("token:"))
    return asset.decimals if asset is not None and name.startswith("token:") else 0
