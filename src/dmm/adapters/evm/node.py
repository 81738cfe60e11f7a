"""One node over JSON-RPC: an answer, a refusal in words, or no answer; never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from requests import RequestException
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from dmm.units.errors import Fault
from dmm.units.web_address import shown

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0


BATCH_MAX = 100
"""Calls of one request; nodes refuse long ones, many of them from here on."""

Asked = tuple[str, tuple[object, ...]]
"""A method with its parameters."""


class NoAnswer(Fault):
    """The node did not answer, or not with what was asked; it may have listened all the same."""


class NodeRefused(Fault):
    """The node answered an error; its text is for people, `code` for programs."""

    def __init__(self, text: str, *, code: int) -> None:
        super().__init__(text)
        self.code = code


class WrongChain(NoAnswer):
    """The node is on another chain: nothing it says counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block's place in its chain."""

    height: int
    block_hash: str
    time_s: int


class Node:
    """A node that must be on one chain: every new connection is asked for its chain id first."""

    def __init__(self, url: str, *, chain_id: int, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self.name = shown(url)
        """What texts call it: the rest of its address may hold an access key."""
        self._chain_id = chain_id
        self._is_checked = False
        self._provider = HTTPProvider(
            url,
            request_kwargs={"timeout": (CONNECT_TIMEOUT_S, read_timeout_s)},
            exception_retry_configuration=None,
        )

    # The answer's shape depends on the method; callers know it.
    def call(self, method: str, *params: object) -> Any:
        """Return the result of a call.

        Raises
        ------
        NoAnswer
            If the node cannot be reached, runs out of time, or answers nonsense.
        WrongChain
            If it is on another chain.
        NodeRefused
            If it answers an error.
        """
        if not self._is_checked:
            self._check_chain()
        return self._ask(method, *params)

    def batch(self, asked: Sequence[Asked]) -> list[Any]:
        """Return the results of many calls, `BATCH_MAX` a request.

        In the place of each that the node refuses stands its `NodeRefused`.

        Raises
        ------
        NoAnswer
            As `call` does: then nothing is known of any.
        WrongChain
            If it is on another chain.
        """
        if not self._is_checked:
            self._check_chain()
        results: list[Any] = []
        for start in range(0, len(asked), BATCH_MAX):
            results += self._batch(asked[start : start + BATCH_MAX])
        return results

    def block(self, which: str) -> Block:
        """Return a block by tag, or by height as hex."""
        method, params = block_asked(which)
        return block_of(self.call(method, *params), self.name)

    def blocks(self, *which: str) -> list[Block]:
        """Return several blocks in one request.

        Raises
        ------
        NoAnswer
            If the node does not know one of them.
        """
        found = self.batch([block_asked(one) for one in which])
        return [block_of(body, self.name) for body in found]

    def word(self, contract: str, data: bytes, block: object) -> int:
        """Return the one word that a view answers at a block; `NoAnswer` without a contract."""
        method, params = word_asked(contract, data, block)
        return word_of(self.call(method, *params), f"node {self.name} has no contract {contract}")

    def _check_chain(self) -> None:
        answer = self._ask("eth_chainId")
        if not isinstance(answer, str) or int(answer, 16) != self._chain_id:
            raise WrongChain(
                f"node {self.name} is on chain {answer}, not {self._chain_id}: change its URL"
            )
        self._is_checked = True

    def _ask(self, method: str, *params: object) -> Any:
        try:
            answer = self._provider.make_request(cast("RPCEndpoint", method), list(params))
        except (RequestException, ValueError) as error:
            raise self._silent(method, error) from error
        result = _result(answer)
        if isinstance(result, NodeRefused):
            raise result
        return result

    def _batch(self, asked: Sequence[Asked]) -> list[Any]:
        wanted = [(cast("RPCEndpoint", method), list(params)) for method, params in asked]
        try:
            answers = self._provider.make_batch_request(wanted)
        except (RequestException, ValueError, KeyError, TypeError) as error:
            raise self._silent("a batch", error) from error
        if isinstance(answers, list) and len(answers) == len(asked):
            return [_result(answer) for answer in answers]
        # A node that takes no batches is asked one by one.
        return [self._alone(method, *params) for method, params in asked]

    def _alone(self, method: str, *params: object) -> Any:
        try:
            return self._ask(method, *params)
        except NodeRefused as fault:
            return fault

    def _silent(self, method: str, error: Exception) -> NoAnswer:
        # Another node may stand behind the same address when it is back.
        self._is_checked = False
        return NoAnswer(f"node {self.name} did not answer {method}: {type(error).__name__}")


def _result(answer: Any) -> Any:
    """Return what an answer holds: its result, or the refusal in its place."""
    fault = answer.get("error")
    if fault is None:
        return answer.get("result")
    if isinstance(fault, dict):
        return NodeRefused(str(fault.get("message", "")), code=int(fault.get("code", 0)))
    return NodeRefused(str(fault), code=0)


def block_asked(which: str) -> Asked:
    """Return the question for a block by tag, or by height as hex, without its transactions."""
    with_transactions = False
    return "eth_getBlockByNumber", (which, with_transactions)


def word_asked(contract: str, data: bytes, block: object) -> Asked:
    """Return the question for what a view answers at a block."""
    return "eth_call", ({"to": contract, "data": "0x" + data.hex()}, block)


def word_of(answer: Any, missing: str) -> int:
    """Return the one word in an answer; `NoAnswer` with `missing` as its text where none is."""
    if not isinstance(answer, str) or len(answer) != 2 + 64:
        # An account without code answers nothing: the contract is not there at that block.
        raise NoAnswer(f"{missing} at that block")
    return int(answer, 16)


def block_of(body: Any, name: str) -> Block:
    """Return the block in an answer; `NoAnswer` where none is."""
    try:
        return Block(
            height=int(body["number"], 16),
            block_hash=str(body["hash"]),
            time_s=int(body["timestamp"], 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {name} has no such block") from error
