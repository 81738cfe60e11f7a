"""A desk in memory for use-case tests: a journal, a chain whose facts a test sets, a clock."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from journal_memory import MemoryJournal

from dmm.governance.policy import Policy
from dmm.ledger.account import AccountKind
from dmm.ledger.journal import Posting
from dmm.market.instrument import Asset, ContractKind, Instrument
from dmm.ports import (
    Answer,
    Deployment,
    ExecutedOrder,
    PolicyRecord,
    Run,
    SignedTx,
    SignRequest,
    SlotOffer,
    SlotRules,
    SlotState,
    Snapshot,
    TxView,
)
from dmm.quoting.decision import DecisionRecord, MarketSlice, SliceSummary
from dmm.quoting.decision_inputs import DecisionInputs
from dmm.risk.breaker import Posture
from dmm.settlement.batch import account
from dmm.settlement.intent import Intent, Purpose, Slot
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.ids import ZERO_HASH, Hash32, Json, canonical_json, hash_link
from dmm.units.time import NS_PER_S, Nanos

RUN = "r1"
TREASURY = "0x" + "aa" * 20
DESK = "0x" + "bb" * 20
START_NS = 1_700_000_000 * NS_PER_S

INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    venue="test",
    kind=ContractKind.LINEAR,
    position=Asset(symbol="BTC", decimals=8),
    cash=Asset(symbol="USDT", decimals=6),
    tick_size=Decimal("0.1"),
    lot_size=Decimal("0.001"),
)

POLICY = Policy(
    preset="steady",
    gamma_nano_per_bp=3,
    kappa_nano_per_bp_min=100_000_000,
    kappa_nano_per_bp_max=50_000_000_000,
    sigma_ubps_1s_min=1_000,
    sigma_ubps_1s_max=20_000_000,
    horizon_s=120,
    spread_floor_ubps=400_000,
    skew_beta_ubps=200_000,
    inventory_soft_lots=40,
    inventory_hard_lots=80,
    quote_size_lots=10,
    refresh_ms=500,
    hedge_threshold_lots=20,
    reward_budget_atoms=1_000,
    buyback_share_bps=2_500,
    buyback_budget_atoms_max=700,
    drawdown_atoms_max=10**9,
)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.ns = START_NS

    def now_ns(self) -> Nanos:
        return Nanos(self.ns)

    def sleep_s(self, seconds: float) -> None:
        self.ns += int(seconds * NS_PER_S)


@dataclass
class Chain:
    """A chain that answers what a test has set; balances are what its transfer logs say."""

    name: str = "evm"
    height: int = 100
    time_s: int = 1_700_000_000
    used: set[Hash32] = field(default_factory=set)
    views: dict[str, TxView] = field(default_factory=dict)
    key_answer: Answer | None = None
    finalized_slot: int | None = 0
    sent: list[bytes] = field(default_factory=list)
    send_fault: Exception | None = None
    orders: list[ExecutedOrder] = field(default_factory=list)
    slot_rules: SlotRules = field(
        default_factory=lambda: SlotRules(replaces=True, burns=True, atomic=True)
    )

    def snapshot(self) -> Snapshot:
        return Snapshot(
            chain=self.name,
            head_height=self.height + 16,
            head_time_s=self.time_s + 16,
            finalized_height=self.height,
            finalized_hash=f"0x{self.height:064x}",
            finalized_time_s=self.time_s,
        )

    def transaction(self, tx_id: str, *, at: Snapshot) -> TxView:
        del at
        return self.views.get(tx_id, TxView(answer=Answer.ABSENT))

    def key_state(self, intent: Intent, *, at: Snapshot) -> Answer:
        del at
        if self.key_answer is not None:
            return self.key_answer
        return Answer.FOUND if intent.intent_id in self.used else Answer.ABSENT

    def slot_offer(self, signer: str, *, at: Snapshot) -> SlotOffer | None:
        del signer, at
        return None if self.finalized_slot is None else SlotOffer(floor=self.finalized_slot)

    def slot_state(self, slot: Slot, intent: Intent, *, at: Snapshot) -> SlotState:
        del intent, at
        if self.finalized_slot is None:
            return SlotState.UNKNOWN
        return SlotState.SPENT if slot.slot < self.finalized_slot else SlotState.OPEN

    def sign_request(
        self,
        intent: Intent,
        *,
        generation: int,
        bump: int,
        slot: int,
        purpose: Purpose = Purpose.PAY,
        expires: int = 0,
        anchor: str = "",
    ) -> SignRequest:
        return SignRequest(
            intent=intent,
            generation=generation,
            bump=bump,
            slot=slot,
            unit_fee_max=10 + bump,
            unit_tip=1,
            gas_max=100_000,
            purpose=purpose,
            expires=expires,
            anchor=anchor,
        )

    def send(self, raw: bytes) -> None:
        if self.send_fault is not None:
            raise self.send_fault
        self.sent.append(raw)

    def executed_orders(self, *, from_sequence: int, at: Snapshot) -> list[ExecutedOrder]:
        return [
            order
            for order in self.orders
            if order.sequence >= from_sequence and order.height <= at.finalized_height
        ]


class Signer:
    """Signs everything, unless it is told to fail."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.signed: list[SignRequest] = []

    def address(self, chain: str, lane: str = "") -> str:
        del lane
        return f"0x51-{chain}"

    def sign(self, request: SignRequest) -> SignedTx:
        if self.fault is not None:
            raise self.fault
        self.signed.append(request)
        tx_id = f"tx-{request.slot}-{request.bump}"
        return SignedTx(
            tx_id=tx_id, raw=tx_id.encode(), signer=self.address("evm"), fee_atoms_max=Atoms(9)
        )


class Desk:
    """Everything wired, with genesis policy, deployments and one run."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.chain = Chain()
        self.others: dict[str, Chain] = {}
        self.signer = Signer()
        self.store = MemoryJournal(now_ns=lambda: self.clock.ns)
        self.store.append_policy(
            PolicyRecord(
                sequence=0,
                policy=POLICY,
                previous_head=ZERO_HASH,
                head=POLICY.policy_hash,
                chain="evm",
                height=0,
                tx_id="genesis",
                adopted_at_ns=Nanos(0),
            )
        )
        self.store.record_deployments(
            [
                Deployment(chain="evm", name=name, address=address, height=1)
                for name, address in (
                    ("settlement", "0x5e"),
                    ("treasury", TREASURY),
                    ("vault:treasury", TREASURY),
                    ("vault:desk", DESK),
                    ("token:DCT", "0xd0"),
                    ("token:USDT", "0xd1"),
                    ("token:BTC", "0xd2"),
                )
            ]
        )
        self.open_run({"0xa1": 50, "0xa2": 30, "0xa3": 20})

    def add_chain(self, name: str) -> Chain:
        """Put a second chain beside the first, with contracts of its own."""
        chain = self.others[name] = Chain(name=name)
        self.store.record_deployments(
            [
                Deployment(chain=name, name=deployed, address=f"{deployed}-on-{name}", height=1)
                for deployed in self.store.deployments("evm")
            ]
        )
        return chain

    def on(self, name: str) -> Chain:
        """Return a chain by its name."""
        return self.chain if name == "evm" else self.others[name]

    def open_run(self, lp_shares: dict[str, Json], **others: dict[str, Json]) -> None:
        """Open the run; `others` are the shares on further chains."""
        self.store.open_run(
            Run(
                run_id=RUN,
                kind="demo",
                symbol="BTCUSDT",
                epochs=3,
                spec={"lp_shares": {"evm": lp_shares, **others}},
                started_at_ns=Nanos(START_NS),
            )
        )

    def adopt(self, policy: Policy) -> None:
        """Put another policy in force."""
        head = self.store.policy_head()
        assert head is not None
        self.store.append_policy(
            replace(
                head,
                sequence=head.sequence + 1,
                policy=policy,
                previous_head=head.head,
                head=policy.policy_hash,
            )
        )

    def fund(self, vault: str, asset: str, amount: int) -> None:
        self.store.post(
            [
                Posting(
                    source_id=f"fund:{vault}:{asset}",
                    debit=account(vault, asset, AccountKind.OUTSIDE),
                    credit=account(vault, asset, AccountKind.AVAILABLE),
                    amount=Atoms(amount),
                    posted_at_ns=Nanos(0),
                )
            ]
        )

    def held(self, vault: str, asset: str, kind: AccountKind) -> int:
        return self.store.balance(account(vault, asset, kind))

    def close_slice(
        self,
        summary: SliceSummary,
        quotes: list[list[Json]] | None = None,
        *,
        posture: str = "quoting",
        **inputs: Any,
    ) -> None:
        """Journal one decision that leaves `quotes` at the slice's start, and close the slice.

        `quotes` were placed by it; `inputs` replace those of a calm market.
        """
        records = self.store.decisions(summary.run_id)
        known = decision_inputs(
            run_id=summary.run_id,
            seq=len(records),
            epoch=summary.epoch,
            decided_at_ns=summary.started_at_ns,
            inventory=summary.position,
            **inputs,
        )
        outputs: dict[str, Json] = {
            "posture": posture,
            "sigma_microticks": 5_000_000,
            "half_spread_microticks": 3_000_000,
            "keep": [],
            "quotes": list(quotes or []),
        }
        body = canonical_json(known.body | outputs)
        previous = records[-1].link_hash if records else ZERO_HASH
        self.store.append_decisions(
            [
                DecisionRecord(
                    run_id=summary.run_id,
                    seq=len(records),
                    epoch=summary.epoch,
                    decided_at_ns=summary.started_at_ns,
                    body=body,
                    previous_hash=previous,
                    link_hash=hash_link(previous, body),
                )
            ]
        )
        self.store.close_slice(summary)


def decision_inputs(**changes: Any) -> DecisionInputs:
    """Return inputs of a calm market around 10,000 USDT."""
    return replace(
        DecisionInputs(
            run_id=RUN,
            seq=0,
            epoch=0,
            decided_at_ns=Nanos(START_NS),
            policy_sequence=0,
            estimate_version=0,
            instrument_valid_from_ns=0,
            best_bid=Ticks(99_990),
            best_bid_size=Lots(15),
            best_ask=Ticks(100_010),
            best_ask_size=Lots(7),
            mid=HalfTicks(200_000),
            inventory=Lots(0),
            outstanding_buy=Lots(0),
            outstanding_sell=Lots(0),
            drawdown_atoms=Atoms(0),
            posture_before=Posture.QUOTING,
            received_at_ns=Nanos(START_NS),
            feed_is_fresh=True,
            estimated_sigma_microticks=5_000_000,
            estimated_kappa_nano=10**9,
            online_sigma_microticks=5_000_000,
            working=(),
        ),
        **changes,
    )


BOTH_SIDES: list[list[Json]] = [["buy", 99_980, 4], ["sell", 100_020, 6]]


def a_slice(
    *,
    epoch: int = 0,
    position: int = 0,
    captured: int = 0,
    fees: int = 0,
    market: MarketSlice | None = None,
) -> SliceSummary:
    started_ns = START_NS + epoch * 60 * NS_PER_S
    empty = np.zeros(0, dtype=np.int64)
    return SliceSummary(
        run_id=RUN,
        epoch=epoch,
        started_at_ns=Nanos(started_ns),
        ended_at_ns=Nanos(started_ns + 60 * NS_PER_S),
        events=10,
        decisions=1,
        quotes=2,
        fills=0,
        position=Lots(position),
        mid=HalfTicks(200_000),
        spread_captured_atoms=Atoms(captured),
        fees_atoms=Atoms(fees),
        bids=((Ticks(99_990), Lots(15)), (Ticks(99_980), Lots(30)), (Ticks(99_000), Lots(900))),
        asks=((Ticks(100_010), Lots(7)), (Ticks(100_020), Lots(9)), (Ticks(101_000), Lots(900))),
        market=market
        or MarketSlice(
            mid_half_ticks=empty,
            trade_at_ns=empty,
            trade_depth_half_ticks=empty,
            trade_size_lots=empty,
            trade_is_buy=np.zeros(0, dtype=np.bool_),
        ),
    )


def order(
    sequence: int, family: str, body: dict[str, Json] | bytes, *, previous: bytes = b"\x07" * 32
) -> ExecutedOrder:
    """Return an executed order whose head derives from its sequence."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ExecutedOrder(
        chain="evm",
        contract="0x60",
        sequence=sequence,
        family=family,
        previous_head=Hash32(previous),
        head=hash_link(previous, raw),
        body=raw,
        expiry_s=2**40,
        height=50,
        tx_id=f"0xorder{sequence}",
    )
