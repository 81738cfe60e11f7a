"""Of an export of TON the independent verifier checks the file, and says that it proves no more."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_export import Change, Line, intent, require_ethers, verify, write

from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.ids import content_id

URL = "http://127.0.0.1:9"


def export() -> list[Line]:
    """Return an export with one payment, as the desk writes it."""
    paid = Intent(
        kind=IntentKind.REWARD,
        chain="ton",
        contract="treasury",
        vault="treasury@ton",
        scope="run/liquidity",
        epoch=3,
        ordinal=7,
        asset="DCT",
        recipient="0:" + "5a" * 32,
        amount=Atoms(1_007),
        deadline_s=1_700_000_600,
        inputs={},
    )
    header: Line = {
        "type": "header",
        "format": "dmm/audit-export/1",
        "chain": "ton",
        "chain_id": -217,
        "height": 90,
        "block_hash": "ab" * 32,
        "first_height": 1,
        "funding_height": 9,
        "contracts": {"treasury": "0:" + "11" * 32},
        "tokens": {"DCT": "0:" + "22" * 32},
        "vaults": {"treasury@ton": "0:" + "11" * 32},
    }
    names = ("chain", "contract", "vault", "scope", "epoch", "ordinal", "asset", "recipient")
    line: Line = {name: getattr(paid, name) for name in (*names, "amount", "deadline_s", "inputs")}
    line |= {
        "type": "intent",
        "kind": paid.kind.value,
        "intent_id": paid.intent_id.hex(),
        "content_hash": paid.content_hash.hex(),
        "supersedes": None,
        "state": "FINAL",
        "closed_height": 80,
        "proof": None,
        "paid": {"tx_id": "cd" * 32, "height": 80},
        "attempts": [],
    }
    return [header, line]


@pytest.fixture(scope="module", autouse=True)
def _ethers() -> None:
    require_ethers()


def test_an_honest_export_of_ton_is_not_called_proven(tmp_path: Path) -> None:
    code, faults, said = verify(write(tmp_path / "x.jsonl", export()), URL)
    assert (code, faults) == (1, {"chain.unread"}), said
    assert "NOT PROVEN: 1 intents by the file alone" in said


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("intent.content", lambda x: intent(x).update(amount=1_008)),
        ("intent.content", lambda x: intent(x).update(recipient="0:" + "5b" * 32)),
        ("intent.id", lambda x: intent(x).update(intent_id=content_id("x", 1).hex())),
        ("intent.twice", lambda x: x.append(dict(intent(x)))),
        ("file.order", lambda x: x.append(x.pop(0))),
    ],
)
def test_a_forged_file_of_ton_is_found_by_name(fault: str, change: Change, tmp_path: Path) -> None:
    lines = export()
    change(lines)
    if fault == "file.order":
        lines.insert(0, {**export()[0], "height": 91})
    assert fault in verify(write(tmp_path / "x.jsonl", lines), URL)[1]
