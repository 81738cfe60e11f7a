"""One node over JSON-RPC: an answer, a refusal in words, or no answer; never a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from requests import RequestException
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from dmm.units.errors import Fault

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 5.0


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
        self.url = url
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

    def block(self, which: str) -> Block:
        """Return a block by tag, or by height as hex."""
        with_transactions = False
        return _block(self.call("eth_getBlockByNumber", which, with_transactions), self.url)

    def word(self, contract: str, data: bytes, block: object) -> int:
        """Return the one word that a view answers at a block; `NoAnswer` without a contract."""
        answer = self.call("eth_call", {"to": contract, "data": "0x" + data.hex()}, block)
        if not isinstance(answer, str) or len(answer) != 2 + 64:
            # An account without code answers nothing: the contract is not there at that block.
            raise NoAnswer(f"node {self.url} has no contract {contract} at that block")
        return int(answer, 16)

    def _check_chain(self) -> None:
        answer = self._ask("eth_chainId")
        if not isinstance(answer, str) or int(answer, 16) != self._chain_id:
            raise WrongChain(
                f"node {self.url} is on chain {answer}, not {self._chain_id}: change its URL"
            )
        self._is_checked = True

    def _ask(self, method: str, *params: object) -> Any:
        try:
            answer = self._provider.make_request(cast("RPCEndpoint", method), list(params))
        except (RequestException, ValueError) as error:
            # Another node may stand behind the same address when it is back.
            self._is_checked = False
            raise NoAnswer(
                f"node {self.url} did not answer {method}: {type(error).__name__}"
            ) from error
        fault = answer.get("error")
        if fault is None:
            return answer.get("result")
        if isinstance(fault, dict):
            raise NodeRefused(str(fault.get("message", "")), code=int(fault.get("code", 0)))
        raise NodeRefused(str(fault), code=0)


def _block(body: Any, url: str) -> Block:
    try:
        return Block(
            height=int(body["number"], 16),
            block_hash=str(body["hash"]),
            time_s=int(body["timestamp"], 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"node {url} has no such block") from error
