"""The independent verifier proves an honest export, and finds every kind of tampering by name."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from audit_export import (
    VERIFIER,
    Change,
    Line,
    Verified,
    drop,
    drop_whole,
    first,
    intent,
    posting,
    require_ethers,
    say_paid,
    say_unpaid,
    swap_payments,
    verify,
    verify_all,
    write,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from journal_memory import MemoryJournal

from dmm.adapters.audit_key import AuditKey
from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.events import EvmLog
from dmm.adapters.evm.sign import Key, sign_settlement
from dmm.ports import Run, SignedTx, SignRequest
from dmm.rfq.netting import Netting, plan_settlement
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.evm.actors import accept, execute_order
from dmm.sandbox.evm.install import node_program
from dmm.sandbox.evm.node import CHAIN_ID
from dmm.sandbox.evm.transact import Sender
from dmm.settlement.batch import paid, reserve
from dmm.settlement.epoch import EpochPlan, Job
from dmm.settlement.intent import Intent, IntentState
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.audit import audit_books, record_funding
from dmm.usecases.dispatch import sweep
from dmm.usecases.export import export_lines
from dmm.usecases.follow import follow
from dmm.usecases.quarantine import IntentRelease, Verdict, reverse_payment

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "contracts" / "evm" / "build"
LINES_MAX = 400
RUN = "verified"


class Clock:
    def __init__(self) -> None:
        self.ns = 1_700_000_000 * NS_PER_S

    def now_ns(self) -> Nanos:
        return Nanos(self.ns)

    def sleep_s(self, seconds: float) -> None:
        self.ns += int(seconds * NS_PER_S)


@dataclass
class Signer:
    """The operator's key in this process."""

    local: Any

    def address(self, chain: str, *_: object) -> str:
        return self.local.actors.operator.address

    def sign(self, request: SignRequest) -> SignedTx:
        return sign_settlement(request, key=self.local.actors.operator, book=self.local.book)


class Settled:
    """A desk that settled every kind of intent on a real chain, with its export."""

    def __init__(self, local: Any) -> None:
        self.local, self.clock = local, Clock()
        self.store = MemoryJournal(now_ns=lambda: self.clock.ns)
        self.store.record_deployments(list(local.deployments.values()))
        self.log = EvmLog(
            rpc_urls=(local.node.url,),
            chain_id=CHAIN_ID,
            deployments=local.deployments,
            artefact_dir=BUILD,
        )
        height = max(deployed.height for deployed in local.deployments.values())
        record_funding(
            store=self.store, log=self.log, clock=self.clock, height=height, wait_s_max=1
        )
        self.store.open_run(
            Run(
                run_id=RUN,
                kind="demo",
                symbol="BTCUSDT",
                epochs=1,
                spec={},
                started_at_ns=Nanos(5),
            )
        )
        self.settle()
        self.lines = self.export()

    def settle(self) -> None:
        local = self.local
        head_s = local.chain().snapshot().head_time_s
        fills = [local.fill(nonce=nonce) for nonce in (2, 300)]
        for fill in fills:
            self.store.record_quote(trade_of(fill))
        dead = local.reward(deadline_s=head_s + 31)
        self.plan(local.reward(), local.reward(), local.buyback(), *fills)
        for _ in range(3):
            self.sweep()
            local.node.mine(1)
        local.finalize()
        self.sweep()
        # One that dies: nobody signs it before its deadline.
        self.plan(dead, epoch=1)
        taken_back = self.believe_paid(local.reward(deadline_s=head_s + 31))
        local.node.rpc("evm_increaseTime", 120)
        local.finalize()
        self.sweep()
        self.take_back(taken_back)
        self.plan_net(20, 21, 22, epoch=5)
        for _ in range(3):
            self.sweep()
            local.node.mine(1)
        local.finalize()
        self.sweep()
        self.take_directly(local.fill(nonce=9))
        Sender(rpc=local.node.rpc, key=local.actors.takers[0], chain_id=CHAIN_ID).submit(
            local.deployments["token:USDT"].address,
            calldata("transfer(address,uint256)", local.deployments["treasury"].address, 77),
        )
        local.finalize()
        follow(store=self.store, log=self.log, clock=self.clock)
        self.plan(local.reward(), epoch=2)

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

    def believe_paid(self, intent: Intent) -> Intent:
        """Book a payment as final that the chain then does not have."""
        self.plan(intent, epoch=3)
        while (claimed := self.store.claim_due(chain="evm", owner="w", lease_s=1)) is not None:
            if claimed.intent == intent:
                height = self.local.chain().snapshot().finalized_height
                self.store.finish_final(
                    claimed, tx_id=None, height=height, postings=paid(intent, at_ns=1)
                )
                return intent
        raise AssertionError("it was never due")

    def take_back(self, intent: Intent) -> None:
        """Have governance execute the order that undoes a payment, and undo it."""
        body = IntentRelease(intent_id=intent.intent_id, verdict=Verdict.REVERSED).canonical_bytes
        with self.local.mining():
            execute_order(
                rpc=self.local.node.rpc,
                actors=self.local.actors,
                book=self.local.book,
                family="release",
                body=body,
            )
        self.local.finalize()
        assert reverse_payment(
            store=self.store,
            chain=self.local.chain(),
            clock=self.clock,
            intent_id=intent.intent_id,
            operator="ann",
        )

    def plan_net(self, *nonces: int, epoch: int) -> None:
        """Plan accepted quotes of one taker: a net goes first."""
        trades = []
        for nonce in nonces:
            fill = self.local.fill(nonce=nonce, settle_s=40_000)
            trade = replace(trade_of(fill), epoch=epoch)
            acceptance, takers = accept(trade.quote, actors=self.local.actors, book=self.local.book)
            self.store.record_quote(trade)
            trades.append(
                replace(trade, acceptance=acceptance, taker_signature=takers, accepted_at_ns=7)
            )
            self.store.accept_quote(trades[-1])
        claim = self.store.open_epoch(
            run_id=RUN,
            job=Job.PMM_SETTLEMENT,
            scope=f"{RUN}:desk",
            epoch=epoch,
            now_ns=Nanos(0),
            chain_time_s=self.local.chain().snapshot().finalized_time_s,
        )
        netting = Netting(quotes_max={"evm": 32})
        self.store.record_epoch(claim, plan_settlement(claim=claim, trades=trades, netting=netting))

    def sweep(self) -> None:
        self.clock.ns += 60 * NS_PER_S
        sweep(
            store=self.store,
            chain=self.local.chain(),
            signer=Signer(self.local),
            clock=self.clock,
            owner="driver",
            wait_s_max=0,
        )

    def take_directly(self, fill: Intent) -> None:
        """A quote of ours that its taker sends to the chain itself, without telling us."""
        self.store.record_quote(trade_of(fill))
        assert self.local.view(self.local.pay(fill)).succeeded

    def export(self) -> list[Line]:
        audited = audit_books(store=self.store, log=self.log)
        assert audited.result.is_clean
        lines = export_lines(store=self.store, audited=audited, chain_id=CHAIN_ID)
        return [json.loads(line) for line in lines]


def trade_of(fill: Intent) -> RfqTrade:
    """Return the quote behind a fill as it was issued."""
    quote = fill.inputs["quote"]
    assert isinstance(quote, dict)
    return RfqTrade(
        run_id=RUN,
        epoch=fill.epoch,
        quote=FirmQuote.from_json(quote),
        maker_signature=bytes.fromhex(str(fill.inputs["maker_signature"])[2:]),
        fair_half_ticks=5,
        issued_at_ns=6,
    )


@pytest.fixture(scope="session")
def node_modules(project_root: Path) -> Path:
    require_ethers()
    return ROOT


@pytest.fixture(scope="module")
def settled(local: Any, node_modules: Path) -> Settled:
    return Settled(local)


def test_an_honest_export_is_proven(settled: Settled, tmp_path: Path) -> None:
    states = {line["state"] for line in settled.lines if line["type"] == "intent"}
    assert states == {IntentState.FINAL, IntentState.FAILED, IntentState.READY}
    path = write(tmp_path / "export.jsonl", settled.lines)
    code, faults, said = verify(path, settled.local.node.url)
    assert (code, faults) == (0, set()), said
    assert "PROVEN: 10 of 13 intents paid" in said
    # The chain goes on, and the export of an earlier block stays true.
    settled.local.pay(settled.local.reward())
    settled.local.node.mine(3)
    assert verify(path, settled.local.node.url)[:2] == (0, set())


IMPORTED = {
    "verify.mjs": ["node:crypto", "node:fs", "ethers", "./ton.mjs"],
    "ton.mjs": ["node:crypto", "node:fs", "./liteserver.mjs"],
    "liteserver.mjs": ["node:crypto", "node:net"],
}


def test_the_verifier_is_three_short_files_with_one_dependency() -> None:
    for name, wanted in IMPORTED.items():
        lines = (VERIFIER.parent / name).read_text(encoding="utf-8").splitlines()
        assert len(lines) <= LINES_MAX, name
        imported = [line.split(" from ")[1] for line in lines if line.startswith("import ")]
        assert imported == [f'"{each}";' for each in wanted], name
        assert not [line for line in lines if re.search(r"\b(require|import)\(", line)], name
    assert {path.name for path in VERIFIER.parent.glob("*.mjs")} == set(IMPORTED)
    lock = (VERIFIER.parent / "package-lock.json").read_text(encoding="utf-8")
    assert "http" not in "".join(line for line in lock.splitlines() if "resolved" in line)


# -- tampering -------------------------------------------------------------------------------------

STRANGER = Key(b"\x21" * 32)


def other(lines: list[Line], kind: str = "reward") -> Line:
    """Return the second paid intent of a kind."""
    return [line for line in lines if line.get("kind") == kind and line["state"] == "FINAL"][1]


def forged_signature(lines: list[Line], name: str) -> None:
    inputs = intent(lines, kind="quote")["inputs"]
    inputs[name] = "0x" + "11" * 32 + "22" * 32 + "1b"


def theft_as_gift(lines: list[Line]) -> None:
    """What left is called a gift of a negative amount."""
    line = intent(lines)
    drop_whole(lines, line)
    at = lines.index(first(lines, type="posting"))
    change = ["treasury", "DCT", -line["amount"]]
    lines.insert(at, {"type": "finding", "cause": "donation", "changes": [change], **line["paid"]})


TAMPERINGS: dict[str, tuple[str, Change]] = {
    "an amount": ("intent.content", lambda x: intent(x).update(amount=intent(x)["amount"] + 1)),
    "a recipient": ("intent.content", lambda x: intent(x).update(recipient="0x" + "13" * 20)),
    "a deadline": ("intent.content", lambda x: intent(x).update(deadline_s=2_100_000_000)),
    "a recipient, event side": (
        "event.missing",
        lambda x: intent(x).update(recipient="0x" + "13" * 20),
    ),
    "an ordinal": ("intent.id", lambda x: intent(x).update(ordinal=4_444)),
    "an epoch": ("intent.id", lambda x: intent(x).update(epoch=77)),
    "an id": ("intent.id", lambda x: intent(x).update(intent_id="ab" * 32)),
    "an intent twice": ("intent.twice", lambda x: x.insert(2, dict(intent(x)))),
    "an intent left out": ("transfer.unexplained", lambda x: drop(x, intent(x))),
    "an intent left out with its postings": (
        "transfer.unexplained",
        lambda x: drop_whole(x, intent(x)),
    ),
    "a payment denied": ("intent.hidden", say_unpaid),
    "a final intent without payment": ("intent.unproven", lambda x: intent(x).update(paid=None)),
    "a payment invented": ("event.missing", say_paid),
    "payments swapped": ("event.missing", swap_payments),
    "a transaction invented": (
        "tx.missing",
        lambda x: intent(x)["paid"].update(tx_id="0x" + "12" * 32),
    ),
    "a height": (
        "tx.height",
        lambda x: intent(x)["paid"].update(height=intent(x)["paid"]["height"] + 1),
    ),
    "a nonce": ("tx.nonce", lambda x: intent(x)["attempts"][-1].update(slot=99)),
    "a sender": ("tx.sender", lambda x: intent(x)["attempts"][-1].update(signer=STRANGER.address)),
    "a maker's signature": (
        "quote.maker_signature",
        lambda x: forged_signature(x, "maker_signature"),
    ),
    "a taker's signature": (
        "quote.taker_signature",
        lambda x: forged_signature(x, "taker_signature"),
    ),
    "a quote's terms": (
        "quote.maker_signature",
        lambda x: intent(x, kind="quote")["inputs"]["quote"].update(expiry_s=2_000_000_000),
    ),
    "calldata": ("tx.input", lambda x: intent(x, kind="buyback")["inputs"].update(min_out=5)),
    "a paid intent called failed": ("intent.dead_paid", lambda x: intent(x).update(state="FAILED")),
    "a death before the deadline": (
        "intent.death",
        lambda x: intent(x, state="FAILED").update(closed_height=20),
    ),
    "a direct fill left out": ("transfer.unexplained", lambda x: drop(x, first(x, type="quote"))),
    "a direct fill of another quote": (
        "quote.maker_signature",
        lambda x: first(x, type="quote")["quote"].update(taker_amount=9),
    ),
    "a gift left out": ("transfer.unexplained", lambda x: drop(x, first(x, type="finding"))),
    "a theft called a gift": ("alarm", theft_as_gift),
    "an alarm": ("alarm", lambda x: first(x, type="finding").update(cause="outflow")),
    "a posting left out": ("balance.ledger", lambda x: drop(x, posting(x, ":received"))),
    "a posting's amount": (
        "ledger.content",
        lambda x: posting(x, ":paid").update(amount=posting(x, ":paid")["amount"] + 1),
    ),
    "a posting twice": ("ledger.twice", lambda x: x.insert(-8, dict(posting(x, ":paid")))),
    "a posting of nothing": (
        "ledger.source",
        lambda x: posting(x, ":received").update(source="made:up"),
    ),
    "a void of a paid intent": (
        "ledger.state",
        lambda x: posting(x, ":paid").update(
            source=posting(x, ":paid")["source"].replace("paid", "void"), credit="available"
        ),
    ),
    "a funding left out": (
        "ledger.funding",
        lambda x: drop(x, first(x, type="posting", debit="outside")),
    ),
    "a net left out of its own transaction": (
        "event.missing",
        lambda x: intent(x, kind="net").update(paid=intent(x)["paid"]),
    ),
    "a netted quote left out": (
        "transfer.unexplained",
        lambda x: drop(x, next(y for y in x if "carrier" in y.get("inputs", {}))),
    ),
    "a reversal that nobody ordered": (
        "ledger.order",
        lambda x: posting(x, ":reversed:1").update(
            source=posting(x, ":reversed:1")["source"].replace(":1", ":7")
        ),
    ),
    "a reversal of what was paid": (
        "ledger.source",
        lambda x: posting(x, ":reversed:1").update(
            source=intent(x)["intent_id"] + ":received:reversed:1"
        ),
    ),
    "a reversal of another amount": (
        "ledger.content",
        lambda x: posting(x, ":reversed:1").update(amount=5),
    ),
    "a balance of the chain": (
        "balance.chain",
        lambda x: first(x, type="balance").update(
            chain_atoms=first(x, type="balance")["chain_atoms"] + 1
        ),
    ),
    "a balance of the ledger": (
        "balance.ledger",
        lambda x: first(x, type="balance").update(
            ledger_atoms=first(x, type="balance")["ledger_atoms"] - 1
        ),
    ),
    "a balance left out": ("balance.chain", lambda x: drop(x, first(x, type="balance"))),
    "a block": ("chain.block", lambda x: x[0].update(block_hash="0x" + "cd" * 32)),
    "a height beyond finality": (
        "chain.finality",
        lambda x: x[0].update(height=x[0]["height"] + 900),
    ),
    "an order of lines": ("file.order", lambda x: x.insert(1, x.pop(-2))),
    "a vault left out": ("ledger.source", lambda x: x[0]["vaults"].pop("desk")),
}


@pytest.fixture(scope="module")
def verdicts(settled: Settled, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verified]:
    """Return what the verifier said of every tampered export; starting it takes the time."""
    changes = {name: change for name, (_, change) in TAMPERINGS.items()}
    folder = tmp_path_factory.mktemp("tampered")
    return verify_all(folder, settled.lines, changes, settled.local.node.url)


@pytest.mark.parametrize("what", TAMPERINGS)
def test_tampering_is_found_by_name(what: str, verdicts: dict[str, Verified]) -> None:
    code, faults, said = verdicts[what]
    assert code == 1, said
    assert TAMPERINGS[what][0] in faults, said


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("file.digest", lambda raw: raw.replace(b'"epoch":0', b'"epoch":8', 1)),
        ("file.canonical", lambda raw: raw.replace(b'"epoch":0', b'"epoch": 0', 1)),
        ("file.canonical", lambda raw: raw.replace(b'"epoch":0', b'"epoch":9,"epoch":0', 1)),
        ("file.count", lambda raw: raw.replace(b'{"lines":', b'{"lines":9', 1)),
        ("file.cut", lambda raw: raw[:-1]),
        ("file.count", lambda raw: b"\n".join(raw.split(b"\n")[:-2]) + b"\n"),
    ],
)
def test_a_file_changed_on_its_way_is_found(
    fault: str, change: Callable[[bytes], bytes], settled: Settled, tmp_path: Path
) -> None:
    path = write(tmp_path / "x.jsonl", deepcopy(settled.lines))
    path.write_bytes(change(path.read_bytes()))
    code, faults, said = verify(path, settled.local.node.url)
    assert code == 1, said
    assert fault in faults, said


def test_a_node_on_another_chain_proves_nothing(settled: Settled, tmp_path: Path) -> None:
    lines = deepcopy(settled.lines)
    lines[0]["chain_id"] = 1
    code, _, said = verify(write(tmp_path / "x.jsonl", lines), settled.local.node.url)
    assert code == 1
    assert "another chain" in said


def test_a_node_that_is_not_there_proves_nothing(settled: Settled, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", settled.lines)
    code, _, said = verify(path, "http://127.0.0.1:9")
    assert code == 1
    assert "verify:" in said


def test_an_old_node_is_told_which_one_is_needed(node_modules: Path, tmp_path: Path) -> None:
    pretend = tmp_path / "old.cjs"
    versions = '{value: {...process.versions, node: "20.20.2"}}'
    pretend.write_text(f'Object.defineProperty(process, "versions", {versions})')
    done = subprocess.run(
        [str(node_program()), "--require", str(pretend), str(VERIFIER), "export", "url"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "this is Node 20.20.2, which would round amounts: the verifier needs Node 22 or newer\n"
    )


def test_a_call_without_an_export_is_told_how(node_modules: Path) -> None:
    done = subprocess.run(
        [str(node_program()), str(VERIFIER)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "usage" in done.stderr


def signed_export(settled: Settled, path: Path, key: AuditKey | None) -> Path:
    audited = audit_books(store=settled.store, log=settled.log)
    lines = export_lines(store=settled.store, audited=audited, chain_id=CHAIN_ID, key=key)
    path.write_bytes(b"".join(lines))
    return path


def test_an_export_is_signed_by_its_auditor_and_by_nobody_else(
    settled: Settled, tmp_path: Path
) -> None:
    own, stranger = (AuditKey(Ed25519PrivateKey.generate()) for _ in range(2))
    url, public = settled.local.node.url, own.public.hex()
    signed = signed_export(settled, tmp_path / "signed", own)
    assert verify(signed, url, public)[:2] == (0, set())
    assert verify(signed, url)[:2] == (0, set()), "without a key the signature is not asked for"
    for name, by in (("forged", stranger), ("bare", None)):
        found = verify(signed_export(settled, tmp_path / name, by), url, public)
        assert found[:2] == (1, {"file.signature"}), found
    # Another digest under an honest signature.
    text = signed.read_bytes().replace(b'"epoch":0', b'"epoch":8', 1)
    (tmp_path / "changed").write_bytes(text)
    assert "file.digest" in verify(tmp_path / "changed", url, public)[1]
    assert verify(signed, url, "no key")[0] == 2
