from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from dmm.adapters.reports.html import write_report
from dmm.adapters.reports.session import EpochResult, Series, SessionResult, Settled
from dmm.adapters.reports.table import print_session
from dmm.units.errors import ServiceFault


def session(**changes: object) -> SessionResult:
    result = SessionResult(
        run_id="ab" * 32,
        symbol="BTCUSDT",
        venue="binance-usdm",
        cash_asset="USDT",
        tape=("tape & <one>.gz",),
        is_simulated=False,
        events=93_954,
        quotes=690,
        fills=2,
        epochs=(
            EpochResult(
                epoch=0,
                flow_runs={"hedge_batch": "Completed"},
                rows={"hedge_order": 0},
                notes={"hedge_batch": "position 3 lots is below the threshold of 10"},
                quotes=690,
                fills=2,
                position_lots=3,
                pnl="-0.000089",
                seconds=1.25,
            ),
        ),
        planned=3,
        final=3,
        failed=0,
        settled=(
            Settled(
                chain="evm",
                kind="reward",
                asset="DCT",
                amount="12.5",
                recipient="0x" + "22" * 20,
                tx_id="0x" + "33" * 32,
                height=41,
            ),
        ),
        chain_counts={"evm": {"planned": 3, "final": 3, "failed": 0, "by_kind": {"reward": 3}}},
        difference_atoms=0,
        checked_at_block={"evm": 44},
        pnl_quote="-0.000089",
        rewards_paid="12.5 DCT",
        buyback_paid="1.1 USDT",
        spread_captured="1.234567",
        position="3 lots",
        report="report.html",
        seconds=31.4159,
        series=Series(
            seconds=(0.0, 1.0, 2.0),
            mid=(61_800.25, 61_801.5, 61_799.0),
            inventory=(0.0, 2.0, 3.0),
            equity=(0.0, 0.5, -0.25),
            fill_seconds=(1.0, 2.0),
            fill_price=(61_800.0, 61_798.5),
            fill_is_buy=(True, False),
        ),
    )
    return replace(result, **changes)  # type: ignore[arg-type]


def test_a_report_that_cannot_be_written_is_a_fault_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "reports").touch()
    with pytest.raises(ServiceFault, match="cannot be written"):
        write_report(session(), tmp_path / "reports" / "session.html")


def test_the_report_asks_nothing_of_the_network_and_escapes_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "session.html"
    write_report(session(), path)
    text = path.read_text(encoding="utf-8")
    fetched = re.findall(r"""(?:src|href)=["']?(?!#)[^"'\s>]+|@import|url\((?!#)""", text)
    assert [item for item in fetched if not item.startswith('xlink:href="#')] == []
    assert "<script" not in text
    assert "tape &amp; &lt;one&gt;.gz" in text
    assert "DEMO" in text


def test_the_same_session_gives_the_same_report_byte_for_byte(tmp_path: Path) -> None:
    write_report(session(), tmp_path / "one.html")
    write_report(session(), tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_session_without_fills_or_settlements_still_reports(tmp_path: Path) -> None:
    empty = session(fills=0, settled=(), epochs=(), series=Series())
    write_report(empty, tmp_path / "empty.html")
    assert "Nothing was settled" in (tmp_path / "empty.html").read_text(encoding="utf-8")


def test_the_table_says_when_the_audit_found_a_difference() -> None:
    out = StringIO()
    print_session(session(difference_atoms=7), Console(file=out, width=140, color_system=None))
    assert "unexplained difference 7 atoms" in out.getvalue()


def test_the_json_lists_each_settlement_under_its_chain() -> None:
    body = session().to_json()
    assert body["chains"] == {
        "evm": {
            "planned": 3,
            "final": 3,
            "failed": 0,
            "by_kind": {"reward": 3},
            "transactions": ["0x" + "33" * 32],
        }
    }
    assert body["audit"] == {"difference": 0, "checked_at_block": {"evm": 44}}


def test_a_transaction_that_settled_twice_is_listed_once_and_an_unknown_one_not_at_all() -> None:
    one = session().settled[0]
    twice = session(settled=(one, replace(one, amount="7"), replace(one, tx_id="")))
    assert twice.transactions("evm") == [one.tx_id]
    assert twice.transactions("ton") == []


def test_table_and_report_show_every_chain(tmp_path: Path) -> None:
    counts = {
        "evm": {"settlements": 31, "rewards": 12, "buybacks": 7, "quotes": 11, "audited": 3},
        "ton": {"settlements": 29, "difference": 13, "checked_at_block": 4_711},
    }
    result = session(chain_counts=counts)
    out = StringIO()
    print_session(result, Console(file=out, width=140, color_system=None))
    write_report(result, tmp_path / "chains.html")
    for text in (out.getvalue(), (tmp_path / "chains.html").read_text(encoding="utf-8")):
        assert "checked at block" in text
        assert re.search(r"evm\b.*31.*12.*7.*11.*3.*ton\b.*29.*13.*4711", text, re.DOTALL)


@pytest.mark.parametrize(
    ("changes", "sound"),
    [({}, True), ({"difference_atoms": 1}, False), ({"final": 2}, False), ({"failed": 1}, False)],
)
def test_a_session_is_sound_only_when_all_is_settled_and_nothing_is_unexplained(
    changes: dict[str, object], sound: bool
) -> None:
    assert session(**changes).is_sound is sound
