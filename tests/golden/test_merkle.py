"""OpenZeppelin's published sorted tree, and the laws of proofs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.evm.batches import claim_leaf, claim_tree
from dmm.treasury.merkle import LEAVES_MAX, PROOF_MAX, build, is_proven
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, UsageFault

TRUTH = (
    Path(__file__).resolve().parents[2].parent
    / "shared"
    / "truth"
    / "openzeppelin_merkle_standard_sorted.json"
)
DISTRIBUTOR, TOKEN = "0x" + "d1" * 20, "0x" + "70" * 20
LEAVES = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


@pytest.fixture(scope="module")
def dump() -> dict[str, Any]:
    if not TRUTH.is_file() and not os.environ.get("CI"):
        pytest.skip(f"{TRUTH} is missing")
    data: dict[str, Any] = json.loads(TRUTH.read_text(encoding="utf-8"))["data"]["dump"]
    return data


def published_leaf(entry: dict[str, Any], kinds: list[str]) -> bytes:
    return keccak(keccak(encode(kinds, entry["value"])))


def test_every_node_is_as_published(dump: dict[str, Any]) -> None:
    leaves = [published_leaf(entry, dump["leafEncoding"]) for entry in dump["values"]]
    tree = build(leaves, hash_bytes=keccak)
    assert ["0x" + node.hex() for node in tree.nodes] == dump["tree"]
    for entry, leaf in zip(dump["values"], leaves, strict=True):
        assert tree.nodes[entry["treeIndex"]] == leaf
        assert is_proven(leaf, tree.proof(leaf), root=tree.root, hash_bytes=keccak)


@given(leaves=LEAVES, data=st.data())
def test_every_leaf_is_provable_and_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    tree = build(leaves, hash_bytes=keccak)
    leaf = data.draw(st.sampled_from(leaves))
    proof = tree.proof(leaf)
    assert is_proven(leaf, proof, root=tree.root, hash_bytes=keccak)
    assert len(proof) <= (len(leaves) - 1).bit_length()
    other = data.draw(st.binary(min_size=32, max_size=32).filter(lambda x: x not in leaves))
    assert not is_proven(other, proof, root=tree.root, hash_bytes=keccak)
    if proof:
        changed = [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]
        assert not is_proven(leaf, changed, root=tree.root, hash_bytes=keccak)


@given(leaves=LEAVES, data=st.data())
def test_the_order_of_the_leaves_does_not_matter(leaves: list[bytes], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(leaves))
    assert build(shuffled, hash_bytes=keccak) == build(leaves, hash_bytes=keccak)


def test_a_tree_of_nothing_of_too_much_or_of_odd_leaves_is_refused() -> None:
    for leaves, what in (
        ([], "got 0"),
        ([bytes(32)] * (LEAVES_MAX + 1), "leaves"),
        ([bytes(31)], "got 31"),
        ([bytes(32), b"\x01" * 33], "got 33"),
        ([bytes(32), bytes(32)], "comes twice"),
    ):
        with pytest.raises(UsageFault, match=what):
            build(leaves, hash_bytes=keccak)


def test_a_leaf_that_is_not_there_has_no_proof_and_a_long_proof_proves_nothing() -> None:
    tree = build([bytes([i]) * 32 for i in range(1, 6)], hash_bytes=keccak)
    with pytest.raises(UsageFault, match="no leaf"):
        tree.proof(bytes(32))
    with pytest.raises(UsageFault, match="no leaf"):
        tree.proof(tree.nodes[1])
    endless = [bytes(32)] * (PROOF_MAX + 1)
    node = bytes(32)
    for _ in endless:
        node = keccak(node + bytes(32) if node < bytes(32) else bytes(32) + node)
    assert not is_proven(bytes(32), endless, root=node, hash_bytes=keccak)


def test_a_claim_s_leaf_binds_chain_distributor_token_holder_and_amount() -> None:
    terms: dict[str, Any] = {
        "chain_id": 31_337,
        "distributor": DISTRIBUTOR,
        "token": TOKEN,
        "holder": "0x" + "a1" * 20,
        "cumulative": Atoms(7),
    }
    leaf = claim_leaf(**terms)
    for change in (
        {"chain_id": 1},
        {"distributor": TOKEN},
        {"token": DISTRIBUTOR},
        {"holder": TOKEN},
        {"cumulative": Atoms(8)},
    ):
        assert claim_leaf(**(terms | change)) != leaf
    with pytest.raises(Permanent, match="no EVM address"):
        claim_tree({"nobody": Atoms(1)}, chain_id=1, distributor=DISTRIBUTOR, token=TOKEN)
