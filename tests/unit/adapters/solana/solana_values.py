"""Deployments, keys and intents without a chain."""

from __future__ import annotations

import hashlib
from typing import Any

from dmm.adapters.solana.codec import Book, base58, chain_id_of
from dmm.adapters.solana.sign import Key, sign_acceptance, sign_quote
from dmm.adapters.solana.terms import maker_address, treasury_address
from dmm.ports import Deployment, SignRequest
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms


def key(name: str) -> Key:
    return Key(hashlib.sha256(b"unit/" + name.encode()).digest())


GENESIS = base58(hashlib.sha256(b"a cluster").digest())
PROGRAM = key("program").public
MAKER = str(maker_address(PROGRAM, key("desk").public))
TREASURY = str(treasury_address(PROGRAM, key("authority").public))
ADDRESSES = {
    "settlement": str(PROGRAM),
    "treasury": TREASURY,
    "vault:treasury": TREASURY,
    "vault:desk": MAKER,
    **{f"token:{symbol}": key(symbol).address for symbol in ("BTC", "USDT", "DCT")},
}
BOOK = Book(
    chain_id=chain_id_of(GENESIS),
    deployments={
        name: Deployment(chain="solana", name=name, address=address, height=3)
        for name, address in ADDRESSES.items()
    },
)


def quote(**change: Any) -> FirmQuote:
    fields: dict[str, Any] = {
        "chain": "solana",
        "contract": str(PROGRAM),
        "maker": MAKER,
        "signer": key("hot").address,
        "taker": key("taker").address,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(30_000_007),
        "taker_amount": Atoms(19_500_000_003),
        "fee_bps": 5,
        "fee_recipient": key("fees").address,
        "expiry_s": 2_000_000_060,
        "settle_by_s": 2_000_003_600,
        "nonce": 773,
    }
    return FirmQuote(**(fields | change))


def acceptance(of: FirmQuote, **change: Any) -> Acceptance:
    fields: dict[str, Any] = {
        "quote_id": of.quote_id,
        "amount": of.taker_amount,
        "recipient": key("elsewhere").address,
    }
    return Acceptance(**(fields | change))


def reward(**change: Any) -> Intent:
    fields: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "solana",
        "contract": "treasury",
        "vault": "treasury@solana",
        "scope": "run/liquidity",
        "epoch": 3,
        "ordinal": 11,
        "asset": "DCT",
        "recipient": key("provider").address,
        "amount": Atoms(1_234_567),
        "deadline_s": 2_000_000_600,
        "inputs": {},
    }
    return Intent(**(fields | change))


def settled(of: FirmQuote, **change: Any) -> Intent:
    taken = acceptance(of)
    inputs = {
        "quote": of.to_json(),
        "acceptance": {
            "quote_id": taken.quote_id.hex(),
            "amount": taken.amount,
            "recipient": taken.recipient,
        },
        "maker_signature": "0x" + sign_quote(of, key=key("hot"), book=BOOK).hex(),
        "taker_signature": "0x" + sign_acceptance(taken, of, key=key("taker"), book=BOOK).hex(),
    }
    fields: dict[str, Any] = {
        "kind": IntentKind.QUOTE,
        "contract": "settlement",
        "vault": "desk@solana",
        "scope": of.maker,
        "ordinal": of.nonce,
        "asset": of.maker_asset,
        "recipient": taken.recipient,
        "amount": of.maker_amount,
        "deadline_s": of.settle_by_s,
        "inputs": inputs,
    }
    return reward(**(fields | change))


def bought_back(**change: Any) -> Intent:
    of = quote(
        maker=str(maker_address(PROGRAM, key("outside").public)),
        taker=TREASURY,
        maker_asset="DCT",
    )
    fields: dict[str, Any] = {
        "kind": IntentKind.BUYBACK,
        "asset": "USDT",
        "recipient": of.maker,
        "amount": of.taker_amount,
        "inputs": {
            "quote": of.to_json(),
            "maker_signature": "0x" + sign_quote(of, key=key("hot"), book=BOOK).hex(),
            "min_out": 1_000,
            "burn": True,
        },
    }
    return reward(**(fields | change))


def request(intent: Intent, **change: Any) -> SignRequest:
    fields: dict[str, Any] = {
        "intent": intent,
        "generation": 0,
        "bump": 0,
        "slot": 4,
        "unit_fee_max": 1_003,
        "unit_tip": 1_003,
        "gas_max": 90_000,
        "expires": 700,
        "anchor": base58(hashlib.sha256(b"a block").digest()),
    }
    return SignRequest(**(fields | change))
