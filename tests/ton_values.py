"""Deployments, quotes and intents on TON for unit tests; no chain behind them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dmm.adapters.ton.codec import LAYOUT_WITH_STATUS, WALLET_CODE, Book, WalletCode
from dmm.adapters.ton.sign import Key, sign_acceptance, sign_quote
from dmm.ports import Deployment
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.ton.cells import code_of
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

BUILD = Path(__file__).resolve().parents[1] / "contracts" / "ton" / "build"
NETWORK = -217
NOW_S = 1_900_000_000
CODE = code_of(BUILD, "JettonWallet")
MAKER, TAKER, OPERATOR = (Key(bytes([n]) * 32) for n in (0x31, 0x32, 0x33))
SETTLEMENT, TREASURY = "0:" + "a1" * 32, "0:" + "a2" * 32
ADDRESSES = {
    "settlement": SETTLEMENT,
    "treasury": TREASURY,
    "token:BTC": "0:" + "b1" * 32,
    "token:USDT": "0:" + "b2" * 32,
    "token:DCT": "0:" + "b3" * 32,
} | {
    f"{WALLET_CODE}{symbol}": WalletCode.of(CODE, layout=LAYOUT_WITH_STATUS).text()
    for symbol in ("BTC", "USDT", "DCT")
}


def book(**change: str) -> Book:
    return Book(
        chain_id=NETWORK,
        deployments={
            name: Deployment(chain="ton", name=name, address=address, height=1)
            for name, address in (ADDRESSES | change).items()
        },
    )


def quote(**change: Any) -> FirmQuote:
    terms: dict[str, Any] = {
        "chain": "ton",
        "contract": SETTLEMENT,
        "maker": SETTLEMENT,
        "signer": MAKER.address,
        "taker": TAKER.address,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(250_000_003),
        "taker_amount": Atoms(150_000_000_007),
        "fee_bps": 7,
        "fee_recipient": OPERATOR.address,
        "expiry_s": NOW_S + 30,
        "settle_by_s": NOW_S + 600,
        "nonce": 1_029,
    }
    return FirmQuote(**(terms | change))


def accepted(of: FirmQuote, **change: Any) -> tuple[Acceptance, bytes]:
    acceptance = Acceptance(
        quote_id=of.quote_id, amount=of.taker_amount, recipient=OPERATOR.address
    )
    terms: dict[str, Any] = {
        "key": TAKER,
        "book": book(),
        "maker_signature": sign_quote(of, key=MAKER, book=book()),
        "query_id": 5_115,
    }
    return acceptance, sign_acceptance(acceptance, of, **(terms | change))


def reward(**change: Any) -> Intent:
    terms: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "ton",
        "contract": "treasury",
        "vault": "treasury@ton",
        "scope": "unit/liquidity",
        "epoch": 3,
        "ordinal": 5,
        "asset": "DCT",
        "recipient": TAKER.address,
        "amount": Atoms(1_234_567),
        "deadline_s": NOW_S + 900,
        "inputs": {},
    }
    return Intent(**(terms | change))


def fill(of: FirmQuote | None = None, **change: Any) -> Intent:
    of = of or quote()
    acceptance, signature = accepted(of)
    terms: dict[str, Any] = {
        "kind": IntentKind.QUOTE,
        "contract": "settlement",
        "vault": "desk@ton",
        "scope": of.maker,
        "ordinal": of.nonce,
        "asset": of.maker_asset,
        "recipient": acceptance.recipient,
        "amount": of.maker_amount,
        "deadline_s": of.settle_by_s,
        "inputs": {
            "quote": of.to_json(),
            "maker_signature": "0x" + sign_quote(of, key=MAKER, book=book()).hex(),
            "acceptance": {
                "quote_id": acceptance.quote_id.hex(),
                "amount": acceptance.amount,
                "recipient": acceptance.recipient,
            },
            "taker_signature": "0x" + signature.hex(),
        },
    }
    return reward(**(terms | change))


def buyback(of: FirmQuote | None = None, **change: Any) -> Intent:
    of = of or quote(taker=TREASURY, maker_asset="DCT", fee_bps=0)
    terms: dict[str, Any] = {
        "kind": IntentKind.BUYBACK,
        "asset": of.taker_asset,
        "recipient": of.maker,
        "amount": of.taker_amount,
        "inputs": {
            "quote": of.to_json(),
            "maker_signature": "0x" + sign_quote(of, key=MAKER, book=book()).hex(),
            "min_out": of.maker_amount,
            "burn": True,
        },
    }
    return reward(**(terms | change))
