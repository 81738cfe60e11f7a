"""Values for tests of the journal: small, distinct, none of them 0 or 1 where it could matter."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np

from dmm.governance.policy import Policy
from dmm.ledger.account import Account, AccountKind
from dmm.ledger.journal import Posting
from dmm.market.instrument import Side
from dmm.market.order import Fill
from dmm.ports import PolicyRecord, Run, Store
from dmm.quoting.decision import DecisionRecord, MarketSlice, SliceSummary
from dmm.rfq.protocol import Acceptance, FirmQuote, RfqTrade
from dmm.settlement.epoch import EpochClaim, EpochPlan, EpochRow, Job, JobStatus, RowTable
from dmm.settlement.intent import Attempt, AttemptState, Claimed, Intent, IntentKind
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks
from dmm.units.ids import ZERO_HASH, Hash32, hash_link
from dmm.units.time import Nanos

RUN = "run-7"
CHAIN = "evm"
SIGNER = "0xabc"
HUGE = 2**255 + 12_345
"""An amount no 64-bit column or float would survive."""

AVAILABLE = Account(vault="treasury", asset="DCT", kind=AccountKind.AVAILABLE)
PENDING = Account(vault="treasury", asset="DCT", kind=AccountKind.PENDING)
PAID = Account(vault="treasury", asset="DCT", kind=AccountKind.PAID)
OUTSIDE = Account(vault="treasury", asset="DCT", kind=AccountKind.OUTSIDE)


def run(run_id: str = RUN, *, started_at_ns: int = 100) -> Run:
    return Run(
        run_id=run_id,
        kind="demo",
        symbol="ETHUSDT",
        epochs=3,
        spec={"tape": "hour", "seed": 2**70, "shares": {"a": 3}},
        started_at_ns=Nanos(started_at_ns),
    )


def decisions(
    count: int, *, run_id: str = RUN, first: int = 0, previous: Hash32 = ZERO_HASH, epoch: int = 2
) -> list[DecisionRecord]:
    records = []
    for seq in range(first, first + count):
        body = f"decision {seq} of {run_id}".encode()
        link = hash_link(previous, body)
        records.append(
            DecisionRecord(
                run_id=run_id,
                seq=seq,
                epoch=epoch,
                decided_at_ns=Nanos(1_000 + seq),
                body=body,
                previous_hash=previous,
                link_hash=link,
            )
        )
        previous = link
    return records


def fill(ordinal: int, *, run_id: str = RUN, epoch: int = 2, price: int = 4_321) -> Fill:
    return Fill(
        fill_id=Hash32(hashlib.sha256(f"{run_id}/{ordinal}".encode()).digest()),
        run_id=run_id,
        epoch=epoch,
        ordinal=ordinal,
        venue="paper",
        symbol="ETHUSDT",
        client_id=f"c{ordinal}",
        side=Side.SELL if ordinal % 2 else Side.BUY,
        price=Ticks(price),
        size=Lots(17),
        mid=HalfTicks(8_641),
        fee_atoms=Atoms(-23),
        filled_at_ns=Nanos(5_000 + ordinal),
        is_hedge=ordinal % 3 == 2,
    )


def posting(
    source_id: str,
    debit: Account,
    credit: Account,
    amount: int,
    *,
    posted_at_ns: int = 9_000,
) -> Posting:
    return Posting(
        source_id=source_id,
        debit=debit,
        credit=credit,
        amount=Atoms(amount),
        posted_at_ns=Nanos(posted_at_ns),
    )


def funding(amount: int = HUGE) -> Posting:
    return posting("funding:treasury", OUTSIDE, AVAILABLE, amount)


def summary(epoch: int = 2, *, position: int = -31) -> SliceSummary:
    return SliceSummary(
        run_id=RUN,
        epoch=epoch,
        started_at_ns=Nanos(60_000),
        ended_at_ns=Nanos(120_000),
        events=900,
        decisions=41,
        quotes=37,
        fills=5,
        position=Lots(position),
        mid=HalfTicks(8_643),
        spread_captured_atoms=Atoms(-(2**80)),
        fees_atoms=Atoms(77),
        bids=((Ticks(4_321), Lots(11)), (Ticks(4_320), Lots(13))),
        asks=((Ticks(4_323), Lots(19)),),
        market=MarketSlice(
            mid_half_ticks=np.array([8_641, 8_643, -5], dtype=np.int64),
            trade_at_ns=np.array([60_007, 2**62], dtype=np.int64),
            trade_depth_half_ticks=np.array([3, -2], dtype=np.int64),
            trade_size_lots=np.array([29, 31], dtype=np.int64),
            trade_is_buy=np.array([True, False]),
        ),
    )


def intent(ordinal: int = 0, *, amount: int = 1_000, scope: str = f"{RUN}:liquidity") -> Intent:
    return Intent(
        kind=IntentKind.REWARD,
        chain=CHAIN,
        contract="treasury",
        vault="treasury",
        scope=scope,
        epoch=2,
        ordinal=ordinal,
        asset="DCT",
        recipient=f"0x{ordinal:040x}",
        amount=Atoms(amount),
        deadline_s=86_400,
        inputs={"note": "é", "words": ["a", 2**200]},
    )


def reserve(of: Intent) -> Posting:
    return posting(f"{of.intent_id.hex()}:reserve", AVAILABLE, PENDING, of.amount)


def pay(of: Intent) -> Posting:
    return posting(f"{of.intent_id.hex()}:pay", PENDING, PAID, of.amount)


def void(of: Intent) -> Posting:
    return posting(f"{of.intent_id.hex()}:void", PENDING, AVAILABLE, of.amount)


def reward_row(of: Intent) -> EpochRow:
    return EpochRow(
        table=RowTable.REWARD,
        ordinal=of.ordinal,
        body={
            "program": "liquidity",
            "recipient": of.recipient,
            "score": 2**90,
            "amount": of.amount,
            "intent_id": of.intent_id.hex(),
        },
    )


def plan(*intents: Intent, note: str = "") -> EpochPlan:
    return EpochPlan(
        rows=tuple(reward_row(of) for of in intents),
        intents=intents,
        postings=tuple(reserve(of) for of in intents),
        note=note,
    )


def claim(
    store: Store, *, epoch: int = 2, job: Job = Job.LIQUIDITY_REWARDS, subject: str = "liquidity"
) -> EpochClaim:
    return store.open_epoch(
        run_id=RUN,
        job=job,
        scope=f"{RUN}:{subject}",
        epoch=epoch,
        now_ns=Nanos(123_456),
        chain_time_s=777,
    )


def record(store: Store, *intents: Intent) -> None:
    """Put a funded run with READY intents into the journal."""
    store.open_run(run())
    store.post([funding()])
    assert store.record_epoch(claim(store), plan(*intents)) is JobStatus.RECORDED


def take(store: Store, owner: str = "driver", *, lease_s: int = 30) -> Claimed:
    claimed = store.claim_due(chain=CHAIN, owner=owner, lease_s=lease_s)
    assert claimed is not None
    return claimed


def attempt(of: Claimed, *, slot: int, bump: int = 0, tx_id: str = "") -> Attempt:
    return Attempt(
        tx_id=tx_id or f"0xtx-{of.intent.ordinal}-{of.generation}-{bump}",
        intent_id=of.intent.intent_id,
        generation=of.generation,
        bump=bump,
        chain=CHAIN,
        signer=SIGNER,
        slot=slot,
        raw=b"\x00signed\xff" + bytes([bump]),
        fee_atoms_max=Atoms(2**70),
        state=AttemptState.SIGNED,
    )


def send(store: Store, claimed: Claimed, *, finalized_slot: int = 0, bump: int = 0) -> Attempt:
    """Take an intent to IN_FLIGHT with its bytes handed to a node."""
    slot = store.allocate_slot(claimed, signer=SIGNER, finalized_slot=finalized_slot)
    signed = attempt(claimed, slot=slot, bump=bump)
    store.store_attempt(claimed, signed)
    store.mark_broadcast(claimed, signed.tx_id)
    return signed


def policy(preset: str = "calm") -> Policy:
    numbers = {
        name: 1_000 + place
        for place, name in enumerate(Policy.__dataclass_fields__)
        if name not in {"preset", "model", "fair_value", "skew"}
    }
    return Policy(preset=preset, **numbers)  # type: ignore[arg-type]


def policy_record(sequence: int, previous: PolicyRecord | None = None) -> PolicyRecord:
    content = policy(f"preset-{sequence}")
    return PolicyRecord(
        sequence=sequence,
        policy=content,
        previous_head=ZERO_HASH if previous is None else previous.head,
        head=content.policy_hash,
        chain=CHAIN,
        height=40 + sequence,
        tx_id=f"0xorder{sequence}",
        adopted_at_ns=Nanos(3_000 + sequence),
    )


def trade(nonce: int, *, maker: str = "0xmaker", epoch: int = 2) -> RfqTrade:
    quote = FirmQuote(
        chain=CHAIN,
        contract="settlement",
        maker=maker,
        signer="0xhot",
        taker="0xtaker",
        maker_asset="USDT",
        taker_asset="WETH",
        maker_amount=Atoms(2**200),
        taker_amount=Atoms(5_555),
        fee_bps=7,
        fee_recipient="0xfee",
        expiry_s=600,
        settle_by_s=900,
        nonce=nonce,
    )
    return RfqTrade(
        run_id=RUN,
        epoch=epoch,
        quote=quote,
        maker_signature=b"\x00maker",
        fair_half_ticks=8_641,
        issued_at_ns=4_444,
    )


def accepted(of: RfqTrade, *, recipient: str = "0xtaker") -> RfqTrade:
    return replace(
        of,
        acceptance=Acceptance(
            quote_id=of.quote.quote_id, amount=of.quote.taker_amount, recipient=recipient
        ),
        taker_signature=b"\xfftaker",
        accepted_at_ns=5_555,
    )
