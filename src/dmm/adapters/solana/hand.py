"""Transactions of a person's own key: accounts made ahead, programs deployed. Never payments.

Nothing here is journalled, so everything it sends may be sent again: whoever calls looks first at
what is on the chain already.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, TypeAlias

from solders.instruction import Instruction
from solders.message import MessageV0
from solders.transaction import VersionedTransaction

from dmm.adapters.solana.durable import blockhash
from dmm.adapters.solana.node import NoAnswer, Node, NodeRefused
from dmm.adapters.solana.refusals import refusal_of
from dmm.adapters.solana.sign import TRANSACTION_BYTES_MAX, Key
from dmm.ports import Clock
from dmm.units.errors import Permanent, Retryable, ServiceFault

Calls: TypeAlias = Sequence[Instruction]

EXPIRED = "BlockhashNotFound"

AT_ONCE_MAX = 32
"""Transactions under way together; public nodes take about as many a second from one address."""

ROUNDS_MAX = 8
"""How often what did not land is signed anew over a newer blockhash."""

POLL_S = 0.5
POLLS_MAX = 240
"""Two minutes, a little more than a blockhash lives."""


class Hand:
    """One key, through one node; every transaction is waited for until it is confirmed."""

    def __init__(self, node: Node, key: Key, *, clock: Clock) -> None:
        """Take the node, the key that pays, and what waits."""
        self._node, self.key, self._clock = node, key, clock

    def rent(self, space: int) -> int:
        """Return what an account of so many bytes must hold, lamports."""
        return int(self._node.call("getMinimumBalanceForRentExemption", space))

    def held(self) -> int:
        """Return the key's own lamports."""
        config = {"commitment": "confirmed"}
        return int(self._node.call("getBalance", self.key.address, config)["value"])

    def run(self, calls: Calls, *signers: Key) -> str:
        """Send one transaction and return its signature when it is confirmed; see `run_all`."""
        return self.run_all([calls], *signers)[0]

    def run_all(self, batches: Sequence[Calls], *signers: Key) -> list[str]:
        """Send transactions that may land in any order; return their signatures, in that of these.

        What did not land while its blockhash lived is signed anew. It may have landed all the same
        on a node that was not asked, so only what may happen twice belongs here.

        Raises
        ------
        ServiceFault
            If the cluster refuses one; the text says why.
        Retryable
            If one does not land after `ROUNDS_MAX` tries, or the node is silent.
        """
        done: dict[int, str] = {}
        for _ in range(ROUNDS_MAX):
            left = [place for place in range(len(batches)) if place not in done]
            for start in range(0, len(left), AT_ONCE_MAX):
                wanted = {place: batches[place] for place in left[start : start + AT_ONCE_MAX]}
                done |= self._round(wanted, signers)
            if len(done) == len(batches):
                return [done[place] for place in range(len(batches))]
        raise Retryable(
            f"{len(batches) - len(done)} of {len(batches)} transactions did not land: run it again"
        )

    def _round(self, wanted: dict[int, Calls], signers: Sequence[Key]) -> dict[int, str]:
        """Send transactions over one blockhash; return those that landed while it lived.

        When it ends between two of them, the rest is not sent.
        """
        latest = self._asked("getLatestBlockhash", {"commitment": "confirmed"})["value"]
        sent: dict[int, str] = {}
        for place, calls in wanted.items():
            raw = self._signed(calls, signers, str(latest["blockhash"]))
            name = self._send(raw)
            if name is None:
                break
            sent[place] = name
        landed: dict[int, str] = {}
        for _ in range(POLLS_MAX):
            landed |= self._confirmed({p: s for p, s in sent.items() if p not in landed})
            if len(landed) == len(sent):
                break
            height = self._asked("getBlockHeight", {"commitment": "confirmed"})
            if height > latest["lastValidBlockHeight"]:
                break
            self._clock.sleep_s(POLL_S)
        return landed

    def _signed(self, calls: Calls, signers: Sequence[Key], anchor: str) -> bytes:
        recent = blockhash(anchor)
        message = MessageV0.try_compile(self.key.public, list(calls), [], recent)
        needed = set(message.account_keys[: message.header.num_required_signatures])
        keys = [key.keypair for key in (self.key, *signers) if key.public in needed]
        # One key may play two parts and sign once.
        own = list({str(pair.pubkey()): pair for pair in keys}.values())
        raw = bytes(VersionedTransaction(message, own))
        if len(raw) > TRANSACTION_BYTES_MAX:
            raise Permanent(
                f"the transaction has {len(raw)} bytes, at most {TRANSACTION_BYTES_MAX}"
            )
        return raw

    def _send(self, raw: bytes) -> str | None:
        """Return the signature; None when the blockhash is over, or not there yet on this node."""
        config = {"encoding": "base64", "preflightCommitment": "confirmed"}
        try:
            return str(self._node.call("sendTransaction", base64.b64encode(raw).decode(), config))
        except NodeRefused as fault:
            error = fault.data.get("err") if isinstance(fault.data, dict) else None
            if error == EXPIRED:
                return None
            raise ServiceFault(f"the cluster refuses it: {refusal_of(error) or fault}") from fault
        except NoAnswer as fault:
            raise Retryable(f"{fault}: run it again") from fault

    def _confirmed(self, sent: dict[int, str]) -> dict[int, str]:
        if not sent:
            return {}
        statuses = self._asked("getSignatureStatuses", list(sent.values()))["value"]
        landed: dict[int, str] = {}
        for (place, name), status in zip(sent.items(), statuses, strict=True):
            if status is None or status["confirmationStatus"] == "processed":
                continue
            if status["err"] is not None:
                why = refusal_of(status["err"]) or status["err"]
                raise ServiceFault(f"transaction {name} failed: {why}")
            landed[place] = name
        return landed

    # The answer's shape depends on the method; callers know it.
    def _asked(self, method: str, *params: object) -> Any:
        try:
            return self._node.call(method, *params)
        except (NoAnswer, NodeRefused) as fault:
            raise Retryable(f"{fault}: run it again") from fault
