"""What a taker is sent to sign: it reads back what the desk meant, or refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.rfq.netting import carrier_intent
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.rfq.statement_request import TRADES_MAX, requested_statement, statement_request
from dmm.settlement.carrier import TRADES
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import InvariantBroken, Permanent


def trade(nonce: int, *, gives: int = 7, takes: int = 11, least: int = 0) -> RfqTrade:
    quote = FirmQuote(
        chain="evm",
        contract="0xc",
        maker="0xm",
        signer="0xs",
        taker="0xt",
        maker_asset="BTC",
        taker_asset="USDT",
        maker_amount=Atoms(gives),
        taker_amount=Atoms(takes),
        fee_bps=0,
        fee_recipient="0xm",
        expiry_s=30,
        settle_by_s=60,
        nonce=nonce,
        min_fill=Atoms(least),
    )
    return RfqTrade(
        run_id="r",
        epoch=5,
        quote=quote,
        maker_signature=bytes([nonce]) * 65,
        fair_half_ticks=3,
        issued_at_ns=9,
        acceptance=Acceptance(quote_id=quote.quote_id, amount=Atoms(takes), recipient="0xr"),
        taker_signature=bytes([nonce + 1]) * 65,
        accepted_at_ns=10,
    )


def statement(*trades: RfqTrade) -> Intent:
    return carrier_intent(IntentKind.STATEMENT, trades, deadline_s=55, inputs={})


def sent(carrier: Intent) -> dict[str, Any]:
    """Return a request as the other side gets it."""
    body: dict[str, Any] = json.loads(json.dumps(statement_request(carrier)))
    return body


@given(
    amounts=st.lists(
        st.tuples(st.integers(1, 2**256 - 1), st.integers(2, 2**256 - 1)), min_size=1, max_size=5
    ),
    least=st.integers(0, 2),
)
def test_the_taker_makes_the_statement_that_the_desk_means(
    amounts: list[tuple[int, int]], least: int
) -> None:
    meant = statement(
        *(trade(n, gives=g, takes=t, least=least) for n, (g, t) in enumerate(amounts, 3))
    )
    read = requested_statement(sent(meant))
    for name in ("kind", "chain", "contract", "scope", "ordinal", "asset", "recipient", "amount",
                 "deadline_s"):  # fmt: skip
        assert getattr(read, name) == getattr(meant, name), name
    assert read.inputs[TRADES] == meant.inputs[TRADES]


def test_amounts_travel_as_text() -> None:
    (row,) = sent(statement(trade(3, gives=2**200 + 1, least=4)))["trades"]
    assert row["quote"]["maker_amount"] == str(2**200 + 1)
    assert (row["quote"]["taker_amount"], row["quote"]["min_fill"]) == ("11", "4")
    assert row["acceptance"]["amount"] == "11"


def test_a_carrier_without_trades_asks_for_nothing() -> None:
    bare = statement(trade(3))
    bare.inputs[TRADES] = []
    with pytest.raises(InvariantBroken, match="carries no trades"):
        statement_request(bare)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body.pop("trades"),
        lambda body: body.update(trades=[]),
        lambda body: body.update(trades=5),
        lambda body: body.update(settle_by_s=None),
        lambda body: body["trades"][0].pop("acceptance"),
        lambda body: body["trades"][0].update(maker_signature="0xzz"),
        lambda body: body["trades"][0]["quote"].update(maker_amount="seven"),
        lambda body: body["trades"][0]["quote"].update(maker_amount="0"),
        lambda body: body["trades"][0]["quote"].pop("nonce"),
        lambda body: body["trades"][0]["acceptance"].update(quote_id=None),
        lambda body: body.update(trades=body["trades"] * (TRADES_MAX + 1)),
    ],
)
def test_a_request_that_cannot_be_read_is_refused(spoil: Any) -> None:
    body = sent(statement(trade(3)))
    spoil(body)
    with pytest.raises(Permanent):
        requested_statement(body)
