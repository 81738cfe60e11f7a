"""TON: what an operation costs, and how fast the local chain is.

Gas and fees are the committed snapshot, which the contract tests hold against the compiled code at
every run. The rest is measured here: deliveries on the TVM alone, payments through liteserver and
log as the desk makes them, a batch of 200 payouts in one message from outside, and going back to a
remembered state.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import mkdtemp
from typing import Any

from dmm.adapters.ton.cells import EMPTY, raw, transfer
from dmm.adapters.ton.client import TonChain
from dmm.adapters.ton.log import TonLog
from dmm.adapters.ton.sign import sign_settlement
from dmm.adapters.ton.wallet import outgoing, query_id_of
from dmm.market.instrument import Asset
from dmm.ports import Answer
from dmm.sandbox.ton.cells import internal
from dmm.sandbox.ton.demo_cells import batch
from dmm.sandbox.ton.install import ensure_npm
from dmm.sandbox.ton.local import TonLocalChain
from dmm.sandbox.ton.machine import Machine
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.settings import PROJECT_ROOT
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.ids import ZERO_HASH

TON1 = 10**9
START_S = 2_000_000_000
END_S_MAX = 120.0
PAYOUTS = 200
MESSAGES_A_PAYMENT = 5
"""Up to the evidence: to our wallet, the treasury, its jetton wallet, the receiver's, and back."""

TOLK_BENCH_JETTON = {"with_forward": 13_623, "without": 11_175}
"""Gas of a jetton transfer over both wallets in tolk-bench, 01_jetton, for comparison."""


def measure(tape: Path | None, *, smoke: bool = False) -> dict[str, object]:
    """Return the figures; fewer repetitions in a smoke."""
    del tape
    committed = json.loads((PROJECT_ROOT / "contracts/ton/gas.json").read_text(encoding="utf-8"))
    modules = ensure_npm(PROJECT_ROOT, cache_dir=PROJECT_ROOT / ".dmm/npm-cache")
    with Machine(modules) as machine:
        machine.boot(now_s=START_S, global_id=GLOBAL_ID)
        bridge = _deliveries(machine, 50 if smoke else 500)
        restore_ms = _restore(machine, 5 if smoke else 50)
    folder = Path(mkdtemp(prefix="dmm-bench-"))
    local = TonLocalChain(
        root=PROJECT_ROOT, folder=folder, cache_dir=PROJECT_ROOT / ".dmm/npm-cache"
    )
    try:
        began_s = time.perf_counter()
        local.start()
        deployed = local.deploy(
            position=Asset(symbol="BTC", decimals=8),
            cash=Asset(symbol="USDT", decimals=6),
            genesis_head=ZERO_HASH,
        )
        ready_s = time.perf_counter() - began_s
        place: dict[str, Any] = {
            "configs": (local.node.config_path,),
            "global_id": GLOBAL_ID,
            "deployments": {one.name: one for one in deployed},
        }
        chain = TonChain(**place, message_nanoton_max=TON1)
        adnl = _payments(local, chain, 3 if smoke else 20)
        payout_s = _batch(local, chain, TonLog(**place), 20 if smoke else PAYOUTS)
    finally:
        local.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return {
        **_committed(committed),
        "tolk_bench_jetton": TOLK_BENCH_JETTON,
        "messages_per_s": {"bridge": round(bridge, 1), "adnl": round(adnl["per_s"], 2)},
        "payment_s": adnl["median_s"],
        "payout_200_s": None if smoke else round(payout_s, 2),
        "restore_ms": round(restore_ms, 2),
        "start_and_deploy_s": round(ready_s, 1),
    }


def _committed(snapshot: dict[str, Any]) -> dict[str, object]:
    """Return gas of all contracts of ours in an operation, and all fees of all its messages."""
    deals, desk, claims = (snapshot[name] for name in ("settlements", "treasury", "distributor"))
    return {
        "gas": {
            "settle_ton": deals["settle_ton"],
            "settle_jetton": deals["settle_jetton_open"] + deals["settle_jetton_close"],
            "pay": sum(desk["pay_jettons"]),
            "buyback": sum(desk["buyback"]),
            "claim": sum(claims["claim"]),
            "net": deals["net"],
            "jetton_transfer": deals["jetton_transfer"],
        },
        "fee_nanoton": {
            "settle_ton": deals["settle_ton_fee_nanoton"],
            "settle_jetton": deals["settle_jetton_fee_nanoton"],
            "pay": desk["pay_fee_nanoton"],
            "buyback": desk["buyback_fee_nanoton"],
            "claim": claims["claim_fee_nanoton"],
        },
    }


def _deliveries(machine: Machine, count: int) -> float:
    """Return how many messages a second the TVM takes: plain transfers to one account."""
    machine.found(raw(0x77), nanoton=TON1, code=EMPTY, data=EMPTY)
    message = internal(source=0x78, destination=0x77, nanoton=TON1 // 10, body=EMPTY)
    began_s = time.perf_counter()
    for _ in range(count):
        machine.deliver(message)
    return count / (time.perf_counter() - began_s)


def _restore(machine: Machine, count: int) -> float:
    machine.snapshot("bench")
    taken = []
    for _ in range(count):
        began_s = time.perf_counter()
        machine.restore("bench")
        taken.append(time.perf_counter() - began_s)
    return 1_000 * median(taken)


def _payments(local: TonLocalChain, chain: TonChain, count: int) -> dict[str, float]:
    """Return how long a reward takes from its signature to the key's evidence, one at a time."""
    taken = []
    for ordinal in range(count):
        at = chain.snapshot()
        intent = Intent(
            kind=IntentKind.REWARD,
            chain="ton",
            contract="treasury",
            vault="treasury@ton",
            scope="bench",
            epoch=0,
            ordinal=ordinal,
            asset="DCT",
            recipient=local.actors.providers[0].address,
            amount=Atoms(1_000),
            deadline_s=at.finalized_time_s + 3_600,
            inputs={},
        )
        offer = chain.slot_offer(local.actors.operator.address, at=at)
        if offer is None:
            raise SystemExit("ton: no slot is offered")
        began_s = time.perf_counter()
        request = chain.sign_request(
            intent, generation=0, bump=0, slot=ordinal, expires=offer.expires
        )
        signed = sign_settlement(request, key=local.actors.operator, book=local.book)
        chain.send(signed.raw)
        _until(
            lambda intent=intent: (  # type: ignore[misc]
                chain.key_state(intent, at=chain.snapshot()) is Answer.FOUND
            )
        )
        taken.append(time.perf_counter() - began_s)
    return {"per_s": MESSAGES_A_PAYMENT * count / sum(taken), "median_s": round(median(taken), 3)}


def _batch(local: TonLocalChain, chain: TonChain, log: TonLog, count: int) -> float:
    """Return how long many jetton transfers in one message from outside take to arrive."""
    desk, wallet = local.actors.takers[0], local.book.wallet_of
    holders = [0xB000 + place for place in range(count)]
    messages = [
        outgoing(
            to=wallet(desk.account, "DCT"),
            nanoton=TON1 // 10,
            body=transfer(amount=1_000 + place, to=holder, response=desk.account),
        )
        for place, holder in enumerate(holders)
    ]
    query_id = query_id_of(5_000_000)
    began_s = time.perf_counter()
    _, content = desk.send_on(
        batch(desk, messages, query_id=query_id),
        query_id=query_id,
        created_at_s=local.node.status()["time_s"],
    )
    chain.send(content)
    _until(lambda: bool(local.node.status()["is_idle"]))
    taken_s = time.perf_counter() - began_s
    at = chain.snapshot()
    arrived = sum(
        log.balance(holder=raw(holder), asset="DCT", height=at.finalized_height)
        for holder in holders
    )
    if arrived != sum(1_000 + place for place in range(count)):
        raise SystemExit(f"ton: of {count} payouts {arrived} atoms arrived")
    return taken_s


def _until(is_done: Callable[[], bool]) -> None:
    until_s = time.monotonic() + END_S_MAX
    while not is_done():
        if time.monotonic() > until_s:
            raise SystemExit("ton: the local chain takes too long")
        time.sleep(0.005)
