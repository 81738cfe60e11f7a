"""Nodes that fail rest, and are asked again when the others are too few or their rest is over."""

from __future__ import annotations

import pytest

from dmm.adapters.evm.node import NoAnswer, Node, NodeRefused, WrongChain
from dmm.adapters.evm.pool import REST_ASKS, Pool


class Asked:
    """Answers by node; a fault instead of an answer is raised."""

    def __init__(self, **answers: object) -> None:
        self.answers, self.asked = answers, []
        self.pool: Pool
        self.asked: list[str]

    def start(self, quorum: int) -> Pool:
        nodes = [Node(f"http://{name}", chain_id=1) for name in self.answers]
        self.pool = Pool(nodes, quorum=quorum)
        return self.pool

    def __call__(self, node: Node) -> object:
        name = node.name.removeprefix("http://")
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def round(self) -> tuple[list[object], list[str]]:
        self.asked.clear()
        answers, _ = self.pool.ask(self)
        return answers, list(self.asked)


@pytest.mark.parametrize("fault", [NoAnswer("down"), WrongChain("on another chain")])
def test_a_node_that_failed_rests_and_is_then_asked_again(fault: Exception) -> None:
    ask = Asked(a=1, b=fault, c=3)
    ask.start(quorum=2)
    assert ask.round() == ([1, 3], ["a", "b", "c"])
    for _ in range(REST_ASKS):
        assert ask.round() == ([1, 3], ["a", "c"])
    assert ask.round() == ([1, 3], ["a", "b", "c"])


def test_a_resting_node_is_asked_when_the_others_are_too_few() -> None:
    ask = Asked(a=1, b=NoAnswer("down"), c=3)
    ask.start(quorum=2)
    ask.round()
    ask.answers = {"a": 1, "b": 2, "c": NoAnswer("down")}
    assert ask.round() == ([1, 2], ["a", "c", "b"])
    # It is well again, and the other rests now.
    assert ask.round() == ([1, 2], ["a", "b"])


def test_a_node_that_answers_that_it_does_not_know_is_well() -> None:
    ask = Asked(a=1, b=NodeRefused("missing block", code=-1))
    ask.start(quorum=1)
    assert ask.round() == ([1], ["a", "b"])
    assert ask.round() == ([1], ["a", "b"])


def test_faults_are_told_of_every_node_that_was_asked() -> None:
    ask = Asked(a=NoAnswer("one"), b=NoAnswer("two"))
    answers, faults = ask.start(quorum=2).ask(ask)
    assert answers == []
    assert [str(fault) for fault in faults] == ["one", "two"]
    answers, faults = ask.pool.ask(ask)
    assert [str(fault) for fault in faults] == ["one", "two"]
