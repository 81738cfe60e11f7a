"""Caps over all assets together, by the chain's day, in the register that never forgets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmm.adapters.signers.guard import CLOCK_SLACK_S, check_quote, check_settlement
from dmm.adapters.signers.numeraire import Numeraire, Rate
from dmm.adapters.signers.outflow import outflows
from dmm.adapters.signers.policy import Cap, SignerPolicy, format_policy, read_policy
from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.spending import DAY_S
from dmm.adapters.signers.wire import request_from_json, request_to_json
from dmm.ports import SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, ServiceFault

NOON_S = 20_000 * DAY_S + DAY_S // 2
MAKER, TAKER, PAYEE, OTHER = (f"0x{at:040X}" for at in (0xAA1, 0xAA2, 0xAA3, 0xAA4))
NUMERAIRE = Numeraire(
    name="cent",
    each_max=1_000,
    day_max=2_500,
    recipient_day_max=1_600,
    # 7 atoms of DCT count for 3 cents, one of BTC for 11.
    rates={"DCT": Rate(atoms=7, worth=3), "BTC": Rate(atoms=1, worth=11)},
)
WIDE = Cap(each_atoms=10**9, day_atoms=10**9)
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker=MAKER,
    contracts={"settlement": OTHER, "treasury": OTHER},
    caps={"DCT": WIDE, "BTC": WIDE, "USDT": WIDE},
    unit_fee_max=200,
    gas_max=400_000,
    ttl_s_max=60,
    settle_s_max=600,
    numeraire=NUMERAIRE,
)


def quote(nonce: int, **change: Any) -> FirmQuote:
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": OTHER,
        "maker": MAKER,
        "signer": MAKER,
        "taker": TAKER,
        "maker_asset": "BTC",
        "taker_asset": "DCT",
        "maker_amount": Atoms(20),
        "taker_amount": Atoms(600),
        "fee_bps": 0,
        "fee_recipient": MAKER,
        "expiry_s": NOON_S + 30,
        "settle_by_s": NOON_S + 300,
        "nonce": nonce,
    }
    return FirmQuote(**(terms | change))


def trade(of: FirmQuote, recipient: str = PAYEE) -> dict[str, Any]:
    return {"quote": of.to_json(), "acceptance": {"recipient": recipient}}


def intent(ordinal: int, **change: Any) -> Intent:
    terms: dict[str, Any] = {
        "kind": IntentKind.REWARD,
        "chain": "evm",
        "contract": "treasury",
        "vault": "treasury",
        "scope": "s",
        "epoch": 0,
        "ordinal": ordinal,
        "asset": "BTC",
        "recipient": PAYEE,
        "amount": Atoms(50),
        "deadline_s": NOON_S + 300,
        "inputs": {},
    }
    return Intent(**(terms | change))


def net(*trades: dict[str, Any], **change: Any) -> Intent:
    terms: dict[str, Any] = {
        "kind": IntentKind.NET,
        "contract": "settlement",
        "scope": f"{MAKER}>{TAKER}",
        "inputs": {"trades": list(trades)},
    }
    return intent(1, **(terms | change))


def fill(of: FirmQuote, maker: str = MAKER) -> Intent:
    return intent(
        of.nonce,
        kind=IntentKind.QUOTE,
        contract="settlement",
        scope=maker,
        amount=of.maker_amount,
        inputs=trade(of),
    )


def request(of: Intent, *, slot: int, chain_time_s: int = 0) -> SignRequest:
    return SignRequest(
        intent=of,
        generation=0,
        bump=0,
        slot=slot,
        unit_fee_max=1,
        unit_tip=0,
        gas_max=1,
        chain_time_s=chain_time_s,
    )


class Signer:
    """A register, asked slot after slot."""

    def __init__(self, path: Path) -> None:
        self.register, self.slot = Register(path), 0

    def sign(
        self,
        of: Intent,
        *,
        now_s: int = NOON_S,
        chain_time_s: int = 0,
        numeraire: Numeraire | None = NUMERAIRE,
        day_atoms_max: int | dict[str, int] = 10**9,
    ) -> None:
        self.slot += 1
        asked = request(of, slot=self.slot, chain_time_s=chain_time_s)
        signed = SignedTx(tx_id="0x", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))
        entry = Entry(
            request=asked,
            key="0xk",
            day_atoms_max=day_atoms_max,
            now_s=now_s,
            flows=outflows(of, canonical=str.lower),
            numeraire=numeraire,
        )
        self.register.sign_once(entry, lambda: signed)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "register.sqlite")


# -- worth -----------------------------------------------------------------------------------------


@given(
    amount=st.integers(0, 2**256),
    more=st.integers(0, 2**256),
    atoms=st.integers(1, 2**80),
    worth=st.integers(1, 2**80),
)
def test_a_worth_is_never_too_low_nor_by_splitting_lower(
    amount: int, more: int, atoms: int, worth: int
) -> None:
    counted = replace(NUMERAIRE, rates={"X": Rate(atoms=atoms, worth=worth)})
    got = counted.worth("X", amount)
    assert (got - 1) * atoms < amount * worth <= got * atoms
    assert counted.worth("X", amount + more) <= got + counted.worth("X", more)


@pytest.mark.parametrize(("amount", "worth"), [(7, 3), (8, 4), (15, 7), (700, 300)])
def test_what_is_left_over_counts_for_one_more(amount: int, worth: int) -> None:
    assert NUMERAIRE.worth("DCT", amount) == worth


def test_an_asset_without_a_rate_is_refused_even_with_a_cap_of_its_own() -> None:
    with pytest.raises(Permanent, match="'USDT' has no rate in cent: it cannot be counted"):
        check_settlement(request(intent(1, asset="USDT"), slot=1), POLICY)


# -- one signature ---------------------------------------------------------------------------------


def test_one_signature_is_bounded_in_the_unit_of_account() -> None:
    check_settlement(request(intent(1, amount=Atoms(90)), slot=1), POLICY)
    with pytest.raises(Permanent, match="count for 1001 cent, more than 1000 in one signature"):
        check_settlement(request(intent(1, amount=Atoms(91)), slot=1), POLICY)


def test_a_batch_counts_every_amount_the_maker_gives_in_it() -> None:
    back = quote(
        8, maker_asset="DCT", taker_asset="BTC", maker_amount=Atoms(700), taker_amount=Atoms(1)
    )
    within = net(trade(quote(7, maker_amount=Atoms(60))), trade(back))
    assert [(flow.asset, flow.amount) for flow in outflows(within)] == [("BTC", 60), ("DCT", 700)]
    check_settlement(request(within, slot=1), POLICY)
    beyond = net(trade(quote(7, maker_amount=Atoms(64))), trade(back))
    with pytest.raises(Permanent, match="count for 1004 cent"):
        check_settlement(request(beyond, slot=1), POLICY)
    narrow = replace(POLICY, caps=POLICY.caps | {"BTC": Cap(each_atoms=39, day_atoms=10**9)})
    with pytest.raises(Permanent, match="40 atoms of BTC are outside"):
        check_settlement(request(net(trade(quote(7)), trade(quote(8))), slot=1), narrow)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"trades": []},
        {"trades": [5]},
        {"trades": [{}]},
        {"trades": [{"quote": {}, "acceptance": {"recipient": PAYEE}}]},
        {"trades": [trade(quote(7)) | {"acceptance": {}}]},
        {"trades": [trade(quote(7)), trade(quote(7))]},
    ],
    ids=str,
)
def test_a_batch_that_cannot_be_counted_is_refused(inputs: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        check_settlement(request(net(inputs=inputs), slot=1), POLICY)


def test_a_firm_quote_may_not_give_away_more_than_its_band() -> None:
    # It takes 600 DCT, 258 cents; 25 BTC are 275, 6.6 % more.
    terms: dict[str, Any] = {"signer": MAKER, "now_s": NOON_S, "canonical": str.lower}
    check_quote(quote(7, maker_amount=Atoms(25)), POLICY, **terms)
    banded = replace(POLICY, numeraire=replace(NUMERAIRE, give_bps_max=600))
    check_quote(quote(7, maker_amount=Atoms(24)), banded, **terms)
    with pytest.raises(Permanent, match="gives 275 cent for 258, more than 600 bps above"):
        check_quote(quote(7, maker_amount=Atoms(25)), banded, **terms)


# -- a day -----------------------------------------------------------------------------------------


def test_a_day_is_bounded_over_all_assets(signer: Signer) -> None:
    wide = replace(NUMERAIRE, recipient_day_max=10**9)
    signer.sign(intent(1, amount=Atoms(100)), numeraire=wide)
    signer.sign(intent(2, asset="DCT", amount=Atoms(3_266)), numeraire=wide)
    with pytest.raises(Permanent, match="2511 cent exceed the day's cap of 2500"):
        signer.sign(intent(3, amount=Atoms(1)), numeraire=wide)
    signer.sign(intent(3, amount=Atoms(1)), numeraire=wide, now_s=NOON_S + DAY_S)


def test_a_recipient_s_day_is_bounded_however_the_address_is_spelt(signer: Signer) -> None:
    signer.sign(intent(1, amount=Atoms(90)))
    for spelling in (PAYEE, PAYEE.lower(), PAYEE.upper().replace("0X", "0x")):
        with pytest.raises(Permanent, match=r"1650 cent to 0x0+aa3 exceed the day's cap of 1600"):
            signer.sign(intent(2, amount=Atoms(60), recipient=spelling))
    signer.sign(intent(2, amount=Atoms(60), recipient=OTHER))


def test_what_was_refused_is_not_counted(signer: Signer) -> None:
    signer.sign(intent(1, amount=Atoms(90)))
    for _ in range(5):
        with pytest.raises(Permanent, match="exceed"):
            signer.sign(intent(2, amount=Atoms(60)))
    signer.sign(intent(3, amount=Atoms(50)))


def test_an_asset_whose_rate_was_taken_out_of_the_policy_stops_the_day(signer: Signer) -> None:
    signer.sign(intent(1, amount=Atoms(2)))
    bare = replace(NUMERAIRE, rates={"DCT": NUMERAIRE.rates["DCT"]})
    with pytest.raises(Permanent, match="'BTC' has no rate"):
        signer.sign(intent(2, asset="DCT", amount=Atoms(1)), numeraire=bare)


def test_caps_by_asset_hold_beside_it(signer: Signer) -> None:
    caps = {"BTC": 70}
    signer.sign(intent(1, amount=Atoms(50)), day_atoms_max=caps)
    with pytest.raises(Permanent, match="21 atoms of BTC exceed the day's cap: 20 are left"):
        signer.sign(intent(2, amount=Atoms(21)), day_atoms_max=caps)
    with pytest.raises(Permanent, match="DCT exceed the day's cap: 0 are left"):
        signer.sign(intent(3, asset="DCT", amount=Atoms(1)), day_atoms_max=caps)


def test_a_quote_counts_once_in_a_batch_and_by_itself(signer: Signer) -> None:
    quotes = [quote(nonce, maker_amount=Atoms(40)) for nonce in (7, 8)]
    signer.sign(net(*(trade(one) for one in quotes)))
    # The net failed, each settles by itself: 880 cents have left, not 1,760.
    for one in quotes:
        signer.sign(fill(one, MAKER.lower()))
    with pytest.raises(Permanent, match="1650 cent"):
        signer.sign(intent(9, amount=Atoms(70)))
    with pytest.raises(Permanent, match="was counted as 40 BTC, now it is 41 BTC"):
        signer.sign(net(trade(quote(7, maker_amount=Atoms(41))), epoch=1))


# -- whose day -------------------------------------------------------------------------------------


def test_the_chain_s_clock_says_which_day_it_is(signer: Signer) -> None:
    midnight_s = (NOON_S // DAY_S + 1) * DAY_S
    just_before = {"now_s": midnight_s + 60, "chain_time_s": midnight_s - 1}
    signer.sign(intent(1, amount=Atoms(90)), **just_before)  # type: ignore[arg-type]
    # By our clock it is tomorrow; the chain still counts today.
    with pytest.raises(Permanent, match="exceed the day's cap"):
        signer.sign(intent(2, amount=Atoms(60)), **just_before)  # type: ignore[arg-type]
    signer.sign(intent(2, amount=Atoms(60)), now_s=midnight_s + 61, chain_time_s=midnight_s)


@settings(max_examples=12, deadline=None)
@given(
    times=st.lists(
        st.tuples(st.integers(-3 * DAY_S, 3 * DAY_S), st.integers(-400 * DAY_S, 400 * DAY_S)),
        min_size=1,
        max_size=12,
    )
)
def test_no_claim_about_time_gives_more_than_the_days_that_passed(
    tmp_path_factory: pytest.TempPathFactory, times: list[tuple[int, int]]
) -> None:
    signer = Signer(tmp_path_factory.mktemp("r") / "register.sqlite")
    signed = 0
    for ordinal, (passed_s, claimed_s) in enumerate(times):
        try:
            signer.sign(
                intent(ordinal, amount=Atoms(90)),
                now_s=NOON_S + passed_s,
                chain_time_s=max(1, NOON_S + claimed_s),
            )
        except Permanent:
            continue
        signed += 1
    # 990 cents each, 1,600 a recipient's day: one a day. The chain may be behind by any time, so
    # days before our first are there to spend, too; none after our last is.
    row = signer.register._db.execute("SELECT max(day), count(*) FROM outflow").fetchone()
    last_day = (NOON_S + max(passed for passed, _ in times) + CLOCK_SLACK_S) // DAY_S
    assert row[0] is None or row[0] <= last_day
    days = signer.register._db.execute("SELECT day FROM outflow ORDER BY rowid").fetchall()
    assert signed == row[1] == len({day for (day,) in days})
    assert days == sorted(days)
    signer.register.close()


def test_the_chain_s_time_travels_and_decides_no_bytes(signer: Signer) -> None:
    asked = request(intent(1), slot=1, chain_time_s=NOON_S)
    assert request_from_json(request_to_json(asked)) == asked
    signer.sign(intent(1), chain_time_s=NOON_S)
    signer.slot = 0
    signer.sign(intent(1), chain_time_s=NOON_S + 5)  # the same slot: the same signature again


# -- policy ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("chain_id", [31_337, -239, 2**255 + 12_345])
@pytest.mark.parametrize("band", [None, 0, 250])
def test_a_policy_with_caps_over_all_reads_back(
    tmp_path: Path, chain_id: int, band: int | None
) -> None:
    path = tmp_path / "policy.toml"
    policy = replace(
        POLICY, chain_id=chain_id, numeraire=replace(NUMERAIRE, give_bps_max=band, day_max=2**99)
    )
    path.write_text(format_policy(policy), encoding="utf-8")
    assert read_policy(path) == policy


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('worth = "3"', 'worth = "0"'),
        ('atoms = "7"', 'atoms = "0"'),
        ('worth = "3"', 'worth = "-3"'),
        ('worth = "3"', "worth = 3.5"),
        ('day_max = "2500"', ""),
        ('day_max = "2500"', 'day_max = "-1"'),
        ('name = "cent"', 'name = "cent"\nno_limit = true'),
    ],
)
def test_a_policy_whose_caps_over_all_are_wrong_is_refused(
    tmp_path: Path, old: str, new: str
) -> None:
    text = format_policy(POLICY)
    assert old in text
    path = tmp_path / "policy.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ServiceFault, match="signer policy"):
        read_policy(path)
