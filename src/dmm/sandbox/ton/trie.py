"""The accounts of a block as a tree of cells, with proofs of single accounts.

A version is never changed: putting an account into it gives the next version, which shares every
subtree that is the same. So each block keeps its own state for the price of its changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from bitarray import bitarray
from pytoniq_core import Builder, Cell, begin_cell
from pytoniq_core.boc.tvm_bitarray import TvmBitarray

from dmm.units.errors import InvariantBroken

KEY_BITS = 256
CELL_BITS_MAX = 1023
MERKLE_PROOF, PRUNED_BRANCH = 3, 1


def exotic(data: bytes, refs: list[Cell], kind: int) -> Cell:
    """Return an exotic cell of a kind; its first byte is the kind again."""
    bits = TvmBitarray(CELL_BITS_MAX)
    content = bitarray(endian="big")
    content.frombytes(data)
    bits.extend(content)
    return Cell(bits, refs, kind)


def merkle_proof(cell: Cell) -> Cell:
    """Return a proof whose root is a partly pruned cell."""
    depth = cell.get_depth(0).to_bytes(2, "big")
    return exotic(bytes([MERKLE_PROOF]) + cell.get_hash(0) + depth, [cell], MERKLE_PROOF)


def pruned(cell: Cell) -> Cell:
    """Return the stand-in for a cell that a proof leaves out."""
    depth = cell.get_depth(0).to_bytes(2, "big")
    return exotic(bytes([PRUNED_BRANCH, 1]) + cell.get_hash(0) + depth, [], PRUNED_BRANCH)


def label(bits: str, bits_max: int) -> Builder:
    """Return the shortest label of a hashmap edge (TL-B HmLabel)."""
    length, width = len(bits), bits_max.bit_length()
    long_size, short_size, same_size = 2 + width + length, 2 + 2 * length, 3 + width
    builder = begin_cell()
    if length > 1 and len(set(bits)) == 1 and same_size < min(long_size, short_size):
        return builder.store_bits("11").store_bits(bits[0]).store_uint(length, width)
    if short_size <= long_size:
        return builder.store_bits("0" + "1" * length + "0" + bits)
    return builder.store_bits("10").store_uint(length, width).store_bits(bits)


def depth_balance(nanoton: int) -> Cell:
    """Return the extra of an edge: no split depth, and the balance under it."""
    return begin_cell().store_uint(0, 5).store_coins(nanoton).store_bit_int(0).end_cell()


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge with its cell: a fork of two, or a leaf with an account (TL-B ShardAccount)."""

    bits: str
    bits_max: int
    nanoton: int
    cell: Cell
    left: Edge | None = None
    right: Edge | None = None
    account: Cell | None = None


def leaf(bits: str, account: Cell, nanoton: int) -> Edge:
    """Return an edge that ends in an account."""
    cell = label(bits, len(bits)).store_cell(depth_balance(nanoton)).store_cell(account).end_cell()
    return Edge(bits, len(bits), nanoton, cell, account=account)


def fork(bits: str, bits_max: int, left: Edge, right: Edge) -> Edge:
    """Return an edge that ends in two."""
    nanoton = left.nanoton + right.nanoton
    cell = fork_cell(bits, bits_max, left.cell, right.cell, nanoton)
    return Edge(bits, bits_max, nanoton, cell, left=left, right=right)


def fork_cell(bits: str, bits_max: int, left: Cell, right: Cell, nanoton: int) -> Cell:
    """Return a fork's cell over two cells, whole or pruned."""
    builder = label(bits, bits_max).store_ref(left).store_ref(right)
    return builder.store_cell(depth_balance(nanoton)).end_cell()


def put(edge: Edge | None, key: str, account: Cell, nanoton: int) -> Edge:
    """Return the tree with an account added or replaced.

    Parameters
    ----------
    key : what is left of the account's 256 bits below this edge
    """
    if edge is None:
        return leaf(key, account, nanoton)
    shared = 0
    while shared < len(edge.bits) and edge.bits[shared] == key[shared]:
        shared += 1
    if shared == len(edge.bits):
        if edge.left is None or edge.right is None:
            return leaf(key, account, nanoton)
        rest = key[shared + 1 :]
        left, right = edge.left, edge.right
        if key[shared] == "0":
            left = put(left, rest, account, nanoton)
        else:
            right = put(right, rest, account, nanoton)
        return fork(edge.bits, edge.bits_max, left, right)
    old = _shortened(edge, shared + 1)
    new = leaf(key[shared + 1 :], account, nanoton)
    pair = (old, new) if key[shared] == "1" else (new, old)
    return fork(key[:shared], edge.bits_max, *pair)


def _shortened(edge: Edge, cut: int) -> Edge:
    """Return the same subtree under an edge without its first bits."""
    bits = edge.bits[cut:]
    if edge.left is not None and edge.right is not None:
        return fork(bits, edge.bits_max - cut, edge.left, edge.right)
    if edge.account is None:
        raise InvariantBroken(
            "an edge of the accounts' tree holds neither two edges nor an account"
        )
    return leaf(bits, edge.account, edge.nanoton)


def prove(edge: Edge, key: str) -> Cell | None:
    """Return the tree's cell with all pruned but the way to an account; None if it has none."""
    if key[: len(edge.bits)] != edge.bits:
        return None
    if edge.left is None or edge.right is None:
        return edge.cell
    rest = key[len(edge.bits) :]
    side = edge.left if rest[0] == "0" else edge.right
    way = prove(side, rest[1:])
    if way is None:
        return None
    cells = (way, pruned(edge.right.cell)) if rest[0] == "0" else (pruned(edge.left.cell), way)
    return fork_cell(edge.bits, edge.bits_max, *cells, edge.nanoton)


def bag(*roots: Cell) -> bytes:
    """Return cells as one bag with several roots, children after parents."""
    order = _children_last(roots)
    index = {cell.hash: place for place, cell in enumerate(order)}
    size = max(1, (len(order).bit_length() + 7) // 8)
    body = b"".join(
        bytes(cell._descriptors)  # noqa: SLF001 - the client library writes bags of one root only
        + bytes(cell._data_bytes)  # noqa: SLF001
        + b"".join(index[ref.hash].to_bytes(size, "big") for ref in cell.refs)
        for cell in order
    )
    width = max(1, (len(body).bit_length() + 7) // 8)
    counts = (len(order), len(roots), 0)
    head = b"\xb5\xee\x9c\x72" + bytes([size, width])
    head += b"".join(count.to_bytes(size, "big") for count in counts) + len(body).to_bytes(
        width, "big"
    )
    return head + b"".join(index[root.hash].to_bytes(size, "big") for root in roots) + body


def _children_last(roots: tuple[Cell, ...]) -> list[Cell]:
    done: list[Cell] = []
    seen: set[bytes] = set()
    for root in roots:
        stack = [(root, False)]
        while stack:
            cell, is_left = stack.pop()
            if is_left:
                done.append(cell)
            elif cell.hash not in seen:
                seen.add(cell.hash)
                stack.append((cell, True))
                stack.extend((ref, False) for ref in cell.refs)
    return done[::-1]
