"""The chain's own record as `dmm.ports.ChainLog`: blocks with their parents, decoded events.

Whatever is asked is asked of every node. An answer counts when `QUORUM` nodes, or all there are
when there are fewer, give it and no node gives another; silence of the others is no contradiction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from dmm.adapters.evm.artefacts import load
from dmm.adapters.evm.codec import BALANCE_OF, account, calldata
from dmm.adapters.evm.logs import LOG_BLOCKS_MAX, TRANSFER_TOPIC
from dmm.adapters.evm.node import NoAnswer, Node
from dmm.adapters.evm.pool import Pool, too_few
from dmm.ports import Deployment
from dmm.settlement.chain_event import TOKEN_PREFIX, TRANSFER, BlockRef, ChainEvent
from dmm.settlement.quorum import QUORUM, height_reached
from dmm.units.amount import Atoms
from dmm.units.errors import ServiceFault
from dmm.units.ids import Json

CHAIN = "evm"
VAULT_PREFIX = "vault:"

CONTRACTS = {
    "settlement": "Settlement",
    "treasury": "Treasury",
    "distributor": "Distributor",
    "governor": "GovernorLog",
}
"""Artefacts of the contracts whose every event is followed, by deployment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How an event's topics and data are read."""

    name: str
    indexed: tuple[tuple[str, str], ...]
    data: tuple[tuple[str, str, Sequence[Any]], ...]


class EvmLog:
    """Blocks and events of one chain through one or more nodes."""

    def __init__(
        self,
        *,
        rpc_urls: Sequence[str],
        chain_id: int,
        deployments: Mapping[str, Deployment],
        artefact_dir: Path,
    ) -> None:
        """Describe the chain; nothing is asked yet.

        Parameters
        ----------
        rpc_urls : nodes; one on another chain id counts as silent
        deployments : our contracts, tokens and vaults by name
        artefact_dir : folder of the compiled contracts, for the layout of their events
        """
        if not rpc_urls:
            raise ServiceFault("no EVM node is configured: set DMM_EVM_RPC_URLS")
        self._quorum = min(QUORUM, len(rpc_urls))
        nodes = [Node(url, chain_id=chain_id) for url in rpc_urls]
        self._pool = Pool(nodes, quorum=self._quorum)
        self._addresses = {name: d.address for name, d in deployments.items()}
        known = {name: d for name, d in deployments.items() if name in CONTRACTS}
        self._sources = {d.address.lower(): name for name, d in known.items()}
        self._tokens = {
            d.address.lower(): name
            for name, d in deployments.items()
            if name.startswith(TOKEN_PREFIX)
        }
        self._vaults = sorted(
            {d.address.lower() for name, d in deployments.items() if name.startswith(VAULT_PREFIX)}
        )
        self._layouts = {name: _layouts(artefact_dir, CONTRACTS[name]) for name in known}

    @property
    def name(self) -> str:
        """Return the chain's name in the journal."""
        return CHAIN

    def tips(self) -> tuple[BlockRef, BlockRef]:
        """Return (finalized block, head): the highest block that a quorum calls final.

        The head is the lowest of the nodes' and proves nothing.

        Raises
        ------
        Retryable
            If fewer nodes than a quorum answer, or they contradict one another.
        """
        views, faults = self._pool.ask(
            lambda node: (_block(node, "finalized"), _block(node, "latest"))
        )
        height = height_reached([final.height for final, _ in views], quorum=self._quorum)
        if height is None:
            raise too_few(faults)
        return self.block(height), min((head for _, head in views), key=lambda head: head.height)

    def block(self, height: int) -> BlockRef:
        """Return the block at a height; `Retryable` when nodes are silent or contradict."""
        return self._pool.read(lambda node: _block(node, hex(height)), what=f"block {height}")

    def events(self, *, from_height: int, to_height: int) -> list[ChainEvent]:
        """Return events in a range of heights, both included, in the chain's order.

        Raises
        ------
        Retryable
            If nodes are silent or contradict one another.
        ServiceFault
            If one of our contracts wrote what its artefact does not know.
        """
        found: list[ChainEvent] = []
        for first in range(max(0, from_height), to_height + 1, LOG_BLOCKS_MAX):
            last = min(first + LOG_BLOCKS_MAX - 1, to_height)
            logs = self._pool.read(
                lambda node, first=first, last=last: self._logs(node, first, last),  # type: ignore[misc]
                what=f"logs of blocks {first} to {last}",
            )
            found.extend(self._event(log) for log in logs)
        return found

    def balance(self, *, holder: str, asset: str, height: int) -> Atoms:
        """Return a holder's token balance at a height; `Retryable` when nodes forgot it."""
        token = self._addresses[TOKEN_PREFIX + asset]
        data = calldata(BALANCE_OF, account(holder, what="holder"))
        found = self._pool.read(
            lambda node: node.word(token, data, hex(height)),
            what=f"the {asset} balance of {holder}",
        )
        return Atoms(found)

    def _logs(self, node: Node, first: int, last: int) -> list[dict[str, Any]]:
        span = {"fromBlock": hex(first), "toBlock": hex(last)}
        asked: list[dict[str, Any]] = []
        if self._sources:
            asked.append(span | {"address": sorted(self._sources)})
        if self._tokens and self._vaults:
            ours = ["0x" + address.removeprefix("0x").rjust(64, "0") for address in self._vaults]
            asked.extend(
                span | {"address": sorted(self._tokens), "topics": topics}
                for topics in ([TRANSFER_TOPIC, ours], [TRANSFER_TOPIC, None, ours])
            )
        # A transfer between two of our vaults comes twice.
        plain = [_plain(log, node) for query in asked for log in node.call("eth_getLogs", query)]
        by_place = {(log["height"], log["log_index"]): log for log in plain}
        return [by_place[place] for place in sorted(by_place)]

    def _event(self, log: dict[str, Any]) -> ChainEvent:
        address = log["address"]
        if address in self._tokens:
            source, name = self._tokens[address], TRANSFER
            args = _transfer_args(log)
        else:
            source = self._sources[address]
            name, args = self._decoded(source, log)
        return ChainEvent(
            chain=CHAIN,
            height=log["height"],
            block_hash=log["block_hash"],
            tx_id=log["tx_id"],
            log_index=log["log_index"],
            source=source,
            name=name,
            args=args,
        )

    def _decoded(self, source: str, log: dict[str, Any]) -> tuple[str, dict[str, Json]]:
        topics = log["topics"]
        layout = self._layouts[source].get(topics[0]) if topics else None
        if layout is None:
            raise ServiceFault(
                f"{source} wrote an event in {log['tx_id']} that its artefact does not know: the "
                "deployment is of another build"
            )
        try:
            words = [
                decode([kind], bytes.fromhex(topic[2:]))[0]
                for (_, kind), topic in zip(layout.indexed, topics[1:], strict=True)
            ]
            values = decode([kind for _, kind, _ in layout.data], bytes.fromhex(log["data"][2:]))
        except (DecodingError, ValueError) as error:
            raise ServiceFault(
                f"event {layout.name} of {source} in {log['tx_id']} cannot be read: {error}"
            ) from error
        args = {
            name: _json(word, ()) for (name, _), word in zip(layout.indexed, words, strict=True)
        } | {
            name: _json(value, parts)
            for (name, _, parts), value in zip(layout.data, values, strict=True)
        }
        return layout.name, args


def _block(node: Node, which: str) -> BlockRef:
    with_transactions = False
    body = node.call("eth_getBlockByNumber", which, with_transactions)
    try:
        return BlockRef(
            chain=CHAIN,
            height=int(body["number"], 16),
            block_hash=str(body["hash"]).lower(),
            parent_hash=str(body["parentHash"]).lower(),
            time_s=int(body["timestamp"], 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {node.name} has no block {which}") from error


def _plain(log: Any, node: Node) -> dict[str, Any]:
    """Return what of a log must be alike on every node."""
    try:
        return {
            "height": int(log["blockNumber"], 16),
            "block_hash": str(log["blockHash"]).lower(),
            "tx_id": str(log["transactionHash"]).lower(),
            "log_index": int(log["logIndex"], 16),
            "address": str(log["address"]).lower(),
            "topics": [str(topic).lower() for topic in log["topics"]],
            "data": str(log["data"]).lower(),
        }
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {node.name} answers logs that are none") from error


def _transfer_args(log: dict[str, Any]) -> dict[str, Json]:
    topics = log["topics"]
    return {
        "sender": "0x" + topics[1][-40:],
        "recipient": "0x" + topics[2][-40:],
        "amount": int(log["data"], 16),
    }


def _layouts(artefact_dir: Path, contract: str) -> dict[str, _Layout]:
    """Return layouts of a contract's events by topic."""
    artefact = load(artefact_dir, contract)
    found = {}
    for entry in artefact.abi:
        if entry["type"] != "event":
            continue
        topic, types = artefact.event(entry["name"])
        unindexed = [item for item in entry["inputs"] if not item["indexed"]]
        indexed = [item for item in entry["inputs"] if item["indexed"]]
        found[topic] = _Layout(
            name=entry["name"],
            indexed=tuple((item["name"], item["type"]) for item in indexed),
            data=tuple(
                (item["name"], kind, tuple(part["name"] for part in item.get("components", ())))
                for item, kind in zip(unindexed, types, strict=True)
            ),
        )
    return found


def _json(value: object, parts: Sequence[str]) -> Json:
    """Return a decoded value as JSON; structs of one level by their members' names."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple | list):
        if parts and (not value or isinstance(value[0], tuple | list)):
            return [
                {name: _json(item, ()) for name, item in zip(parts, row, strict=True)}
                for row in value
            ]
        return [_json(item, ()) for item in value]
    if isinstance(value, str):
        return value.lower()
    return cast("Json", value)
