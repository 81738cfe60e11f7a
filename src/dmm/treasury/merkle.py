"""Sorted Merkle trees over 32-byte leaves: claims of a distribution, quotes of a netted batch.

The tree is that of OpenZeppelin's merkle-tree library, so any of its tools checks our proofs: a
complete binary tree in an array, leaves in ascending order from the end, each node the hash of its
children in ascending order.

References
----------
OpenZeppelin merkle-tree 1.0, format standard-v1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmm.units.errors import UsageFault

LEAVES_MAX = 1_000_000
"""Leaves of one tree; a proof is then at most 20 hashes long."""

PROOF_MAX = 64
NODE_BYTES = 32

Hash = Callable[[bytes], bytes]
"""keccak256 in practice; the core is handed it."""


@dataclass(frozen=True, slots=True)
class MerkleTree:
    """A tree as its array of nodes: the root first, children of i at 2i + 1 and 2i + 2."""

    nodes: tuple[bytes, ...]

    @property
    def root(self) -> bytes:
        """Return the root, 32 bytes."""
        return self.nodes[0]

    def proof(self, leaf: bytes) -> tuple[bytes, ...]:
        """Return the siblings from a leaf up to the root.

        Raises
        ------
        UsageFault
            If the tree has no such leaf.
        """
        first_leaf = len(self.nodes) // 2
        try:
            index = self.nodes.index(leaf, first_leaf)
        except ValueError:
            raise UsageFault(f"the tree has no leaf {leaf.hex()}") from None
        siblings = []
        while index > 0:
            siblings.append(self.nodes[index + 1 if index % 2 else index - 1])
            index = (index - 1) // 2
        return tuple(siblings)


def build(leaves: Sequence[bytes], *, hash_bytes: Hash) -> MerkleTree:
    """Return the tree over leaves; their order does not matter.

    Parameters
    ----------
    leaves : 32 bytes each, no two alike: a leaf that came twice could be proven once only
    hash_bytes : keccak256

    Raises
    ------
    UsageFault
        If there is none, there are too many, one has another length, or two are alike.
    """
    if not 0 < len(leaves) <= LEAVES_MAX:
        raise UsageFault(f"a tree has 1 to {LEAVES_MAX} leaves, got {len(leaves)}")
    ascending = sorted(leaves)
    for leaf, following in zip(ascending, [*ascending[1:], b""], strict=True):
        if len(leaf) != NODE_BYTES:
            raise UsageFault(f"a leaf has {NODE_BYTES} bytes, got {len(leaf)}")
        if leaf == following:
            raise UsageFault(f"leaf {leaf.hex()} comes twice")
    inner = len(leaves) - 1
    nodes = [b""] * inner + ascending[::-1]
    for index in range(inner - 1, -1, -1):
        nodes[index] = _join(nodes[2 * index + 1], nodes[2 * index + 2], hash_bytes)
    return MerkleTree(tuple(nodes))


def is_proven(leaf: bytes, proof: Sequence[bytes], *, root: bytes, hash_bytes: Hash) -> bool:
    """Tell whether a proof leads from a leaf to a root; one that is too long does not."""
    if len(proof) > PROOF_MAX:
        return False
    node = leaf
    for sibling in proof:
        node = _join(node, sibling, hash_bytes)
    return node == root


def _join(left: bytes, right: bytes, hash_bytes: Hash) -> bytes:
    return hash_bytes(min(left, right) + max(left, right))
