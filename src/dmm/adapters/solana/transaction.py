"""A landed transaction as a node tells it: its calls in order, and whose tokens moved.

A transaction that succeeded carried out every instruction it lists, inner ones too: a call that
fails ends the whole of it. So the calls, unlike the log, which nodes cut after 10 kB, are complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from solders.pubkey import Pubkey

from dmm.adapters.solana.codec import TOKEN, TOKEN_2022, from_base58
from dmm.units.errors import Permanent

CALLS_MAX = 1_024
"""Calls of one transaction; the runtime allows 64 instructions in all today."""

TOKEN_PROGRAMS = (TOKEN, TOKEN_2022)

_TRANSFER, _MINT, _BURN = 3, 7, 8
_CHECKED = {12: _TRANSFER, 14: _MINT, 15: _BURN}
"""The forms that name the mint too, by the form they extend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCall:
    """One call: the program, its accounts, its data."""

    program: Pubkey
    accounts: tuple[Pubkey, ...]
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a token account held: whose it was, of which mint, atoms."""

    owner: str
    mint: str
    atoms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Tokens that moved between owners; an empty owner is the mint itself, or nobody known."""

    mint: str
    sender: str
    recipient: str
    atoms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """One transaction that succeeded; token accounts by address."""

    calls: tuple[RawCall, ...]
    before: Mapping[str, Holding]
    after: Mapping[str, Holding]
    logs: tuple[str, ...]


def landed_of(body: Mapping[str, Any]) -> Landed:
    """Read what ``getTransaction`` answers, in the encoding ``json``.

    Raises
    ------
    Permanent
        If it cannot be read, or the transaction failed.
    """
    try:
        meta, message = body["meta"], body["transaction"]["message"]
        if meta["err"] is not None:
            raise Permanent(f"the transaction failed: {meta['err']}")
        loaded = meta.get("loadedAddresses") or {"writable": [], "readonly": []}
        texts = [*message["accountKeys"], *loaded["writable"], *loaded["readonly"]]
        keys = [Pubkey.from_string(text) for text in texts]
        inner = {item["index"]: item["instructions"] for item in meta["innerInstructions"] or []}
        calls: list[RawCall] = []
        for index, outer in enumerate(message["instructions"]):
            calls += [_call(item, keys) for item in (outer, *inner.get(index, []))]
        if len(calls) > CALLS_MAX:
            raise Permanent(f"a transaction of {len(calls)} calls, at most {CALLS_MAX}")
        return Landed(
            calls=tuple(calls),
            before=_holdings(meta["preTokenBalances"], texts),
            after=_holdings(meta["postTokenBalances"], texts),
            logs=tuple(meta["logMessages"] or ()),
        )
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Permanent(f"a transaction cannot be read: {error!r}") from error


def moves_of(landed: Landed) -> Iterator[tuple[int, Move]]:
    """Yield what token programs moved, each with the place of its call."""
    holdings = {**landed.before, **landed.after}
    for place, call in enumerate(landed.calls):
        if call.program in TOKEN_PROGRAMS and call.data:
            found = _move(call, holdings)
            if found is not None:
                yield place, found


def change_of(landed: Landed, *, owner: str, mint: str) -> int:
    """Return what an owner has more of a mint than before, by its accounts' balances."""
    sides = ((landed.after, 1), (landed.before, -1))
    return sum(
        sign * held.atoms
        for side, sign in sides
        for held in side.values()
        if (held.owner, held.mint) == (owner, mint)
    )


def _call(item: Mapping[str, Any], keys: list[Pubkey]) -> RawCall:
    return RawCall(
        program=keys[item["programIdIndex"]],
        accounts=tuple(keys[index] for index in item["accounts"]),
        data=from_base58(item["data"]),
    )


def _holdings(rows: Any, texts: list[str]) -> dict[str, Holding]:
    return {
        texts[row["accountIndex"]]: Holding(
            owner=row["owner"], mint=row["mint"], atoms=int(row["uiTokenAmount"]["amount"])
        )
        for row in rows or []
    }


def _move(call: RawCall, holdings: Mapping[str, Holding]) -> Move | None:
    """Read a token program's call; None when it moves nothing, or in a form not known here."""
    kind = _CHECKED.get(call.data[0], call.data[0])
    is_checked = call.data[0] in _CHECKED
    needed = 3 if kind == _TRANSFER and is_checked else 2
    is_read = kind in (_TRANSFER, _MINT, _BURN) and len(call.accounts) >= needed
    if not is_read or len(call.data) < 9:
        return None
    atoms = int.from_bytes(call.data[1:9], "little")
    if kind == _TRANSFER:
        places: tuple[int | None, int | None] = (0, 2 if is_checked else 1)
    else:
        places = (None, 1) if kind == _MINT else (0, None)
    ends = [None if place is None else holdings.get(str(call.accounts[place])) for place in places]
    known = next((end for end in ends if end is not None), None)
    if known is None or atoms == 0:
        return None
    sender, recipient = ("" if end is None else end.owner for end in ends)
    return Move(mint=known.mint, sender=sender, recipient=recipient, atoms=atoms)
