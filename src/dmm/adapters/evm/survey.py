"""Many intents' keys and transactions, asked of a node in two requests.

What one node says of one intent is the same as asked alone: its keys at the finalized block, and
each transaction with the proof that its block is still part of that node's chain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dmm.adapters.evm.calls import Call, key_answer
from dmm.adapters.evm.node import (
    Asked,
    NoAnswer,
    Node,
    block_asked,
    block_of,
    word_asked,
    word_of,
)
from dmm.ports import Answer, Sight, Snapshot, TxView
from dmm.settlement.intent import Intent
from dmm.settlement.quorum import agreed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked about one intent: the views that tell of its key, and its transactions."""

    intent: Intent
    calls: tuple[Call, ...]
    tx_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one node says of one intent; None where it gives no answer."""

    words: tuple[int, ...] | None
    views: tuple[TxView | None, ...]


def ask(node: Node, questions: Sequence[Question], *, at: Snapshot) -> list[Said]:
    """Return what a node says of each intent.

    Raises
    ------
    NoAnswer
        If the node does not answer, or has another block at the finalized height and transactions
        are asked for: then it tells of another chain.
    """
    at_hash = {"blockHash": at.finalized_hash}
    calls = [
        word_asked(call.to, call.data, at_hash) for question in questions for call in question.calls
    ]
    tx_ids = list(dict.fromkeys(tx_id for question in questions for tx_id in question.tx_ids))
    receipts: list[Asked] = [("eth_getTransactionReceipt", (tx_id,)) for tx_id in tx_ids]
    answers = node.batch([*calls, *receipts, block_asked(hex(at.finalized_height))])
    words, found, final = answers[: len(calls)], answers[len(calls) : -1], answers[-1]
    views: dict[str, TxView | None] = {}
    if tx_ids and block_of(final, node.name).block_hash == at.finalized_hash:
        views = dict(zip(tx_ids, _views(node, found, at), strict=True))
    said: list[Said] = []
    place = 0
    for question in questions:
        own = words[place : place + len(question.calls)]
        place += len(question.calls)
        said.append(
            Said(words=_words(own), views=tuple(views.get(tx_id) for tx_id in question.tx_ids))
        )
    return said


def judge(question: Question, said: Sequence[Said], *, quorum: int) -> Sight:
    """Return what a quorum says of an intent and nobody contradicts; UNKNOWN without one."""
    words = agreed([one.words for one in said], quorum=quorum)
    seen = [[one.views[place] for one in said] for place in range(len(question.tx_ids))]
    unknown = TxView(answer=Answer.UNKNOWN)
    return Sight(
        key=Answer.UNKNOWN if words is None else key_answer(question.intent, words),
        views=tuple(agreed(views, quorum=quorum) or unknown for views in seen),
    )


def _words(answers: Sequence[Any]) -> tuple[int, ...] | None:
    try:
        return tuple(word_of(answer, "no contract") for answer in answers)
    except NoAnswer:
        return None


def _views(node: Node, receipts: Sequence[Any], at: Snapshot) -> list[TxView | None]:
    """Read receipts, and whether the node's chain still has the blocks that they name."""
    heights = sorted({str(receipt["blockNumber"]) for receipt in receipts if _is_receipt(receipt)})
    bodies = node.batch([block_asked(height) for height in heights])
    hashes = {
        height: str(body["hash"]) if isinstance(body, dict) else ""
        for height, body in zip(heights, bodies, strict=True)
    }
    return [_view(receipt, hashes, at) for receipt in receipts]


def _view(receipt: Any, hashes: dict[str, str], at: Snapshot) -> TxView | None:
    if receipt is None:
        return TxView(answer=Answer.ABSENT)
    if not _is_receipt(receipt):
        return None
    block_hash = str(receipt["blockHash"])
    if hashes[str(receipt["blockNumber"])] != block_hash:
        # A receipt of a block that the node has left.
        return None
    height = int(receipt["blockNumber"], 16)
    return TxView(
        answer=Answer.FOUND,
        succeeded=int(receipt["status"], 16) == 1,
        finalized=height <= at.finalized_height,
        height=height,
        block_hash=block_hash,
    )


def _is_receipt(answer: Any) -> bool:
    return isinstance(answer, dict)
