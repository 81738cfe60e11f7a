"""The byte form of a journal row, and the digest over it, worked out with other tools.

The lines were written by hand and hashed with ``printf '%s\\n' LINE … | sha256sum``.
"""

from __future__ import annotations

from dmm.ledger.anchor import JournalTable, Partition, RowDigest

FILLS = Partition(
    name="fill_r_0", table=JournalTable.FILL, run_id="r", first_place=0, end_place=None
)
LINES = (
    b'{"epoch":4,"fee_atoms":-23,"is_hedge":false,"ordinal":2,"run_id":"r","venue":"paper"}\n',
    '{"epoch":3,"fee_atoms":1208925819614629174706176,"is_hedge":true,"ordinal":7,'
    '"run_id":"r","venue":"börse"}\n'.encode(),
)
DIGEST = "ad5711c4fd420384cd7dc1f5e039315fd70f9223ecb6b1757c43b41ecb8c077f"


def test_a_row_is_a_line_of_sorted_keys_and_whole_numbers_and_the_digest_is_their_sha256() -> None:
    digest = RowDigest(FILLS)
    rows = (
        {
            "venue": "paper",
            "run_id": "r",
            "ordinal": 2,
            "epoch": 4,
            "fee_atoms": -23,
            "is_hedge": False,
        },
        {
            "run_id": "r",
            "fee_atoms": 2**80,
            "ordinal": 7,
            "venue": "börse",
            "epoch": 3,
            "is_hedge": True,
        },
    )
    assert tuple(digest.add({**row}) for row in rows) == LINES
    extent = digest.extent()
    assert extent.digest.hex() == DIGEST
    assert (extent.rows, extent.first_place, extent.last_place) == (2, 2, 7)
    assert (extent.first_epoch, extent.last_epoch) == (3, 4)
    assert (extent.first_previous_hash, extent.last_link_hash) == (None, None)
