"""One settlement as exact cells: ours, and those of TON's own JavaScript library."""

from __future__ import annotations

import json
import subprocess

import pytest
import ton_values as make

from dmm.adapters.ton.calls import relay_of
from dmm.adapters.ton.codec import Signed, quote_digest, taker_order
from dmm.rfq.protocol import Acceptance, FirmQuote
from dmm.sandbox.evm.install import node_program
from dmm.sandbox.ton.install import ensure_npm
from tests.contracts.ton.conftest import ROOT

VECTOR = ROOT / "contracts" / "vectors" / "ton.json"
REBUILD = ROOT / "tests" / "contracts" / "ton" / "rebuild_vector.cjs"
KNOWN = json.loads(VECTOR.read_text(encoding="utf-8"))


@pytest.fixture
def settled() -> tuple[FirmQuote, Acceptance, Signed]:
    quote = make.quote()
    acceptance, signature = make.accepted(quote)
    return quote, acceptance, Signed.parse(signature)


def test_our_bytes_are_those_of_the_vector(settled: tuple[FirmQuote, Acceptance, Signed]) -> None:
    quote, acceptance, signed = settled
    told = KNOWN["quote"]
    assert (told["quote_id"], told["nonce"]) == (quote.quote_id.hex(), quote.nonce)
    order = taker_order(
        acceptance,
        quote,
        maker_signature=signed.maker_signature,
        query_id=signed.query_id,
        book=make.book(),
    )
    tx_id, content = relay_of(make.fill(quote), make.book())
    cells = KNOWN["cells"]
    assert quote_digest(quote, make.book()).hex() == cells["quote_hash"]
    assert signed.maker_signature.hex() == cells["maker_signature"]
    assert order.hash.hex() == cells["order_hash"]
    assert signed.signature.hex() == cells["taker_signature"]
    assert tx_id == cells["message_id"]
    assert content.hex() == KNOWN["external"]


def test_another_library_builds_the_same_cells_and_signatures() -> None:
    modules = ensure_npm(ROOT, cache_dir=ROOT / ".dmm" / "npm-cache")
    done = subprocess.run(
        [str(node_program()), str(REBUILD), str(modules), str(VECTOR)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    built = json.loads(done.stdout)
    assert built.pop("verified") is True
    assert built == KNOWN["cells"]
