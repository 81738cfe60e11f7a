"""The independent verifier proves a desk on TON, and finds every forgery and lie by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
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
from ton_liar import (
    Liar,
    Lie,
    changed_amount,
    changed_proof,
    changed_state,
    cut_history,
    dropped_transaction,
    hidden_data,
    hidden_message,
    liar,
    no_answer,
    other_time,
    swapped_transactions,
)

from dmm.adapters.ton.cells import OP_DEPOSIT_JETTON, OP_FILL, op, transfer
from dmm.adapters.ton.sign import Key, sign_settlement
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.ports import Run, SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.ton.actors import Actors
from dmm.sandbox.ton.cells import OP_BRAKE, at
from dmm.sandbox.ton.deploy import deploy
from dmm.sandbox.ton.node import GLOBAL_ID, TonNode
from dmm.settlement.batch import reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentState
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.audit import audit_books, record_funding
from dmm.usecases.dispatch import sweep
from dmm.usecases.export import export_lines
from dmm.usecases.follow import follow
from tests.integration.ton.conftest import BTC, ROOT, TON1, USDT, Local

RUN = "verified"
STRANGER = Key(b"\x21" * 32)
FEE_BPS = 25
LOCKED_OUT, LOCKED_IN, FREE = 1, 2, 0
BLOCKS_UNDER_WAY = 4
"""After so many hops the treasury's jettons are away, and the vault has a taker's."""


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

    local: Local

    def address(self, chain: str, *_: object) -> str:
        return self.local.actors.operator.address

    def sign(self, request: SignRequest) -> SignedTx:
        return sign_settlement(request, key=self.local.actors.operator, book=self.local.book)


class Settled:
    """A desk that settled every kind of intent on a chain of its own, with its export."""

    def __init__(self, local: Local) -> None:
        self.local, self.clock = local, Clock()
        self.config = local.node.config_path
        self.store = MemoryJournal(now_ns=lambda: self.clock.ns)
        self.store.record_deployments(list(local.deployments.values()))
        self.log = local.one_server()
        height = max(deployed.height for deployed in local.deployments.values())
        record_funding(
            store=self.store, log=self.log, clock=self.clock, height=height, wait_s_max=1
        )
        run = Run(
            run_id=RUN, kind="demo", symbol="BTCUSDT", epochs=1, spec={}, started_at_ns=Nanos(5)
        )
        self.store.open_run(run)
        self.settle()
        with self.under_way():
            self.lines = self.export()

    def settle(self) -> None:
        local = self.local
        with_fee = local.quote(fee_bps=FEE_BPS, fee_recipient=local.actors.takers[1].address)
        fills = [local.fill(), local.fill(with_fee)]
        for fill in fills:
            self.store.record_quote(trade_of(fill))
        bought = local.buyback()
        self.plan(local.reward(), local.reward(amount=1_013), bought, *fills)
        self.sweep()
        # The maker gives less than is asked for: the payment comes back long before its deadline.
        quote: Any = local.buyback()
        greedy = quote.inputs | {"min_out": quote.inputs["quote"]["maker_amount"] + 1}
        # So does a deal whose leg the vault's own wallet refuses.
        returned = local.fill()
        self.store.record_quote(trade_of(returned))
        with self.locked("BTC", local.book.account("settlement"), LOCKED_OUT):
            self.plan(returned, local.buyback(inputs=greedy), epoch=3)
            self.sweep()
        # Nobody signs it before its deadline.
        self.plan(local.reward(deadline_s=local.now_s() + 20), epoch=1)
        local.node.advance(120)
        self.sweep()
        taken = local.fill()
        self.store.record_quote(trade_of(taken))
        local.pay(taken)
        self.give("DCT", 77, to="treasury")
        # A stranger's order that breaks off: the vault hands the coins back and goes on.
        self.give("DCT", 5, to="settlement", payload=op(OP_FILL))
        self.give("USDT", 78, to="settlement", payload=op(OP_DEPOSIT_JETTON))
        # Its receiver refuses in silence: it is under way until somebody says how it ended.
        provider = local.actors.providers[0]
        silent = local.reward(recipient=provider.address, deadline_s=local.now_s() + 60)
        with self.locked("DCT", provider.account, LOCKED_IN):
            self.plan(silent, epoch=4)
            self.sweep()
        local.node.advance(120)
        local.idle()
        follow(store=self.store, log=self.log, clock=self.clock)

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
            self.sweep_once()
            self.local.idle()

    def sweep_once(self) -> None:
        self.clock.ns += 60 * NS_PER_S
        sweep(
            store=self.store,
            chain=self.local.chain(),
            signer=Signer(self.local),
            clock=self.clock,
            owner="driver",
            wait_s_max=0,
        )

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Hold the chain at a block where a reward has left and a deal is open."""
        node, fill = self.local.node, self.local.fill()
        self.store.record_quote(trade_of(fill))
        self.plan(self.local.reward(), fill, epoch=5)
        node.pause(paused=True)
        self.sweep_once()
        for _ in range(BLOCKS_UNDER_WAY):
            node.seal()
        self.plan(self.local.reward(), epoch=2)
        yield
        node.pause(paused=False)
        self.local.idle()

    @contextmanager
    def locked(self, symbol: str, owner: int, how: int) -> Iterator[None]:
        """Have the DEMO issuer lock somebody's wallet for a while."""
        for status in (how, FREE):
            body = op(
                OP_BRAKE,
                write=lambda b, status=status: b.store_address(at(owner)).store_uint(status, 4),
            )
            self.send(self.local.actors.deployer, self.local.book.minter(symbol), body)
            if status == how:
                yield

    def give(self, symbol: str, amount: int, *, to: str, payload: Any = None) -> None:
        """A taker sends a contract of ours jettons that nobody asked for."""
        taker, book = self.local.actors.takers[0], self.local.book
        body = transfer(
            amount=amount,
            to=book.account(to),
            response=taker.account,
            forward_nanoton=TON1 // 20,
            payload=payload,
        )
        self.send(taker, book.wallet_of(taker.account, symbol), body)

    def send(self, key: Key, to: int, body: Any) -> None:
        self.local.ordinal += 1
        _, content = key.send_on(
            outgoing(to=to, nanoton=TON1 // 4, body=body),
            query_id=query_id_of(4_000_000 + self.local.ordinal),
            created_at_s=self.local.now_s(),
        )
        self.local.chain().send(content)
        self.local.idle()

    def export(self) -> list[Line]:
        audited = audit_books(store=self.store, log=self.log)
        assert audited.result.is_clean
        lines = export_lines(store=self.store, audited=audited, chain_id=GLOBAL_ID)
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
def settled(packages: Path) -> Iterator[Settled]:
    require_ethers()
    folder = Path(mkdtemp(prefix="dmm-ton-"))
    with TonNode(root=ROOT, folder=folder, ports=(0,), tick_ms=10, idle_ms=300) as node:
        actors = Actors.of(folder)
        made = deploy(
            node=node,
            build_dir=ROOT / "contracts" / "ton" / "build",
            actors=actors,
            position=BTC,
            cash=USDT,
        )
        yield Settled(Local(node, actors, {deployed.name: deployed for deployed in made}))
    shutil.rmtree(folder, ignore_errors=True)


def test_an_honest_export_of_a_desk_on_ton_is_proven(settled: Settled, tmp_path: Path) -> None:
    states = {line["state"] for line in settled.lines if line["type"] == "intent"}
    assert states == {
        IntentState.FINAL,
        IntentState.FAILED,
        IntentState.READY,
        IntentState.IN_FLIGHT,
    }
    path = write(tmp_path / "export.jsonl", settled.lines)
    code, faults, said = verify(path, str(settled.config))
    assert (code, faults) == (0, set()), said
    assert "PROVEN: 6 of 13 intents paid" in said


def test_what_is_under_way_is_held_as_if_it_had_not_begun(settled: Settled) -> None:
    at = settled.log.block(settled.lines[0]["height"])
    local = settled.local
    balances = {}
    for name, asset in (("treasury", "DCT"), ("settlement", "USDT")):
        reader = next(iter(settled.log._readers.values()))
        block = reader.node.block(at.height)
        account = local.book.account(name)
        balances[name] = reader.held(account, asset, block) - reader.own(account, asset, block)
    assert balances["treasury"] < 0 < balances["settlement"]


def test_an_export_of_ton_stays_true_while_the_chain_goes_on(
    settled: Settled, tmp_path: Path
) -> None:
    settled.local.pay(settled.local.reward())
    path = write(tmp_path / "export.jsonl", settled.lines)
    assert verify(path, str(settled.config))[:2] == (0, set())


def test_the_first_server_that_answers_is_asked(settled: Settled, tmp_path: Path) -> None:
    (server,) = settled.local.node.config["liteservers"]
    config = settled.local.config(tmp_path, liteservers=[server | {"port": 1}, server])
    path = write(tmp_path / "export.jsonl", settled.lines)
    assert verify(path, str(config))[:2] == (0, set())


# -- forgeries -------------------------------------------------------------------------------------


def change_and_rehash(lines: list[Line], kind: str = "reward", **change: Any) -> None:
    """Change an intent and make its content hash fit."""
    line = intent(lines, kind=kind)
    line.update(change)
    rehash(line)


def send_a_deal_elsewhere(lines: list[Line]) -> None:
    """Say, consistently, that a deal went to somebody else than its taker wanted."""
    line = intent(lines, kind="quote")
    line["recipient"] = line["inputs"]["acceptance"]["recipient"] = STRANGER.address
    rehash(line)


def forge_signature(lines: list[Line], name: str, size: int) -> None:
    """Put a signature into a settled quote that is none."""
    line = intent(lines, kind="quote")
    line["inputs"][name] = "0x" + "11" * size
    rehash(line)


def buy_worse(lines: list[Line]) -> None:
    """Say, consistently, that a buyback was content with less."""
    line = intent(lines, kind="buyback")
    line["inputs"]["min_out"] -= 1
    rehash(line)


def keep_what_was_burnt(lines: list[Line]) -> None:
    """Say, consistently, that what was bought was to be kept."""
    line = intent(lines, kind="buyback")
    line["inputs"]["burn"] = False
    rehash(line)


def invent(lines: list[Line]) -> None:
    """Say that an unsent reward was paid by a transaction that is not there."""
    line = intent(lines, state="READY")
    line["state"], line["paid"] = "FINAL", {"tx_id": "07" * 32, "height": 60}


def use_the_dead_key(lines: list[Line]) -> None:
    """Say that an intent nobody paid was paid by another's transaction."""
    line = intent(lines, state="FAILED")
    line["state"], line["paid"] = "FINAL", intent(lines)["paid"]


def pay_twice(lines: list[Line]) -> None:
    """Give a paid reward a twin of another ordinal that names the same payment."""
    twin = dict(intent(lines))
    twin["ordinal"] += 1_000
    lines.insert(lines.index(intent(lines)) + 1, twin)


def settle_what_came_back(lines: list[Line]) -> None:
    """Say that the deal that was refunded was settled by another deal's transaction."""
    line = intent(lines, kind="quote", state="FAILED")
    line["state"], line["paid"] = "FINAL", intent(lines, kind="quote")["paid"]


def pay_what_came_back(lines: list[Line]) -> None:
    """Say that the purchase whose payment came back was paid by the other one's transaction."""
    line = intent(lines, kind="buyback", state="FAILED")
    line["state"], line["paid"] = "FINAL", intent(lines, kind="buyback")["paid"]


def steal_as_gift(lines: list[Line]) -> None:
    """Call what left a gift of a negative amount."""
    line = intent(lines)
    drop_whole(lines, line)
    place = lines.index(first(lines, type="posting"))
    change = [line["vault"], line["asset"], -line["amount"]]
    gift = {"type": "finding", "cause": "donation", "changes": [change], **line["paid"]}
    lines.insert(place, gift)


def other_network(lines: list[Line]) -> None:
    lines[0]["chain_id"] = -3


FORGERIES: dict[str, tuple[str, Change]] = {
    "an amount": ("intent.content", lambda x: intent(x).update(amount=intent(x)["amount"] + 1)),
    "an amount, hashed anew": (
        "event.missing",
        lambda x: change_and_rehash(x, amount=intent(x)["amount"] + 1),
    ),
    "a recipient": ("intent.content", lambda x: intent(x).update(recipient=STRANGER.address)),
    "a recipient, hashed anew": (
        "event.missing",
        lambda x: change_and_rehash(x, recipient=STRANGER.address),
    ),
    "an asset, hashed anew": ("event.missing", lambda x: change_and_rehash(x, asset="USDT")),
    "a deadline, hashed anew": (
        "event.missing",
        lambda x: change_and_rehash(x, deadline_s=intent(x)["deadline_s"] + 9),
    ),
    "a buyback's least, hashed anew": ("event.missing", buy_worse),
    "a burn that was none, hashed anew": ("event.missing", keep_what_was_burnt),
    "a deal's recipient, hashed anew": ("quote.taker_signature", send_a_deal_elsewhere),
    "a recipient beside its acceptance": (
        "intent.terms",
        lambda x: change_and_rehash(x, kind="quote", recipient=STRANGER.address),
    ),
    "an identity": ("intent.id", lambda x: intent(x).update(epoch=77)),
    "an intent twice": ("intent.twice", lambda x: x.insert(2, dict(intent(x)))),
    "a key used by two": ("intent.id", pay_twice),
    "a transaction that is not there": ("tx.missing", invent),
    "payments swapped": ("event.missing", swap_payments),
    "a payment invented": ("key.unset", say_paid),
    "a key that was never used": ("key.unset", use_the_dead_key),
    "a refund called a settlement": ("key.unset", settle_what_came_back),
    "a payment denied": ("intent.hidden", say_unpaid),
    "a final intent without payment": ("intent.unproven", lambda x: intent(x).update(paid=None)),
    "a paid intent called failed": ("intent.dead_paid", lambda x: intent(x).update(state="FAILED")),
    "a death before the deadline": (
        "intent.death",
        lambda x: intent(x, state="FAILED").update(closed_height=20),
    ),
    "a death while it is under way": (
        "intent.death",
        lambda x: intent(x, state="IN_FLIGHT").update(state="FAILED", closed_height=x[0]["height"]),
    ),
    "a purchase that came back called paid": ("key.unset", pay_what_came_back),
    "another block": (
        "tx.height",
        lambda x: intent(x)["paid"].update(height=intent(x)["paid"]["height"] + 1),
    ),
    "a block before": (
        "tx.height",
        lambda x: intent(x)["paid"].update(height=intent(x)["paid"]["height"] - 1),
    ),
    "another operator": (
        "tx.sender",
        lambda x: [y.update(signer=STRANGER.address) for y in intent(x)["attempts"]],
    ),
    "a maker's signature": (
        "quote.maker_signature",
        lambda x: forge_signature(x, "maker_signature", 64),
    ),
    "a taker's signature": (
        "quote.taker_signature",
        lambda x: forge_signature(x, "taker_signature", 164),
    ),
    "a quote's terms": (
        "quote.maker_signature",
        lambda x: intent(x, kind="quote")["inputs"]["quote"].update(settle_by_s=2_000_000_000),
    ),
    "a quote's nonce": (
        "intent.terms",
        lambda x: intent(x, kind="quote")["inputs"]["quote"].update(nonce=9),
    ),
    "an intent left out": ("transfer.unexplained", lambda x: drop_whole(x, intent(x))),
    "a buyback left out": (
        "transfer.unexplained",
        lambda x: drop_whole(x, intent(x, kind="buyback")),
    ),
    "a taker's own fill left out": (
        "transfer.unexplained",
        lambda x: drop(x, first(x, type="quote")),
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
    "a reversal that nobody ordered": (
        "ledger.order",
        lambda x: posting(x, ":paid").update(source=posting(x, ":paid")["source"] + ":reversed:1"),
    ),
    "a balance of the chain": (
        "balance.chain",
        lambda x: first(x, type="balance").update(
            chain_atoms=first(x, type="balance")["chain_atoms"] + 1
        ),
    ),
    "another block's hash": ("chain.block", lambda x: x[0].update(block_hash="05" * 32)),
    "a block of later": ("chain.finality", lambda x: x[0].update(height=x[0]["height"] + 9_000)),
    "a vault left out": ("ledger.source", lambda x: x[0]["vaults"].pop("desk@ton")),
    "a token of somebody else": (
        "token.unlisted",
        lambda x: x[0]["tokens"].update(BTC="0:" + "b1" * 32),
    ),
    "another network": ("verify", other_network),
    "a chain nobody knows": ("verify", lambda x: x[0].update(chain="moon")),
}


@pytest.fixture(scope="module")
def verdicts(settled: Settled, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verified]:
    changes = {name: change for name, (_, change) in FORGERIES.items()}
    folder = tmp_path_factory.mktemp("forged")
    return verify_all(folder, settled.lines, changes, str(settled.config))


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forgery_on_ton_is_found_by_name(what: str, verdicts: dict[str, Verified]) -> None:
    code, faults, said = verdicts[what]
    assert code == 1, said
    assert FORGERIES[what][0] in faults, said


# -- servers that lie, or are others ---------------------------------------------------------------


@pytest.fixture(scope="module")
def lying(settled: Settled) -> Iterator[Liar]:
    with liar(settled.local.node.config) as made:
        yield made


LIES: dict[str, tuple[Lie, str]] = {
    "a transaction left out": (dropped_transaction, "chain.history"),
    "a history cut off": (cut_history, "chain.history"),
    "transactions in another order": (swapped_transactions, "chain.history"),
    "an amount changed in its cell": (changed_amount, "chain.history"),
    "what came in left out of its transaction": (hidden_message, "chain.cell"),
    "data left out of a state": (hidden_data, "chain.cell"),
    "data of a contract changed": (changed_state, "chain.proof"),
    "another last transaction": (changed_proof, "chain.proof"),
    "another time of a block": (other_time, "chain.proof"),
    "an answer to another question": (no_answer, "chain.transport"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_lie_of_the_liteserver_is_found_by_hash(
    what: str, settled: Settled, lying: Liar, tmp_path: Path
) -> None:
    lying.lie, fault = LIES[what]
    path = write(tmp_path / "export.jsonl", settled.lines)
    code, faults, said = verify(path, lying.config(tmp_path))
    assert (code, faults) == (1, {fault}), said


def test_the_same_server_that_does_not_lie_proves(
    settled: Settled, lying: Liar, tmp_path: Path
) -> None:
    lying.lie = bytes
    path = write(tmp_path / "export.jsonl", settled.lines)
    assert verify(path, lying.config(tmp_path))[:2] == (0, set())


def test_a_server_with_another_key_proves_nothing(
    settled: Settled, lying: Liar, tmp_path: Path
) -> None:
    (server,) = settled.local.node.config["liteservers"]
    config = lying.config(tmp_path, liteservers=[server | {"port": lying.port}])
    code, faults, said = verify(write(tmp_path / "x.jsonl", settled.lines), config)
    assert (code, faults) == (1, {"verify"})
    assert "hung up" in said


def test_a_server_on_another_network_proves_nothing(settled: Settled, tmp_path: Path) -> None:
    folder = Path(mkdtemp(prefix="dmm-ton-"))
    path = write(tmp_path / "export.jsonl", settled.lines)
    with TonNode(root=ROOT, folder=folder, tick_ms=10, idle_ms=20) as other:
        for change in ({}, {"validator": settled.local.node.config["validator"]}):
            config = tmp_path / "other.config.json"
            config.write_text(json.dumps(other.config | change), encoding="utf-8")
            code, faults, said = verify(path, str(config))
            assert code == 1, said
            assert faults == ({"verify"} if change else {"chain.contract"}), said
            assert ("another chain than its configuration" in said) == bool(change)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("text", ["", "no json", "{}", '{"liteservers":[],"validator":{}}'])
def test_a_configuration_that_is_none_proves_nothing(
    text: str, settled: Settled, tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text(text, encoding="utf-8")
    code, faults, said = verify(write(tmp_path / "x.jsonl", settled.lines), str(config))
    assert (code, faults) == (1, {"verify"}), said
