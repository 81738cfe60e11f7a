"""One RPC node: an answer, a refusal in words, or no answer; never a guess."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import httpx

from dmm.units.errors import Fault
from dmm.units.web_address import shown

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0

FINALIZED = "finalized"
FINAL_BLOCKS_MAX = 256
"""Final blocks a node's answers are kept of; a snapshot's is asked for by every question at it."""

SLOT_SKIPPED = (-32007, -32009)
"""What nodes answer for a slot without a block."""

BLOCK_CONFIG = {"rewards": False, "commitment": "confirmed", "maxSupportedTransactionVersion": 0}


class NoAnswer(Fault):
    """The node did not answer, or not with what was asked; it may have listened all the same."""


class NodeRefused(Fault):
    """The node answered an error; its text is for people, `code` and `data` for programs."""

    def __init__(self, text: str, *, code: int, data: Any = None) -> None:
        super().__init__(text)
        self.code = code
        self.data = data


class WrongChain(NoAnswer):
    """The node is on another cluster: nothing it says counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block's place in its chain.

    `slot` numbers blocks with gaps; `height` without, and blockhashes end by it.
    """

    slot: int
    block_hash: str
    parent_slot: int
    parent_hash: str
    height: int
    time_s: int


class Node:
    """A node that must be on one cluster: it is asked for its genesis hash before all else."""

    def __init__(
        self, url: str, *, genesis_hash: str, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self.name = shown(url)
        """What texts call it: the rest of its address may hold an access key."""
        self._url = url
        self._genesis_hash = genesis_hash
        self._is_checked = False
        self._numbers = itertools.count(1)
        self._final_slot = -1
        self._final_blocks: OrderedDict[int, Block] = OrderedDict()
        timeout = httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S)
        self._http = httpx.Client(timeout=timeout)

    # The answer's shape depends on the method; callers know it.
    def call(self, method: str, *params: object) -> Any:
        """Return the result of a call.

        Raises
        ------
        NoAnswer
            If the node cannot be reached, runs out of time, or answers nonsense.
        WrongChain
            If it is on another cluster.
        NodeRefused
            If it answers an error.
        """
        if not self._is_checked:
            self._check_cluster()
        return self._ask(method, *params)

    def slot(self, commitment: str) -> int:
        """Return the newest slot of a commitment."""
        found = self.call("getSlot", {"commitment": commitment})
        if not isinstance(found, int) or isinstance(found, bool) or found < 0:
            raise NoAnswer(f"node {self.name} answers {found!r} for a slot")
        if commitment == FINALIZED:
            self._final_slot = max(self._final_slot, found)
        return found

    def block(self, slot: int) -> Block:
        """Return the block of a slot; `NodeRefused` with `SLOT_SKIPPED` where there is none.

        A block that this node has called final is asked for once.
        """
        known = self._final_blocks.get(slot)
        if known is not None:
            return known
        config = BLOCK_CONFIG | {"transactionDetails": "none"}
        block = block_of(self.call("getBlock", slot, config), slot, self.name)
        if slot <= self._final_slot:
            self._final_blocks[slot] = block
            while len(self._final_blocks) > FINAL_BLOCKS_MAX:
                self._final_blocks.popitem(last=False)
        return block

    def block_time_s(self, slot: int) -> int:
        """Return the chain's time at a slot."""
        found = self.call("getBlockTime", slot)
        if not isinstance(found, int) or isinstance(found, bool):
            raise NoAnswer(f"node {self.name} has no time of slot {slot}")
        return found

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _check_cluster(self) -> None:
        answer = self._ask("getGenesisHash")
        if answer != self._genesis_hash:
            raise WrongChain(
                f"node {self.name} is on the cluster with genesis hash {answer}, not "
                f"{self._genesis_hash}: change its URL"
            )
        self._is_checked = True

    def _ask(self, method: str, *params: object) -> Any:
        request = {
            "jsonrpc": "2.0",
            "id": next(self._numbers),
            "method": method,
            "params": list(params),
        }
        try:
            answer = self._http.post(self._url, json=request)
            answer.raise_for_status()
            body = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            # Another node may stand behind the same address when it is back.
            self._is_checked = False
            self._final_slot = -1
            self._final_blocks.clear()
            raise NoAnswer(
                f"node {self.name} did not answer {method}: {type(error).__name__}"
            ) from error
        if not isinstance(body, dict):
            raise NoAnswer(f"node {self.name} answers {method} with what is no object")
        fault = body.get("error")
        if fault is None:
            return body.get("result")
        if isinstance(fault, dict):
            code = fault.get("code")
            raise NodeRefused(
                str(fault.get("message", "")),
                code=code if isinstance(code, int) else 0,
                data=fault.get("data"),
            )
        raise NodeRefused(str(fault), code=0)


def block_of(body: Any, slot: int, name: str) -> Block:
    """Read a block; `NoAnswer` when it is none."""
    try:
        return Block(
            slot=slot,
            block_hash=str(body["blockhash"]),
            parent_slot=int(body["parentSlot"]),
            parent_hash=str(body["previousBlockhash"]),
            height=int(body["blockHeight"]),
            time_s=int(body["blockTime"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {name} has no whole block of slot {slot}") from error
