"""What every chain's contracts do alike; the names of refusals are those of interface.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dmm.treasury.buyback import net_out
from dmm.units.amount import Atoms
from tests.contracts.conformance.under_test import ContractUnderTest, Holdings

ROOT = Path(__file__).resolve().parents[3]
INTERFACE = tomllib.loads((ROOT / "contracts" / "interface.toml").read_text(encoding="utf-8"))
CAP_DCT = 1_000_000 * 10**9
"""What the DEMO treasury may pay out of one token in a day."""


def change(before: Holdings, after: Holdings) -> dict[tuple[str, str], int]:
    return {key: after[key] - before[key] for key in before if after[key] != before[key]}


def refused(contract: ContractUnderTest, name: str | None, found: str | None) -> None:
    """Require a refusal by the name every chain gives it."""
    assert found == name, f"{contract.chain}: {found}"
    assert name in INTERFACE["errors"]


def test_a_reward_is_paid_once_and_its_key_used(contract: ContractUnderTest) -> None:
    intent, before = contract.reward(), contract.holdings()
    assert contract.settle(intent) is None
    moved = {("treasury", "DCT"): -intent.amount, ("lp-0", "DCT"): intent.amount}
    assert change(before, contract.holdings()) == moved
    assert contract.is_paid(intent)


def test_a_reward_is_not_paid_again_under_its_key(contract: ContractUnderTest) -> None:
    intent = contract.reward()
    assert contract.settle(intent) is None
    before = contract.holdings()
    refused(contract, "KeyUsed", contract.settle(intent))
    assert contract.holdings() == before


def test_a_reward_is_not_paid_after_its_deadline(contract: ContractUnderTest) -> None:
    before, intent = contract.holdings(), contract.reward(deadline_s=contract.now_s() - 1)
    refused(contract, "DeadlinePassed", contract.settle(intent))
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_nothing_is_paid_beyond_the_day_s_cap(contract: ContractUnderTest) -> None:
    before, intent = contract.holdings(), contract.reward(amount=Atoms(CAP_DCT + 1))
    refused(contract, "CapExceeded", contract.settle(intent))
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_the_treasury_pays_for_its_operator_alone(contract: ContractUnderTest) -> None:
    before, taker = contract.holdings(), contract.actors.takers[0]
    refused(contract, "NotOperator", contract.settle(contract.reward(), by=taker))
    assert contract.holdings() == before


def test_a_fill_moves_both_legs_and_nothing_else(contract: ContractUnderTest) -> None:
    quote = contract.quote()
    before, supply = contract.holdings(), contract.supply("BTC")
    intent = contract.accepted(quote)
    assert contract.settle(intent) is None
    assert change(before, contract.holdings()) == {
        ("desk", "BTC"): -quote.maker_amount,
        ("taker-0", "BTC"): quote.maker_amount,
        ("taker-0", "USDT"): -quote.taker_amount,
        ("desk", "USDT"): quote.taker_amount,
    }
    assert contract.supply("BTC") == supply
    assert contract.is_paid(intent)


def test_a_fee_comes_out_of_the_maker_s_leg_rounded_up(contract: ContractUnderTest) -> None:
    provider = contract.actors.providers[0].address
    contract.open_account(provider, "BTC")
    quote = contract.quote(fee_bps=7, fee_recipient=provider)
    before = contract.holdings()
    assert contract.settle(contract.accepted(quote)) is None
    output = net_out(maker_amount=quote.maker_amount, fee_bps=7)
    assert change(before, contract.holdings()) == {
        ("desk", "BTC"): -quote.maker_amount,
        ("taker-0", "BTC"): output,
        ("lp-0", "BTC"): quote.maker_amount - output,
        ("taker-0", "USDT"): -quote.taker_amount,
        ("desk", "USDT"): quote.taker_amount,
    }


def test_a_part_of_a_quote_gets_its_share_rounded_down(contract: ContractUnderTest) -> None:
    quote, part = contract.quote(min_fill=Atoms(1_003)), 77_000_000_011
    before = contract.holdings()
    assert contract.settle(contract.accepted(quote, amount=part)) is None
    given = quote.maker_amount * part // quote.taker_amount
    assert given * quote.taker_amount < quote.maker_amount * part
    assert change(before, contract.holdings()) == {
        ("desk", "BTC"): -given,
        ("taker-0", "BTC"): given,
        ("taker-0", "USDT"): -part,
        ("desk", "USDT"): part,
    }


@pytest.mark.parametrize("amount", [1_002, 150_000_000_008])
def test_outside_its_least_and_its_whole_a_quote_is_refused(
    contract: ContractUnderTest, amount: int
) -> None:
    before, quote = contract.holdings(), contract.quote(min_fill=Atoms(1_003))
    refused(contract, "WrongAmount", contract.settle(contract.accepted(quote, amount=amount)))
    assert contract.holdings() == before


def test_a_quote_is_settled_once(contract: ContractUnderTest) -> None:
    intent = contract.accepted(contract.quote())
    assert contract.settle(intent) is None
    before = contract.holdings()
    refused(contract, "NonceUsed", contract.settle(intent))
    assert contract.holdings() == before


def test_another_quote_under_a_used_nonce_is_refused(contract: ContractUnderTest) -> None:
    quote = contract.quote()
    assert contract.settle(contract.accepted(quote)) is None
    other = contract.quote(nonce=quote.nonce, maker_amount=Atoms(1))
    refused(contract, "NonceUsed", contract.settle(contract.accepted(other)))


def test_a_quote_is_not_settled_after_its_time(contract: ContractUnderTest) -> None:
    late = contract.now_s() - 1
    before, quote = contract.holdings(), contract.quote(expiry_s=late, settle_by_s=late)
    intent = contract.accepted(quote)
    refused(contract, "QuoteExpired", contract.settle(intent))
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_a_quote_that_runs_too_long_is_refused(contract: ContractUnderTest) -> None:
    far = contract.now_s() + 3 * 86_400
    intent = contract.accepted(contract.quote(settle_by_s=far))
    refused(contract, "LifetimeTooLong", contract.settle(intent))


def test_a_quote_of_a_key_the_maker_never_delegated_to_is_refused(
    contract: ContractUnderTest,
) -> None:
    before, stranger = contract.holdings(), contract.actors.takers[1]
    quote = contract.quote(signer=stranger.address)
    intent = contract.accepted(quote, maker_key=stranger)
    refused(contract, "SignerNotAllowed", contract.settle(intent))
    assert contract.holdings() == before


@pytest.mark.parametrize("side", ["maker_key", "taker_key"])
def test_a_forged_signature_is_refused(contract: ContractUnderTest, side: str) -> None:
    before, forger = contract.holdings(), contract.actors.takers[1]
    intent = contract.accepted(contract.quote(), **{side: forger})
    # On Solana the runtime's own check of signatures comes before the program.
    assert contract.settle(intent) is not None
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_a_cancelled_nonce_is_never_settled_and_never_counts_as_paid(
    contract: ContractUnderTest,
) -> None:
    intent = contract.accepted(contract.quote())
    contract.cancel(intent.ordinal)
    before = contract.holdings()
    refused(contract, "NonceUsed", contract.settle(intent))
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_a_buyback_pays_the_maker_and_burns_what_it_bought(contract: ContractUnderTest) -> None:
    intent = contract.buyback()
    bought = int(intent.inputs["min_out"])  # type: ignore[call-overload]
    before, supply = contract.holdings(), contract.supply("DCT")
    assert contract.settle(intent) is None
    assert change(before, contract.holdings()) == {
        ("treasury", "USDT"): -intent.amount,
        ("market-maker", "USDT"): intent.amount,
        ("market-maker", "DCT"): -bought,
    }
    assert contract.supply("DCT") == supply - bought
    assert contract.is_paid(intent)


def test_a_buyback_can_keep_what_it_bought(contract: ContractUnderTest) -> None:
    intent = contract.buyback(burn=False)
    before, supply = contract.holdings(), contract.supply("DCT")
    assert contract.settle(intent) is None
    bought = int(intent.inputs["min_out"])  # type: ignore[call-overload]
    assert change(before, contract.holdings())["treasury", "DCT"] == bought
    assert contract.supply("DCT") == supply


def test_a_buyback_that_brings_too_little_is_refused(contract: ContractUnderTest) -> None:
    before, intent = contract.holdings(), contract.buyback(min_out=999_000_000_008)
    refused(contract, "OutputTooLow", contract.settle(intent))
    assert contract.holdings() == before
    assert not contract.is_paid(intent)


def test_a_token_the_authority_has_not_allowed_is_not_bought(contract: ContractUnderTest) -> None:
    before, intent = contract.holdings(), contract.buyback(bought_asset="BTC")
    refused(contract, "NotBuyable", contract.settle(intent))
    assert contract.holdings() == before


def test_a_buyback_happens_once(contract: ContractUnderTest) -> None:
    intent = contract.buyback()
    assert contract.settle(intent) is None
    refused(contract, "KeyUsed", contract.settle(intent))
