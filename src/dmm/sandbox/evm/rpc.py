"""One JSON-RPC call to the local node, its answer or a fault."""

from __future__ import annotations

from typing import Any, cast

from requests import RequestException
from web3 import HTTPProvider
from web3.types import RPCEndpoint

from dmm.units.errors import ServiceFault

CALL_S_MAX = 30.0
"""A dump of a long chain takes seconds on a busy machine."""


class LocalRpc:
    """Calls of one local node; nothing is retried."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._provider = HTTPProvider(
            url, request_kwargs={"timeout": CALL_S_MAX}, exception_retry_configuration=None
        )

    # The answer's shape depends on the method; callers know it.
    def __call__(self, method: str, *params: object) -> Any:
        """Return the result of a call.

        Raises
        ------
        ServiceFault
            If the node cannot be reached or answers an error.
        """
        try:
            answer = self._provider.make_request(cast("RPCEndpoint", method), list(params))
        except (RequestException, ValueError) as error:
            raise ServiceFault(f"local EVM node {self.url} does not answer: {error}") from error
        fault = answer.get("error")
        if fault is not None:
            raise ServiceFault(f"{method} failed on the local EVM node: {fault}")
        return answer.get("result")
