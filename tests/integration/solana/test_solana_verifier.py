"""The independent verifier proves a desk on Solana, and finds every kind of forgery by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from audit_export import (
    Change,
    Line,
    Verified,
    drop,
    drop_whole,
    first,
    intent,
    posting,
    rehash,
    require_ethers,
    say_paid,
    say_unpaid,
    swap_payments,
    verify,
    verify_all,
    write,
)
from journal_memory import MemoryJournal
from solana_desk import SolanaDesk
from solders.sysvar import INSTRUCTIONS

from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.codec import TOKEN, base58, chain_id_of, terms_of, token_account
from dmm.adapters.solana.sign import Key, sign_quote, sign_settlement
from dmm.ports import Run, SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.solana.transact import Sender, give
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentState
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.audit import audit_books, record_funding
from dmm.usecases.dispatch import sweep
from dmm.usecases.export import export_lines
from dmm.usecases.follow import follow

RUN = "verified"
STRANGER = Key(b"\x21" * 32)
FEE_BPS = 25


class Clock:
    """A clock that stands until somebody sleeps."""

    def __init__(self) -> None:
        self.ns = 1_700_000_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.ns)

    def sleep_s(self, seconds: float) -> None:
        self.ns += int(seconds * NS_PER_S)


@dataclass
class Signer:
    """The operator's key in this process."""

    desk: SolanaDesk

    def address(self, chain: str, *_: object) -> str:
        return self.desk.actors.operator.address

    def sign(self, request: SignRequest) -> SignedTx:
        return sign_settlement(request, key=self.desk.actors.operator, book=self.desk.book)


class Settled:
    """A desk that settled every kind of intent on a local cluster, with its export."""

    def __init__(self, desk: SolanaDesk) -> None:
        self.desk, self.clock = desk, Clock()
        self.url = desk.local.node.url
        self.store = MemoryJournal(now_ns=lambda: self.clock.ns)
        self.store.record_deployments(desk.deployments)
        desk.finalize()
        height = max(one.height for one in desk.deployments)
        record_funding(
            store=self.store, log=desk.log(), clock=self.clock, height=height, wait_s_max=1
        )
        run = Run(
            run_id=RUN, kind="demo", symbol="BTCUSDT", epochs=1, spec={}, started_at_ns=Nanos(5)
        )
        self.store.open_run(run)
        self.settle()
        self.lines = self.export()

    def settle(self) -> None:
        desk = self.desk
        fee_to = desk.actors.takers[1].address
        with_fee = desk.quote(fee_bps=FEE_BPS, fee_recipient=fee_to)
        fills = [desk.accepted(), desk.accepted(with_fee)]
        for fill in fills:
            self.store.record_quote(trade_of(fill))
        self.plan(desk.reward(), desk.reward(1_013), desk.buyback(), *fills)
        self.sweep()
        # Nobody signs it before its deadline.
        self.plan(desk.reward(deadline_s=desk.now_s() + 20), epoch=1)
        desk.advance(120)
        self.sweep()
        relayed, taken = desk.accepted(), desk.accepted()
        for fill in (relayed, taken):
            self.store.record_quote(trade_of(fill))
        # One quote is relayed by somebody else, the other its taker takes itself.
        desk.send(relayed)
        self.take(trade_of(taken).quote)
        mint, deployer = desk.book.token("USDT"), desk.actors.deployer
        Sender(desk.call, deployer).run(give(deployer, desk.book.key("treasury"), mint, 77))
        desk.finalize()
        follow(store=self.store, log=desk.log(), clock=self.clock)
        self.plan(desk.reward(), epoch=2)

    def plan(self, *intents: Intent, epoch: int = 0) -> None:
        claim = self.store.open_epoch(
            run_id=RUN,
            job=Job.LIQUIDITY_REWARDS,
            scope=f"{RUN}:x",
            epoch=epoch,
            now_ns=Nanos(0),
            chain_time_s=0,
        )
        postings = tuple(reserve(intent, at_ns=0) for intent in intents)
        self.store.record_epoch(claim, EpochPlan(intents=intents, postings=postings))

    def sweep(self) -> None:
        for _ in range(3):
            self.clock.ns += 60 * NS_PER_S
            sweep(
                store=self.store,
                chain=self.desk.chain(),
                signer=Signer(self.desk),
                clock=self.clock,
                owner="driver",
                wait_s_max=0,
            )
            self.desk.finalize()

    def take(self, quote: FirmQuote) -> None:
        """A taker settles a quote by its own transaction, without an acceptance."""
        book, taker = self.desk.book, self.desk.actors.takers[0]
        terms = terms_of(quote, book)
        accounts = {
            "taker": terms.taker,
            "maker": terms.maker,
            "page": signing.page_address(terms.program, terms.maker, quote.nonce // 256),
            "taker_source": token_account(terms.taker, terms.taker_mint),
            "maker_destination": token_account(terms.maker, terms.taker_mint),
            "maker_source": token_account(terms.maker, terms.maker_mint),
            "recipient": token_account(terms.taker, terms.maker_mint),
            "fee_account": terms.fee_account,
            "taker_mint": terms.taker_mint,
            "maker_mint": terms.maker_mint,
            "taker_token_program": TOKEN,
            "maker_token_program": TOKEN,
            "instructions": INSTRUCTIONS,
        }
        call = program_abi().instruction(
            terms.program,
            "settle_quote",
            accounts,
            terms=terms.numbers(),
            amount=terms.taker_amount,
            output_min=0,
        )
        signature = sign_quote(quote, key=self.desk.actors.quote_signer, book=book)
        checked = signing.check_of(bytes(terms.signer), signature, terms.digest())
        Sender(self.desk.call, self.desk.actors.deployer).run([checked, call], taker)

    def export(self) -> list[Line]:
        audited = audit_books(store=self.store, log=self.desk.log())
        assert audited.result.is_clean
        chain_id = chain_id_of(self.desk.local.genesis_hash)
        lines = export_lines(store=self.store, audited=audited, chain_id=chain_id)
        return [json.loads(line) for line in lines]


def trade_of(fill: Intent) -> RfqTrade:
    """Return the quote behind a fill as it was issued."""
    return RfqTrade(
        run_id=RUN,
        epoch=fill.epoch,
        quote=FirmQuote.from_json(cast("Any", fill.inputs["quote"])),
        maker_signature=bytes.fromhex(str(fill.inputs["maker_signature"])[2:]),
        fair_half_ticks=5,
        issued_at_ns=6,
    )


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settled]:
    require_ethers()
    desk = SolanaDesk.on(tmp_path_factory.mktemp("solana-verified"))
    yield Settled(desk)
    desk.stop()


def test_an_honest_export_of_a_desk_on_solana_is_proven(settled: Settled, tmp_path: Path) -> None:
    states = {line["state"] for line in settled.lines if line["type"] == "intent"}
    assert states == {IntentState.FINAL, IntentState.FAILED, IntentState.READY}
    assert len([line for line in settled.lines if line["type"] == "quote"]) == 2
    path = write(tmp_path / "export.jsonl", settled.lines)
    code, faults, said = verify(path, settled.url)
    assert (code, faults) == (0, set()), said
    assert "PROVEN: 7 of 9 intents paid" in said


def test_an_export_stays_true_while_the_chain_goes_on(settled: Settled, tmp_path: Path) -> None:
    settled.desk.send(settled.desk.reward())
    settled.desk.finalize()
    path = write(tmp_path / "export.jsonl", settled.lines)
    assert verify(path, settled.url)[:2] == (0, set())


# -- forgeries -------------------------------------------------------------------------------------


def pay_more(lines: list[Line]) -> None:
    """Say, consistently, that a reward paid one atom more."""
    line = intent(lines)
    line["amount"] += 1
    rehash(line)


def pay_another(lines: list[Line]) -> None:
    """Say, consistently, that a reward went to somebody else."""
    line = intent(lines)
    line["recipient"] = STRANGER.address
    rehash(line)


def pay_later(lines: list[Line]) -> None:
    """Say, consistently, that a reward had more time."""
    line = intent(lines)
    line["deadline_s"] += 9
    rehash(line)


def buy_worse(lines: list[Line]) -> None:
    """Say, consistently, that a buyback was content with less."""
    line = intent(lines, kind="buyback")
    line["inputs"]["min_out"] -= 1
    rehash(line)


def forge_signature(lines: list[Line], name: str) -> None:
    """Put a signature into a settled quote that is none."""
    line = intent(lines, kind="quote")
    line["inputs"][name] = "0x" + "11" * 64
    rehash(line)


def invent(lines: list[Line]) -> None:
    """Say that an unsent reward was paid by a transaction that is not there."""
    line = intent(lines, state="READY")
    line["state"], line["paid"] = "FINAL", {"tx_id": base58(b"\x07" * 64), "height": 300}


def use_the_dead_key(lines: list[Line]) -> None:
    """Say that an intent nobody paid was paid by another's transaction."""
    line = intent(lines, state="FAILED")
    line["state"], line["paid"] = "FINAL", intent(lines)["paid"]


def steal_as_gift(lines: list[Line]) -> None:
    """Call what left a gift of a negative amount."""
    line = intent(lines)
    drop_whole(lines, line)
    at = lines.index(first(lines, type="posting"))
    change = [line["vault"], line["asset"], -line["amount"]]
    lines.insert(at, {"type": "finding", "cause": "donation", "changes": [change], **line["paid"]})


FORGERIES: dict[str, tuple[str, Change]] = {
    "an amount": ("intent.content", lambda x: intent(x).update(amount=intent(x)["amount"] + 1)),
    "an amount, hashed anew": ("event.missing", pay_more),
    "a recipient": ("intent.content", lambda x: intent(x).update(recipient=STRANGER.address)),
    "a recipient, hashed anew": ("event.missing", pay_another),
    "a deadline, hashed anew": ("event.missing", pay_later),
    "a buyback's least, hashed anew": ("event.missing", buy_worse),
    "an identity": ("intent.id", lambda x: intent(x).update(epoch=77)),
    "a transaction that is not there": ("tx.missing", invent),
    "payments swapped": ("event.missing", swap_payments),
    "a payment invented": ("key.unset", say_paid),
    "a key that was never used": ("key.unset", use_the_dead_key),
    "a payment denied": ("intent.hidden", say_unpaid),
    "a final intent without payment": ("intent.unproven", lambda x: intent(x).update(paid=None)),
    "a paid intent called failed": ("intent.dead_paid", lambda x: intent(x).update(state="FAILED")),
    "a death before the deadline": (
        "intent.death",
        lambda x: intent(x, state="FAILED").update(closed_height=20),
    ),
    "another slot": (
        "tx.height",
        lambda x: intent(x)["paid"].update(height=intent(x)["paid"]["height"] + 1),
    ),
    "another sender": (
        "tx.sender",
        lambda x: intent(x)["attempts"][-1].update(signer=STRANGER.address),
    ),
    "a maker's signature": (
        "quote.maker_signature",
        lambda x: forge_signature(x, "maker_signature"),
    ),
    "a taker's signature": (
        "quote.taker_signature",
        lambda x: forge_signature(x, "taker_signature"),
    ),
    "a quote's terms": (
        "quote.maker_signature",
        lambda x: intent(x, kind="quote")["inputs"]["quote"].update(expiry_s=2_000_000_000),
    ),
    "an intent left out": (
        "transfer.unexplained",
        lambda x: drop_whole(x, intent(x)),
    ),
    "a taker's own fill left out": (
        "transfer.unexplained",
        lambda x: drop(x, [y for y in x if y["type"] == "quote"][1]),
    ),
    "a gift left out": ("transfer.unexplained", lambda x: drop(x, first(x, type="finding"))),
    "a theft called a gift": ("alarm", steal_as_gift),
    "a posting's amount": (
        "ledger.content",
        lambda x: posting(x, ":paid").update(amount=posting(x, ":paid")["amount"] + 1),
    ),
    "a posting left out": ("balance.ledger", lambda x: drop(x, posting(x, ":received"))),
    "a funding left out": (
        "ledger.funding",
        lambda x: drop(x, first(x, type="posting", debit="outside")),
    ),
    "a funding of another amount": (
        "ledger.funding",
        lambda x: first(x, type="posting", debit="outside").update(amount=5),
    ),
    "a balance of the chain": (
        "balance.chain",
        lambda x: first(x, type="balance").update(
            chain_atoms=first(x, type="balance")["chain_atoms"] + 1
        ),
    ),
    "another block": ("chain.block", lambda x: x[0].update(block_hash=base58(b"\x05" * 32))),
    "a slot beyond finality": (
        "chain.finality",
        lambda x: x[0].update(height=x[0]["height"] + 9_000),
    ),
    "a vault left out": ("ledger.source", lambda x: x[0]["vaults"].pop("desk@solana")),
}


@pytest.fixture(scope="module")
def verdicts(settled: Settled, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verified]:
    changes = {name: change for name, (_, change) in FORGERIES.items()}
    folder = tmp_path_factory.mktemp("forged")
    return verify_all(folder, settled.lines, changes, settled.url)


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_on_solana_is_found_by_name(what: str, verdicts: dict[str, Verified]) -> None:
    code, faults, said = verdicts[what]
    assert code == 1, said
    assert FORGERIES[what][0] in faults, said


def test_a_cluster_with_another_genesis_hash_proves_nothing(
    settled: Settled, tmp_path: Path
) -> None:
    lines = [dict(line) for line in settled.lines]
    lines[0]["chain_id"] += 1
    code, faults, said = verify(write(tmp_path / "x.jsonl", lines), settled.url)
    assert (code, faults) == (1, {"verify"})
    assert "another chain" in said
