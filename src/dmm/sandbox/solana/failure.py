"""What a call is answered with when it cannot be carried out; numbers as a Solana node's."""

from __future__ import annotations

from typing import Any

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
PREFLIGHT_FAILED = -32002
SIGNATURE_FAILED = -32003
NODE_BEHIND = -32005
SLOT_SKIPPED = -32007


class RpcError(Exception):
    """One error answer: its number, its text, and data beside it."""

    def __init__(self, code: int, text: str, data: Any = None) -> None:
        """Take what the answer holds."""
        super().__init__(text)
        self.code = code
        self.text = text
        self.data = data
