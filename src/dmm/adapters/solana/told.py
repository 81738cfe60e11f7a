"""What a transaction did, in the vocabulary of all chains: transfers of our vaults, our events.

What moves money is read from the program's instructions, because an outsider can fill a
transaction's log until the node cuts it; the rest is read from the log. Where the log is whole,
both must say the same. Others use the same program: only what names an account of ours is told.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from solders.pubkey import Pubkey

from dmm.adapters.solana.abi import Abi, Event, ProgramCall, is_truncated, snake
from dmm.adapters.solana.codec import Book, json_of
from dmm.adapters.solana.terms import page_address
from dmm.adapters.solana.transaction import Landed, change_of, moves_of
from dmm.settlement.chain_event import TOKEN_PREFIX, TRANSFER
from dmm.units.amount import ceil_div
from dmm.units.errors import ServiceFault, UsageFault
from dmm.units.ids import Json

BPS_ONE = 10_000
PAGES_MAX = 4_096
"""Pages of nonces among which one is looked for: a million quotes."""

DERIVED = frozenset({"Filled", "Paid", "BoughtBack", "StatementSettled", "ClawedBack"})
"""Events that move money."""

SOURCES = {
    "Filled": "settlement",
    "Cosigned": "settlement",
    "StatementSettled": "settlement",
    "Cancelled": "settlement",
    "SignerSet": "settlement",
    "Paid": "treasury",
    "BoughtBack": "treasury",
    "CapSet": "treasury",
    "OperatorSet": "treasury",
    "Proposed": "distributor",
    "Vetoed": "distributor",
    "BudgetSet": "distributor",
    "Claimed": "distributor",
    "ClawedBack": "distributor",
    "OrderMirrored": "governor",
    "GuardianSet": "settlement",
    "PausedSet": "settlement",
}
"""The deployment that stands for an event's source on every chain."""

Args: TypeAlias = "dict[str, Json]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One event of a transaction, as `dmm.settlement.chain_event.ChainEvent` names it."""

    source: str
    name: str
    args: Args


def told_of(landed: Landed, *, book: Book, abi: Abi) -> list[Told]:
    """Return what a transaction did to our vaults and contracts, in order.

    Raises
    ------
    ServiceFault
        If the program wrote what its interface does not know: it is of another build.
    """
    calls = _program_calls(landed, book=book, abi=abi)
    derived = [(place, *event) for place, call in calls for event in _derived(call, landed)]
    _require_logged(landed, [name for _, name, _, _ in derived], book=book, abi=abi)
    placed = [
        (place, Told(source=SOURCES[name], name=name, args=args))
        for place, name, args, owner in derived
        if _is_ours(name, owner, book)
    ]
    placed += _transfers(landed, book)
    found = [told for _, told in sorted(placed, key=lambda item: item[0])]
    found += _unexplained(landed, found, book)
    found += _logged(landed, calls, book=book, abi=abi)
    return [_with_words(told, calls, book) for told in found]


# -- the program's instructions --------------------------------------------------------------------

_Derived: TypeAlias = "tuple[str, Args, str]"
"""Name, arguments, and the account that says whether it is ours."""


def _program_calls(landed: Landed, *, book: Book, abi: Abi) -> list[tuple[int, ProgramCall]]:
    found = []
    for place, call in enumerate(landed.calls):
        if call.program != book.program:
            continue
        try:
            known = abi.call(call.data, call.accounts)
        except UsageFault as fault:
            raise ServiceFault(f"a call of our program cannot be read: {fault}") from fault
        if known is None:
            raise ServiceFault("our program carried out a call its IDL does not know: other build")
        found.append((place, known))
    return found


def _derived(call: ProgramCall, landed: Landed) -> list[_Derived]:
    accounts, arguments = call.accounts, call.arguments
    match call.name:
        case "settle_quote" | "settle_accepted":
            return [_filled(accounts["maker"], arguments["terms"], arguments["amount"])]
        case "settle_net_signed":
            maker = accounts["maker"]
            return [_filled(maker, one["terms"], one["amount"]) for one in arguments["quotes"]]
        case "settle_net":
            return [_statement(call)]
        case "pay":
            args: Args = {
                "key": arguments["key"].hex(),
                "token": str(accounts["mint"]),
                "to": str(accounts["recipient"]),
                "amount": arguments["amount"],
            }
            return [("Paid", args, str(accounts["treasury"]))]
        case "buyback":
            terms = arguments["terms"]
            filled = _filled(accounts["maker"], terms, terms["taker_amount"])
            return [filled, _bought_back(call, terms)]
        case "clawback":
            return [_clawed_back(call, landed)]
        case _:
            return []


def _filled(maker: Pubkey, terms: dict[str, Any], amount: int) -> _Derived:
    args: Args = {
        "quoteId": terms["quote_id"].hex(),
        "maker": str(maker),
        "nonce": terms["nonce"],
        "amount": amount,
    }
    return "Filled", args, str(maker)


def _statement(call: ProgramCall) -> _Derived:
    maker = str(call.accounts["maker"])
    args: Args = {
        "batchRoot": call.arguments["batch_root"].hex(),
        "maker": maker,
        "taker": str(call.accounts["taker"]),
        "count": call.arguments["count"],
    }
    return "StatementSettled", args, maker


def _bought_back(call: ProgramCall, terms: dict[str, Any]) -> _Derived:
    gross = terms["maker_amount"]
    args: Args = {
        "key": call.arguments["key"].hex(),
        "quoteId": terms["quote_id"].hex(),
        "paidToken": str(call.accounts["taker_mint"]),
        "paidAmount": terms["taker_amount"],
        "boughtToken": str(call.accounts["maker_mint"]),
        "boughtAmount": gross - ceil_div(gross * terms["fee_bps"], BPS_ONE),
        "burnt": call.arguments["burn"],
    }
    return "BoughtBack", args, str(call.accounts["treasury"])


def _clawed_back(call: ProgramCall, landed: Landed) -> _Derived:
    destination = str(call.accounts["destination"])
    held = landed.after.get(destination) or landed.before.get(destination)
    args: Args = {
        # Other chains name the owner here, and so do we; the program's own event has the account.
        "to": destination if held is None else held.owner,
        "amount": call.arguments["amount"],
    }
    return "ClawedBack", args, str(call.accounts["distributor"])


def _is_ours(name: str, owner: str, book: Book) -> bool:
    match name:
        case "Paid" | "BoughtBack" | "ClawedBack":
            deployed = SOURCES[name]
            return book.has(deployed) and book.address(deployed) == owner
        case _:
            return owner in book.vaults()


def _with_words(told: Told, calls: list[tuple[int, ProgramCall]], book: Book) -> Told:
    """Add the nonces that a statement used up: its pages are accounts, not arguments."""
    if told.name != "StatementSettled":
        return told
    call = next(
        call
        for _, call in calls
        if call.name == "settle_net"
        and call.arguments["batch_root"].hex() == told.args["batchRoot"]
        and str(call.accounts["maker"]) == told.args["maker"]
    )
    pages = _pages(book.program, call.accounts["maker"])
    words: list[Json] = []
    for page, mask in zip(call.rest, call.arguments["masks"], strict=True):
        if page not in pages:
            raise ServiceFault(f"{page} is none of the first {PAGES_MAX} pages of our maker")
        words.append({"word": pages[page], "mask": int.from_bytes(mask, "little")})
    return Told(source=told.source, name=told.name, args=told.args | {"words": words})


@functools.lru_cache(maxsize=4)
def _pages(program: Pubkey, maker: Pubkey) -> dict[Pubkey, int]:
    """Return a maker's pages of `NONCES_PER_PAGE` nonces by their accounts."""
    return {page_address(program, maker, word): word for word in range(PAGES_MAX)}


# -- tokens ----------------------------------------------------------------------------------------


def _transfers(landed: Landed, book: Book) -> list[tuple[int, Told]]:
    tokens, vaults = book.tokens(), book.vaults()
    return [
        (place, _transfer(tokens[move.mint], move.sender, move.recipient, move.atoms))
        for place, move in moves_of(landed)
        if move.mint in tokens and (move.sender in vaults or move.recipient in vaults)
    ]


def _unexplained(landed: Landed, found: list[Told], book: Book) -> Iterator[Told]:
    """Yield what balances changed by and no transfer tells: an account that changed its owner."""
    for mint, symbol in book.tokens().items():
        for vault in book.vaults():
            left = change_of(landed, owner=vault, mint=mint)
            left -= sum(_change(told, symbol, vault) for told in found)
            if left > 0:
                yield _transfer(symbol, "", vault, left)
            elif left < 0:
                yield _transfer(symbol, vault, "", -left)


def _change(told: Told, symbol: str, vault: str) -> int:
    if told.name != TRANSFER or told.source != TOKEN_PREFIX + symbol:
        return 0
    amount = told.args["amount"]
    sign = (told.args["recipient"] == vault) - (told.args["sender"] == vault)
    return sign * amount if isinstance(amount, int) else 0


def _transfer(symbol: str, sender: str, recipient: str, atoms: int) -> Told:
    args: Args = {"sender": sender, "recipient": recipient, "amount": atoms}
    return Told(source=TOKEN_PREFIX + symbol, name=TRANSFER, args=args)


# -- the log ---------------------------------------------------------------------------------------


def _require_logged(landed: Landed, names: list[str], *, book: Book, abi: Abi) -> None:
    """Refuse a program whose log tells other payments than its instructions."""
    if is_truncated(landed.logs):
        return
    events = abi.events(landed.logs, program=book.program)
    logged = [event.name for event in events if event.name in DERIVED]
    if logged != names:
        raise ServiceFault(
            f"our program logged {logged} where its instructions say {names}: other build"
        )


def _logged(
    landed: Landed, calls: list[tuple[int, ProgramCall]], *, book: Book, abi: Abi
) -> list[Told]:
    """Return events that move no money; what a cut log lost is lost."""
    return [
        Told(
            source=SOURCES[event.name],
            name=event.name,
            args={_camel(name): json_of(value) for name, value in event.fields.items()},
        )
        for event in abi.events(landed.logs, program=book.program)
        if event.name not in DERIVED and _names_ours(event, calls, book)
    ]


def _names_ours(event: Event, calls: list[tuple[int, ProgramCall]], book: Book) -> bool:
    own = {
        *book.vaults(),
        *(book.address(name) for name in ("treasury", "distributor", "governor") if book.has(name)),
    }
    if event.name == "OrderMirrored":
        return any(
            call.name == "mirror_order" and str(call.accounts["governor"]) in own
            for _, call in calls
        )
    return any(isinstance(value, Pubkey) and str(value) in own for value in event.fields.values())


def _camel(name: str) -> str:
    """Return a field's name as the IDL and the other chains have it."""
    first, *rest = name.split("_")
    camel = first + "".join(part.capitalize() for part in rest)
    return camel if snake(camel) == name else name
