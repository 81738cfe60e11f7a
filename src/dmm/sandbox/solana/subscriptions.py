"""Notifications over WebSocket: each when its slot has the commitment that was asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from dmm.sandbox.solana import shapes
from dmm.sandbox.solana.bank import Record
from dmm.sandbox.solana.chain import Chain
from dmm.sandbox.solana.failure import INVALID_PARAMS, METHOD_NOT_FOUND, RpcError
from dmm.sandbox.solana.methods import API_VERSION, pubkey, signature

SUBSCRIPTIONS_MAX = 1_000
NOTES_MAX = 10_000
"""Notes that may wait for one connection; a slower reader loses its subscription."""

KINDS = ("account", "logs", "program", "root", "signature", "slot")
Outbox = asyncio.Queue[dict[str, Any]]
Config = Mapping[str, Any]


@dataclass(slots=True, kw_only=True)
class Subscription:
    """One subscription; `waiting` holds what landed and is not settled enough yet."""

    number: int
    kind: str
    argument: Any
    config: Config
    outbox: Outbox
    waiting: list[Record] = field(default_factory=list)

    @property
    def commitment(self) -> str:
        """Return the commitment that was asked for."""
        return str(self.config.get("commitment") or "finalized")


class Subscriptions:
    """All subscriptions of all connections."""

    def __init__(self, chain: Chain) -> None:
        """Take the chain."""
        self._chain = chain
        self._open: dict[int, Subscription] = {}
        self._numbers = count(1)
        self._head = chain.head
        self._root = chain.slot_at("finalized")

    def subscribe(self, method: str, params: list[Any], outbox: Outbox) -> int:
        """Open a subscription and return its number.

        Raises
        ------
        RpcError
            If there is no such subscription, or too many are open.
        """
        kind = method.removesuffix("Subscribe")
        if kind not in KINDS:
            raise RpcError(METHOD_NOT_FOUND, "Method not found")
        if len(self._open) >= SUBSCRIPTIONS_MAX:
            raise RpcError(INVALID_PARAMS, f"{SUBSCRIPTIONS_MAX} subscriptions are open already")
        argument = _argument(kind, params)
        config = params[1] if len(params) > 1 else {}
        made = Subscription(
            number=next(self._numbers),
            kind=kind,
            argument=argument,
            config=config or {},
            outbox=outbox,
        )
        self._chain.slot_at(made.commitment)
        self._open[made.number] = made
        if kind == "signature" and argument in self._chain.bank.records:
            made.waiting.append(self._chain.bank.records[argument])
        return made.number

    def unsubscribe(self, number: int, outbox: Outbox) -> bool:
        """Close one subscription of a connection; False if it has none of that number."""
        found = self._open.get(number)
        if found is None or found.outbox is not outbox:
            return False
        del self._open[number]
        return True

    def drop(self, outbox: Outbox) -> None:
        """Close all subscriptions of a connection."""
        for number in [one.number for one in self._open.values() if one.outbox is outbox]:
            del self._open[number]

    def landed(self, records: Iterable[Record]) -> None:
        """Hear of new transactions."""
        for record in records:
            for one in self._open.values():
                if _concerns(one, record):
                    one.waiting.append(record)

    def mature(self) -> None:
        """Send every note whose slot is settled enough by now."""
        for one in list(self._open.values()):
            slot = self._chain.slot_at(one.commitment)
            due = [record for record in one.waiting if record.slot <= slot]
            one.waiting = [record for record in one.waiting if record.slot > slot]
            for record in due:
                # A fork may have taken it back meanwhile.
                if self._chain.bank.records.get(record.signature) is record:
                    self._tell(one, record, slot)
        self._tell_slots()

    def _tell_slots(self) -> None:
        head, root = self._chain.head, self._chain.slot_at("finalized")
        for one in list(self._open.values()):
            if one.kind == "slot" and head > self._head:
                note = {"parent": head - 1, "root": root, "slot": head}
                self._post(one, "slotNotification", note)
            elif one.kind == "root" and root > self._root:
                self._post(one, "rootNotification", root)
        self._head, self._root = head, root

    def _tell(self, one: Subscription, record: Record, slot: int) -> None:
        makers: dict[str, Callable[[Subscription, Record], list[Any]]] = {
            "account": self._account_notes,
            "program": self._program_notes,
            "signature": lambda _, found: [{"err": found.error}],
            "logs": lambda _, found: [_log_note(found)],
        }
        for value in makers[one.kind](one, record):
            context = {"slot": slot, "apiVersion": API_VERSION}
            self._post(one, f"{one.kind}Notification", {"context": context, "value": value})
        if one.kind == "signature":
            self._open.pop(one.number, None)

    def _account_notes(self, one: Subscription, record: Record) -> list[Any]:
        account = self._chain.bank.account(one.argument, slot=record.slot)
        if account is None:
            return []
        return [shapes.account_json(account, one.config)]

    def _program_notes(self, one: Subscription, record: Record) -> list[Any]:
        notes = []
        for address in dict.fromkeys(record.keys):
            account = self._chain.bank.account(address, slot=record.slot)
            if account is not None and account.owner == one.argument:
                shaped = shapes.account_json(account, one.config)
                notes.append({"pubkey": str(address), "account": shaped})
        return notes

    def _post(self, one: Subscription, method: str, result: Any) -> None:
        params = {"result": result, "subscription": one.number}
        try:
            one.outbox.put_nowait({"jsonrpc": "2.0", "method": method, "params": params})
        except asyncio.QueueFull:
            self._open.pop(one.number, None)


def outbox() -> Outbox:
    """Return an empty outbox for one connection."""
    return asyncio.Queue(NOTES_MAX)


def _argument(kind: str, params: list[Any]) -> Any:
    if kind in ("root", "slot"):
        return None
    if not params:
        raise RpcError(INVALID_PARAMS, f"{kind}Subscribe needs an argument")
    if kind == "signature":
        return signature(params[0])
    if kind != "logs":
        return pubkey(params[0])
    wanted = params[0]
    if isinstance(wanted, dict):
        if len(wanted.get("mentions", [])) != 1:
            raise RpcError(
                INVALID_PARAMS, "logs are sent for all, or for one key that is mentioned"
            )
        return pubkey(wanted["mentions"][0])
    return None


def _concerns(one: Subscription, record: Record) -> bool:
    match one.kind:
        case "signature":
            return bool(one.argument == record.signature)
        case "account":
            return one.argument in record.keys
        case "logs":
            return one.argument is None or one.argument in record.keys
        case "program":
            return True
        case _:
            return False


def _log_note(record: Record) -> dict[str, Any]:
    return {"signature": str(record.signature), "err": record.error, "logs": record.logs}
