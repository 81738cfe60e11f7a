"""Accounts that are not what they claim: substituted, spoofed, doubled, of foreign programs."""

from __future__ import annotations

from typing import Any

import pytest
from solders.account import Account
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer

from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.abi import discriminator

SYSTEM = Pubkey.default()
TOKEN = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")


def refusal(world: Any, **change: Pubkey) -> str:
    name: str = world.refusal(world.settle(world.terms(), **change), world.taker)
    return name


@pytest.mark.parametrize(
    "name",
    ["taker_source", "maker_destination", "maker_source", "recipient", "taker_mint", "maker_mint"],
)
def test_no_account_can_be_left_to_an_empty_address(world: Any, name: str) -> None:
    assert refusal(world, **{name: Pubkey(b"\x99" * 32)}) != ""


def test_the_maker_s_leg_goes_nowhere_but_to_the_maker(world: Any) -> None:
    own = world.hold(world.stranger.pubkey(), world.cash, 0)
    assert refusal(world, maker_destination=own) == "WrongTokenAccount"


def test_the_maker_s_asset_comes_from_nobody_but_the_maker(world: Any) -> None:
    # The victim once made the maker its delegate; the quote does not speak of the victim.
    victim = world.hold(world.stranger.pubkey(), world.base, 10**12, delegate=world.maker)
    assert refusal(world, maker_source=victim) == "WrongTokenAccount"


def test_the_fee_goes_to_the_account_that_was_signed(world: Any) -> None:
    own = world.hold(world.taker.pubkey(), world.base, 0)
    assert refusal(world, fee_account=own) == "WrongSignature"


def test_the_taker_chooses_who_receives(world: Any) -> None:
    friend = world.hold(world.stranger.pubkey(), world.base, 0)
    world.done(world.settle(world.terms(), recipient=friend), world.taker)
    assert world.balance(friend) == 30_000_007 - 15_001


def test_another_owner_s_money_is_not_the_taker_s(world: Any) -> None:
    other = world.hold(world.stranger.pubkey(), world.cash, 10**15)
    assert refusal(world, taker_source=other) == "Custom 4"


@pytest.mark.parametrize("leg", ["taker", "maker"])
def test_a_wrong_mint_is_refused(world: Any, leg: str) -> None:
    other = world.mint("other", 6)
    assert refusal(world, **{f"{leg}_mint": other}) == "WrongMint"


def test_accounts_of_another_mint_are_refused(world: Any) -> None:
    other = world.mint("other", 6)
    vault = world.hold(world.maker, other, 10**15)
    mine = world.hold(world.taker.pubkey(), other, 10**15)
    assert refusal(world, maker_source=vault) == "WrongMint"
    assert refusal(world, maker_destination=vault) == "WrongMint"
    assert refusal(world, taker_source=mine) == "Custom 3"
    assert refusal(world, recipient=mine) == "Custom 3"


def test_one_mint_on_both_sides_is_refused(world: Any) -> None:
    terms = world.terms(taker_mint=world.base)
    assert world.refusal(world.settle(terms), world.taker) == "SameToken"


def test_one_account_on_both_ends_of_a_leg_is_refused(world: Any) -> None:
    vault = world.vault(world.maker, world.base)
    assert refusal(world, recipient=vault) == "DuplicateAccount"
    cash = world.vault(world.maker, world.cash)
    assert refusal(world, taker_source=cash) == "DuplicateAccount"
    terms = world.terms(fee_account=vault)
    assert world.refusal(world.settle(terms), world.taker) == "DuplicateAccount"
    # Without a fee the account is named and not used.
    world.done(world.settle(world.terms(fee_account=vault, fee_bps=0)), world.taker)


@pytest.mark.parametrize("program", ["idle", "multisig", "program"])
def test_a_foreign_token_program_is_refused(world: Any, program: str) -> None:
    fake = getattr(world, program)
    assert refusal(world, taker_token_program=fake) == "WrongTokenProgram"
    assert refusal(world, maker_token_program=fake) == "WrongTokenProgram"


def test_token_accounts_that_another_program_wrote_are_refused(world: Any) -> None:
    address = world.vault(world.maker, world.base)
    data = bytes(world.svm.get_account(address).data)
    world.put(address, data, world.multisig)
    assert refusal(world) == "WrongTokenAccount"


def test_a_mint_that_another_program_wrote_is_refused(world: Any) -> None:
    data = bytes(world.svm.get_account(world.base).data)
    world.put(world.base, data, world.multisig)
    assert refusal(world) == "WrongMint"


def test_a_mint_in_the_place_of_a_token_account_is_refused(world: Any) -> None:
    assert refusal(world, maker_source=world.base) == "WrongTokenAccount"


@pytest.mark.parametrize("state", [0, 2])
def test_uninitialised_and_frozen_vaults_move_nothing(world: Any, state: int) -> None:
    world.hold(world.maker, world.base, 10**15, state=state)
    assert refusal(world) in ("Custom 17", "UninitializedAccount")


def test_a_closed_vault_moves_nothing(world: Any) -> None:
    world.svm.set_account(world.vault(world.maker, world.base), Account(0, b"", SYSTEM))
    assert refusal(world) == "WrongTokenAccount"


def test_a_maker_that_another_program_wrote_is_refused(world: Any) -> None:
    data = bytes(world.svm.get_account(world.maker).data)
    fake = world.put(Pubkey(b"\x51" * 32), data, world.multisig)
    for mint in (world.base, world.cash):
        world.hold(fake, mint, 10**15)
    change = {
        "maker": fake,
        "maker_destination": world.vault(fake, world.cash),
        "maker_source": world.vault(fake, world.base),
    }
    assert refusal(world, **change) == "WrongAccount"


def test_an_account_of_our_own_that_says_it_is_another_kind_is_refused(world: Any) -> None:
    data = bytes(world.svm.get_account(world.maker).data)
    other = discriminator("account", "NoncePage")
    world.put(world.maker, other + data[8:], world.program)
    assert refusal(world) == "WrongAccount"
    world.put(world.maker, data, world.program)
    world.done(world.settle(world.terms()), world.taker)


def test_a_page_in_the_place_of_a_maker_is_refused(world: Any) -> None:
    page = world.page()
    for mint in (world.base, world.cash):
        world.hold(page, mint, 10**15)
    change = {
        "maker": page,
        "maker_destination": world.vault(page, world.cash),
        "maker_source": world.vault(page, world.base),
    }
    assert refusal(world, **change) == "WrongAccount"


def test_pages_of_another_word_maker_or_program_are_refused(world: Any) -> None:
    world.done([world.init_page(1)], world.payer)
    assert refusal(world, page=world.page(256)) == "WrongAccount"
    blank = discriminator("account", "NoncePage") + bytes(world.maker) + bytes(8 + 64 + 1)
    fake = world.put(Pubkey(b"\x52" * 32), blank, world.multisig)
    assert refusal(world, page=fake) == "WrongAccount"
    assert refusal(world, page=world.maker) == "WrongAccount"
    assert refusal(world, page=Pubkey(b"\x53" * 32)) == "WrongAccount"


def test_a_page_nobody_has_made_is_refused_and_never_made_on_the_way(world: Any) -> None:
    terms = world.terms(nonce=256)
    assert world.refusal(world.settle(terms), world.taker) == "WrongAccount"


def test_pages_of_another_maker_are_refused(world: Any) -> None:
    other = signing.maker_address(world.program, world.stranger.pubkey())
    make = world.call(
        "init_maker",
        {"payer": world.payer.pubkey(), "authority": world.stranger.pubkey(), "maker": other},
        network=bytes([1]) * 32,
        guardian=world.stranger.pubkey(),
        lifetime_s_max=60,
    )
    page = signing.page_address(world.program, other, 0)
    world.done([make, world.init_page(0, maker=other, page=page)], world.payer, world.stranger)
    assert refusal(world, page=page) == "WrongAccount"


def test_lamports_sent_ahead_do_not_stop_a_page(world: Any) -> None:
    page = world.page(256)
    for lamports in (1_000_000, 10**9):
        gift = TransferParams(from_pubkey=world.payer.pubkey(), to_pubkey=page, lamports=lamports)
        world.done([transfer(gift)], world.payer)
    world.done([world.init_page(1)], world.payer)
    world.done(world.settle(world.terms(nonce=256)), world.taker)
