"""Which block counts as final, and what is known at it, when nodes lag, lie or are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.node import Block, NoAnswer
from dmm.adapters.evm.pool import Pool
from dmm.ports import Deployment, SlotState
from dmm.settlement.intent import Intent, IntentKind, Slot
from dmm.units.amount import Atoms
from dmm.units.errors import Retryable

SENDER = "0x" + "51" * 20


class Fake:
    """A node that holds a chain of blocks named after its branch."""

    def __init__(
        self, final: int | None, *, branch: str = "a", splits_at: int = 0, nonce: int = 5
    ) -> None:
        self.final, self.branch, self.splits_at, self.nonce = final, branch, splits_at, nonce
        self.name = f"fake:{branch}{final}"

    def block(self, which: str) -> Block:
        if self.final is None:
            raise NoAnswer("gone")
        tags = {"latest": self.final + 16, "finalized": self.final}
        height = tags[which] if which in tags else int(which, 16)
        if height > self.final + 16:
            raise NoAnswer("no such block")
        branch = self.branch if height >= self.splits_at else "a"
        return Block(height=height, block_hash=f"0x{branch}{height}", time_s=1_000 + height)

    def blocks(self, *which: str) -> list[Block]:
        return [self.block(one) for one in which]

    def call(self, method: str, *params: Any) -> Any:
        assert method == "eth_getTransactionCount"
        wanted = params[1]["blockHash"]
        if self.final is None or wanted not in {
            self.block(hex(height)).block_hash for height in range(self.final + 17)
        }:
            raise NoAnswer("unknown block")
        return hex(self.nonce)


def chain(*nodes: Fake, quorum: int = 2) -> EvmChain:
    made = EvmChain(
        rpc_urls=["http://x"] * len(nodes),
        chain_id=31_337,
        deployments={
            "treasury": Deployment(chain="evm", name="treasury", address=SENDER, height=0)
        },
        artefact_dir=Path(),
        fee_gwei_max=200,
        tip_gwei=1,
        quorum=quorum,
    )
    made._pool = Pool(cast("list[Any]", list(nodes)), quorum=min(quorum, len(nodes)))
    return made


@pytest.mark.parametrize(
    ("nodes", "final", "witnesses"),
    [
        ([Fake(80)], "0xa80", 1),
        ([Fake(80), Fake(83)], "0xa80", 2),
        ([Fake(80), Fake(83), Fake(70)], "0xa80", 3),
        ([Fake(80), Fake(83), Fake(10_000)], "0xa83", 3),
        ([Fake(80), Fake(83), Fake(None)], "0xa80", 2),
        ([Fake(80), Fake(80), Fake(99, branch="b", splits_at=60)], "0xa80", 2),
        ([Fake(99, branch="b", splits_at=60), Fake(80), Fake(80)], "0xa80", 2),
        ([Fake(None), Fake(80)], "0xa80", 1),
    ],
    ids=["alone", "two", "one-lags", "one-runs-ahead", "one-is-gone", "fork", "fork-first", "half"],
)
def test_the_finalized_block_is_the_highest_that_a_quorum_has(
    nodes: list[Fake], final: str, witnesses: int
) -> None:
    at = chain(*nodes).snapshot()
    assert (at.finalized_hash, at.witnesses) == (final, witnesses)
    assert at.head_height >= at.finalized_height


def test_two_branches_of_one_node_each_are_no_snapshot() -> None:
    with pytest.raises(Retryable, match="do not agree"):
        chain(Fake(80), Fake(80, branch="b", splits_at=60)).snapshot()


def test_no_node_is_no_snapshot() -> None:
    with pytest.raises(Retryable, match="too few EVM nodes answer"):
        chain(Fake(None), Fake(None)).snapshot()


SLOT = Slot(signer=SENDER, slot=5, generation=0)
INTENT = Intent(
    kind=IntentKind.REWARD,
    chain="evm",
    contract="treasury",
    vault="treasury",
    scope="r1:x",
    epoch=1,
    ordinal=2,
    asset="DCT",
    recipient=SENDER,
    amount=Atoms(30),
    deadline_s=900,
    inputs={},
)


@pytest.mark.parametrize(
    ("nodes", "state"),
    [
        ([Fake(80), Fake(80)], SlotState.OPEN),
        ([Fake(80, nonce=6), Fake(80, nonce=6)], SlotState.SPENT),
        ([Fake(80, nonce=6), Fake(80)], SlotState.UNKNOWN),
        ([Fake(80, nonce=6), Fake(80, nonce=6), Fake(80)], SlotState.UNKNOWN),
        ([Fake(80, nonce=6), Fake(None)], SlotState.UNKNOWN),
        ([Fake(80, nonce=6), Fake(83, nonce=6), Fake(None)], SlotState.SPENT),
        ([Fake(80), Fake(80), Fake(99, branch="b", splits_at=60, nonce=6)], SlotState.OPEN),
    ],
    ids=["open", "spent", "one-lies", "two-and-a-liar", "too-few", "enough", "fork-left-out"],
)
def test_a_nonce_is_spent_when_a_quorum_says_so_and_nobody_contradicts(
    nodes: list[Fake], state: SlotState
) -> None:
    made = chain(*nodes)
    at = made.snapshot()
    assert made.slot_state(SLOT, INTENT, at=at) is state
    offer = made.slot_offer(SENDER, at=at)
    assert (offer is None) == (state is SlotState.UNKNOWN)
