"""Many intents asked about at once: the same answers, each judged for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.evm.client import EvmChain
from dmm.adapters.evm.node import Asked, Block, NoAnswer, NodeRefused
from dmm.adapters.evm.pool import Pool
from dmm.ports import Answer, Deployment, Sight, Snapshot, Surveys
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

OURS = "0x" + "51" * 20
AT = Snapshot(
    chain="evm",
    head_height=96,
    head_time_s=1_096,
    finalized_height=80,
    finalized_hash="0xa80",
    finalized_time_s=1_080,
)


def intent(ordinal: int, **changes: Any) -> Intent:
    values: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "r1:x",
        "epoch": 1,
        "ordinal": ordinal,
        "asset": "DCT",
        "recipient": OURS,
        "amount": Atoms(30),
        "deadline_s": 900,
        "inputs": {},
    }
    return Intent(**(values | changes))


class Fake:
    """A node with one branch, used keys and receipts; it counts its requests."""

    def __init__(
        self,
        *,
        used: frozenset[int] = frozenset(),
        receipts: dict[str, tuple[int, str]] | None = None,
        branch: str = "a",
        down: bool = False,
        refuses: frozenset[int] = frozenset(),
    ) -> None:
        self.name = f"fake:{branch}"
        self.used = {intent(one).intent_id.hex() for one in used}
        self.refuses = {intent(one).intent_id.hex() for one in refuses}
        self.receipts, self.branch, self.down = receipts or {}, branch, down
        self.requests = 0

    def batch(self, asked: list[Asked]) -> list[Any]:
        self.requests += 1
        return [self._one(method, params) for method, params in asked]

    def call(self, method: str, *params: Any) -> Any:
        self.requests += 1
        found = self._one(method, params)
        if isinstance(found, NodeRefused):
            raise found
        return found

    def word(self, contract: str, data: bytes, block: Any) -> int:
        return int(self.call("eth_call", {"to": contract, "data": "0x" + data.hex()}, block), 16)

    def block(self, which: str) -> Block:
        body = self.call("eth_getBlockByNumber", which, False)
        return Block(height=int(body["number"], 16), block_hash=body["hash"], time_s=0)

    def _one(self, method: str, params: tuple[Any, ...]) -> Any:
        if self.down:
            raise NoAnswer("gone")
        if method == "eth_getBlockByNumber":
            height = int(params[0], 16)
            return {
                "number": params[0],
                "hash": f"0x{self.branch}{height}",
                "timestamp": hex(1_000 + height),
            }
        if method == "eth_getTransactionReceipt":
            if params[0] not in self.receipts:
                return None
            height, block_hash = self.receipts[params[0]]
            return {"blockNumber": hex(height), "blockHash": block_hash, "status": "0x1"}
        assert method == "eth_call"
        if params[1] != {"blockHash": f"0x{self.branch}80"}:
            return NodeRefused("unknown block", code=-32_000)
        key = params[0]["data"][10:]
        if key in self.refuses:
            return NodeRefused("out of gas", code=-32_000)
        return "0x" + f"{int(key in self.used):064x}"


def chain(*nodes: Fake, quorum: int = 2) -> EvmChain:
    made = EvmChain(
        rpc_urls=["http://x"] * len(nodes),
        chain_id=31_337,
        deployments={"treasury": Deployment(chain="evm", name="treasury", address=OURS, height=0)},
        artefact_dir=Path(),
        fee_gwei_max=200,
        tip_gwei=1,
        quorum=quorum,
    )
    made._pool = Pool(cast("list[Any]", list(nodes)), quorum=min(quorum, len(nodes)))
    return made


def keys(sights: list[Sight | None]) -> list[Answer]:
    return [sight.key for sight in sights if sight is not None]


def test_two_requests_tell_of_any_number_of_intents() -> None:
    node = Fake(used=frozenset({1}), receipts={"0x2": (90, "0xa90"), "0x3": (70, "0xa70")})
    made = chain(node)
    assert isinstance(made, Surveys)
    asked = [(intent(one), [f"0x{one}"]) for one in range(30)]
    sights = made.survey(asked, at=AT)
    assert node.requests == 2
    assert [one for one, key in enumerate(keys(sights)) if key is Answer.FOUND] == [1]
    views = [sight.views[0] for sight in sights if sight is not None]
    assert [view.answer for view in views[1:4]] == [Answer.ABSENT, Answer.FOUND, Answer.FOUND]
    assert [view.finalized for view in views[2:4]] == [False, True]


def test_what_one_node_says_otherwise_is_unknown_and_nothing_else_is() -> None:
    sights = chain(Fake(used=frozenset({1})), Fake()).survey(
        [(intent(0), ()), (intent(1), ())], at=AT
    )
    assert keys(sights) == [Answer.ABSENT, Answer.UNKNOWN]


def test_what_a_node_refuses_for_one_intent_stands_in_nobody_elses_way() -> None:
    nodes = Fake(refuses=frozenset({0})), Fake()
    assert keys(chain(*nodes).survey([(intent(0), ()), (intent(1), ())], at=AT)) == [
        Answer.UNKNOWN,
        Answer.ABSENT,
    ]


def test_too_few_nodes_and_a_node_of_another_branch_leave_everything_unknown() -> None:
    for other in (Fake(down=True), Fake(branch="b")):
        sight = chain(Fake(), other).survey([(intent(0), ["0x1"])], at=AT)[0]
        assert sight is not None
        assert sight.key is Answer.UNKNOWN
        assert sight.views[0].answer is Answer.UNKNOWN


def test_a_receipt_of_a_block_that_the_node_has_left_is_no_answer() -> None:
    sight = chain(Fake(receipts={"0x1": (90, "0xb90")})).survey([(intent(0), ["0x1"])], at=AT)[0]
    assert sight is not None
    assert sight.views[0].answer is Answer.UNKNOWN


def test_an_intent_that_cannot_be_asked_about_is_left_to_be_asked_alone() -> None:
    odd = intent(0, kind=IntentKind.QUOTE, scope="no address", contract="settlement")
    sights = chain(Fake()).survey([(odd, ()), (intent(1), ())], at=AT)
    assert sights[0] is None
    assert keys(sights) == [Answer.ABSENT]


nodes = st.builds(
    Fake,
    used=st.frozensets(st.integers(0, 3)),
    receipts=st.dictionaries(
        st.sampled_from(["0x0", "0x1", "0x2"]),
        st.tuples(st.sampled_from([70, 90]), st.sampled_from(["0xa70", "0xa90", "0xb90"])),
    ),
    branch=st.sampled_from(["a", "a", "a", "b"]),
    down=st.sampled_from([False, False, False, True]),
    refuses=st.frozensets(st.integers(0, 3), max_size=1),
)


@given(found=st.lists(nodes, min_size=1, max_size=3), quorum=st.integers(1, 2))
def test_asked_together_each_intent_is_answered_as_if_asked_alone(
    found: list[Fake], quorum: int
) -> None:
    together, alone = chain(*found, quorum=quorum), chain(*found, quorum=quorum)
    asked = [(intent(one), [f"0x{one}"]) for one in range(4)]
    for (of, tx_ids), sight in zip(asked, together.survey(asked, at=AT), strict=True):
        assert sight is not None
        # A node that failed rests: each question starts with all of them well.
        alone._pool = Pool(cast("list[Any]", found), quorum=min(quorum, len(found)))
        assert sight.key is alone.key_state(of, at=AT)
        alone._pool = Pool(cast("list[Any]", found), quorum=min(quorum, len(found)))
        assert sight.views == (alone.transaction(tx_ids[0], at=AT),)


@pytest.mark.parametrize("answer", [5, None])
def test_a_nonce_is_asked_once_a_block_unless_it_is_unknown(answer: int | None) -> None:
    class Counting(Fake):
        def call(self, method: str, *params: Any) -> Any:
            self.requests += 1
            if answer is None:
                raise NodeRefused("unknown block", code=-1)
            return hex(answer)

    node = Counting()
    made = chain(node)
    assert [made.next_slot(OURS, at=AT) for _ in range(3)] == [answer] * 3
    assert node.requests == (1 if answer is not None else 3)
