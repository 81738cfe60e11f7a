"""Firm quotes on a desk in memory: asked for, accepted, planned, and ended on their chain."""

from __future__ import annotations

from desk_memory import DESK, INSTRUMENT, RUN, START_NS, Desk

from dmm.market.instrument import Instrument, Side
from dmm.ports import Run
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.batch import paid, void
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms, Lots
from dmm.units.time import Nanos
from dmm.usecases.rfq import Accepted, Declined, Quoted, QuoteRequest, accept, answer, settle_quotes


class QuoteSigner:
    """Signs every quote."""

    def next_nonce(self, chain: str) -> int:
        del chain
        return 0

    def sign_statement(self, carrier: Intent) -> bytes:
        raise AssertionError("a request for a quote needs no statement")

    def maker(self, chain: str) -> str:
        return DESK if chain == "evm" else f"{DESK}-{chain}"

    def signer(self, chain: str) -> str:
        del chain
        return "0xhot"

    def sign_quote(self, quote: FirmQuote) -> bytes:
        return quote.quote_id[:4]


def desk_trading(instrument: Instrument = INSTRUMENT) -> Desk:
    """Return a desk whose run trades an instrument, with both its assets in the vault."""
    desk = Desk()
    desk.store._runs.clear()
    desk.store.open_run(
        Run(
            run_id=RUN,
            kind="demo",
            symbol=instrument.symbol,
            epochs=3,
            spec={"instrument": instrument.to_json(), "lp_shares": {}},
            started_at_ns=Nanos(START_NS),
        )
    )
    for asset in (instrument.position.symbol, instrument.cash.symbol):
        desk.fund("desk", asset, 10**18)
    return desk


def ask(
    desk: Desk,
    *,
    epoch: int,
    side: Side = Side.BUY,
    size: int = 5,
    instrument: Instrument = INSTRUMENT,
    chain: str = "evm",
) -> Quoted | Declined:
    """Ask for a quote of ten seconds; the side is the taker's."""
    return answer(
        store=desk.store,
        chain=desk.on(chain),
        clock=desk.clock,
        signer=QuoteSigner(),
        instrument=instrument,
        run_id=RUN,
        epoch=epoch,
        request=QuoteRequest(taker="0xt1", side=side, size=Lots(size), ttl_s=10),
        settle_window_s=3_600,
    )


def quoted(desk: Desk, *, epoch: int, **asked: object) -> RfqTrade:
    """Return a quote that is given."""
    reply = ask(desk, epoch=epoch, **asked)  # type: ignore[arg-type]
    assert isinstance(reply, Quoted), reply
    return reply.trade


def taken(desk: Desk, trade: RfqTrade) -> RfqTrade:
    """Return the quote accepted as a whole."""
    reply = accept(
        store=desk.store,
        chain=desk.on(trade.quote.chain),
        clock=desk.clock,
        run_id=RUN,
        epoch=trade.epoch,
        acceptance=Acceptance(
            quote_id=trade.quote.quote_id,
            amount=Atoms(trade.quote.taker_amount),
            recipient="0xr1",
        ),
        taker_signature=b"sig",
        verify=lambda *_: True,
    )
    assert isinstance(reply, Accepted), reply
    return reply.trade


def plan(desk: Desk, epoch: int, chain: str = "evm") -> None:
    """Plan the settlement of what was accepted."""
    settle_quotes(store=desk.store, chain=desk.on(chain), clock=desk.clock, run_id=RUN, epoch=epoch)


def end(desk: Desk, *, final: bool = True, chain: str = "evm") -> int:
    """End every planned quote of a chain, as paid or as dead; return how many."""
    ended = 0
    while (claimed := desk.store.claim_due(chain=chain, owner="test", lease_s=60)) is not None:
        assert claimed.intent.kind is IntentKind.QUOTE
        if final:
            postings = paid(claimed.intent, at_ns=START_NS)
            desk.store.finish_final(claimed, tx_id=None, height=7, postings=postings)
        else:
            postings = void(claimed.intent, at_ns=START_NS)
            desk.store.finish_failed(claimed, height=7, proof={}, postings=postings)
        ended += 1
    return ended
