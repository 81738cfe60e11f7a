from __future__ import annotations

from collections.abc import Callable

import pytest

from dmm.adapters.makers.http import HttpMaker
from dmm.rfq.protocol import FirmQuote
from dmm.sandbox.market_maker import MakerServer
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable

Quoted = tuple[FirmQuote, bytes] | None


def signed_quote(request: dict[str, object], cash: Atoms) -> Quoted:
    quote = FirmQuote(
        chain=str(request["chain"]),
        contract="0x" + "55" * 20,
        maker="0x" + "11" * 20,
        signer="0x" + "12" * 20,
        taker=str(request["taker"]),
        maker_asset=str(request["bought_asset"]),
        taker_asset=str(request["cash_asset"]),
        maker_amount=Atoms(2**200 + 7),
        taker_amount=cash,
        fee_bps=0,
        fee_recipient="",
        expiry_s=1_000,
        settle_by_s=2_000,
        nonce=3,
    )
    return quote, b"\x07" * 65


def ask(url: str) -> Quoted:
    return HttpMaker(url).quote(
        chain="evm",
        taker="0x" + "22" * 20,
        cash_asset="USDT",
        cash_amount=Atoms(10**30 + 1),
        bought_asset="DCT",
        deadline_s=2_000,
        nonce=3,
    )


def refuse(_: dict[str, object], __: Atoms) -> Quoted:
    raise ValueError("unknown asset")


def test_a_maker_that_is_not_there_is_retryable_and_named() -> None:
    with MakerServer(signed_quote) as server:
        url = server.url
    with pytest.raises(Retryable, match="DMM_BUYBACK_MAKER_URL"):
        ask(url)


def test_a_maker_that_refuses_the_request_is_permanent_with_its_reason() -> None:
    with MakerServer(refuse) as server, pytest.raises(Permanent, match="unknown asset"):
        ask(server.url)


@pytest.mark.parametrize(
    ("answer", "expected"), [(lambda _request, _cash: None, False), (signed_quote, True)]
)
def test_a_quote_comes_back_whole_and_no_quote_is_none(
    answer: Callable[[dict[str, object], Atoms], Quoted], expected: bool
) -> None:
    with MakerServer(answer) as server:
        quoted = ask(server.url)
    if not expected:
        assert quoted is None
        return
    assert quoted is not None
    quote, signature = quoted
    assert (quote.maker_amount, quote.taker_amount) == (2**200 + 7, 10**30 + 1)
    assert signature == b"\x07" * 65
