"""A maker's own account: keys, pause, nonces, vaults; and who may do what."""

from __future__ import annotations

from typing import Any

import pytest
from solders.keypair import Keypair
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms as signing


def other_key(number: int) -> Pubkey:
    return Keypair.from_seed(bytes([number]) * 32).pubkey()


def paused(world: Any, who: Keypair, value: bool) -> Any:
    accounts = {"authority": who.pubkey(), "maker": world.maker}
    return world.call("set_maker_paused", accounts, paused=value)


def cancel(world: Any, who: Keypair, mask: int, **change: Pubkey) -> Any:
    accounts = {"authority": who.pubkey(), "maker": world.maker, "page": world.page()}
    return world.call("cancel_nonces", accounts | change, mask=mask.to_bytes(32, "little"))


def move(world: Any, name: str, who: Keypair, amount: int, **change: Pubkey) -> Any:
    accounts = {
        "authority": who.pubkey(),
        "maker": world.maker,
        "vault": world.vault(world.maker, world.cash),
        "mint": world.cash,
    }
    other = "source" if name == "deposit" else "destination"
    accounts[other] = world.vault(world.taker.pubkey(), world.cash)
    return world.call(name, accounts | change, amount=amount)


def test_a_maker_is_made_once_and_only_by_its_authority(bare: Any) -> None:
    wrong = bare.call(
        "init_maker",
        {
            "payer": bare.payer.pubkey(),
            "authority": bare.stranger.pubkey(),
            "maker": bare.maker,
        },
        network=b"\x01" * 32,
        guardian=bare.guardian.pubkey(),
        lifetime_s_max=60,
    )
    assert bare.refusal([wrong], bare.payer, bare.stranger) == "WrongAccount"
    assert bare.refusal([bare.init_maker(network=bytes(32))], bare.payer, bare.authority) == (
        "WrongNetwork"
    )
    bare.done([bare.init_maker()], bare.payer, bare.authority)
    again = bare.init_maker(lifetime_s_max=1)
    assert bare.refusal([again], bare.payer, bare.authority) == "AccountInUse"


def test_nobody_makes_a_maker_in_another_s_name(bare: Any) -> None:
    call = bare.init_maker()
    metas = [
        type(meta)(meta.pubkey, i == 0, meta.is_writable) for i, meta in enumerate(call.accounts)
    ]
    unsigned = type(call)(call.program_id, bytes(call.data), metas)
    assert bare.refusal([unsigned], bare.payer) == "NotAuthority"


def test_a_page_is_made_once_for_a_maker_that_exists(world: Any) -> None:
    assert world.refusal([world.init_page(0)], world.payer) == "AccountInUse"
    stranger = signing.page_address(world.program, world.stranger.pubkey(), 0)
    call = world.init_page(0, maker=world.stranger.pubkey(), page=stranger)
    assert world.refusal([call], world.payer) == "WrongAccount"
    elsewhere = world.init_page(2, page=world.page(256))
    assert world.refusal([elsewhere], world.payer) == "WrongAccount"


def test_a_maker_delegates_to_four_keys_at_most(world: Any) -> None:
    for number in range(1, 4):
        world.done([world.set_signer(other_key(number), allowed=True)], world.authority)
    fifth = world.set_signer(other_key(4), allowed=True)
    assert world.refusal([fifth], world.authority) == "SignersFull"
    # Naming a delegate again takes no place.
    world.done([world.set_signer(other_key(1), allowed=True)], world.authority)
    world.done([world.set_signer(other_key(1), allowed=False)], world.authority)
    world.done([fifth], world.authority)


def test_only_the_authority_delegates_and_the_guardian_may_only_revoke(world: Any) -> None:
    new, present = other_key(1), world.signer.pubkey()
    for who in (world.guardian, world.stranger, world.taker):
        call = world.set_signer(new, allowed=True, by=who)
        assert world.refusal([call], who) == "NotAuthority"
    call = world.set_signer(present, allowed=False, by=world.stranger)
    assert world.refusal([call], world.stranger) == "NotAuthority"
    revoke = world.set_signer(present, allowed=False, by=world.guardian)
    outcome = world.done([revoke], world.guardian)
    assert outcome.event.fields == {"maker": world.maker, "signer": present, "allowed": False}
    assert world.refusal([revoke], world.guardian) == "SignerNotAllowed"


def test_the_zero_key_is_no_delegate(world: Any) -> None:
    zero = Pubkey.default()
    for allowed in (True, False):
        call = world.set_signer(zero, allowed=allowed)
        assert world.refusal([call], world.authority) == "ZeroAddress"


def test_the_guardian_pauses_and_only_the_authority_lets_go_on(world: Any) -> None:
    assert world.refusal([paused(world, world.stranger, True)], world.stranger) == "NotAuthority"
    world.done([paused(world, world.guardian, True)], world.guardian)
    assert world.refusal(world.settle(world.terms()), world.taker) == "Paused"
    assert world.refusal([paused(world, world.guardian, False)], world.guardian) == "NotAuthority"
    world.done([paused(world, world.authority, False)], world.authority)
    world.done(world.settle(world.terms()), world.taker)


def test_a_boolean_is_zero_or_one(world: Any) -> None:
    call = paused(world, world.authority, True)
    odd = type(call)(call.program_id, bytes(call.data)[:-1] + b"\x02", call.accounts)
    assert world.refusal([odd], world.authority) == "WrongInstruction"


def test_a_cancelled_nonce_is_told_from_a_settled_one(world: Any) -> None:
    world.done(world.settle(world.terms()), world.taker)
    outcome = world.done([cancel(world, world.authority, (1 << 7) | (1 << 8))], world.authority)
    assert outcome.event.fields["mask"] == (1 << 8).to_bytes(32, "little")
    page = world.state("NoncePage", world.page())
    assert int.from_bytes(page["used"], "little") == (1 << 7) | (1 << 8)
    assert int.from_bytes(page["cancelled"], "little") == 1 << 8
    assert world.refusal(world.settle(world.terms(nonce=8)), world.taker) == "NonceUsed"


def test_only_authority_and_guardian_cancel(world: Any) -> None:
    for who in (world.stranger, world.taker):
        assert world.refusal([cancel(world, who, 1)], who) == "NotAuthority"
    world.done([cancel(world, world.guardian, 1)], world.guardian)


def test_a_maker_cannot_cancel_another_s_nonces(world: Any) -> None:
    other = signing.maker_address(world.program, world.stranger.pubkey())
    make = world.call(
        "init_maker",
        {"payer": world.payer.pubkey(), "authority": world.stranger.pubkey(), "maker": other},
        network=b"\x01" * 32,
        guardian=world.stranger.pubkey(),
        lifetime_s_max=60,
    )
    world.done([make], world.payer, world.stranger)
    call = cancel(world, world.stranger, 1, maker=other)
    assert world.refusal([call], world.stranger) == "WrongAccount"


def test_anyone_tops_up_and_only_the_authority_takes_out(world: Any) -> None:
    vault = world.vault(world.maker, world.cash)
    start = world.balance(vault)
    world.done([move(world, "deposit", world.taker, 500)], world.taker)
    assert world.balance(vault) == start + 500
    for who in (world.guardian, world.stranger, world.taker, world.signer):
        call = move(world, "withdraw", who, 1)
        assert world.refusal([call], world.payer, who) == "NotAuthority"
    world.done([move(world, "withdraw", world.authority, 499)], world.authority)
    assert world.balance(vault) == start + 1


@pytest.mark.parametrize("name", ["deposit", "withdraw"])
def test_a_vault_is_the_maker_s_own_account(world: Any, name: str) -> None:
    who = world.taker if name == "deposit" else world.authority
    assert world.refusal([move(world, name, who, 0)], world.payer, who) == "ZeroAmount"
    other = world.hold(world.stranger.pubkey(), world.cash, 10)
    call = move(world, name, who, 1, vault=other)
    assert world.refusal([call], world.payer, who) == "WrongTokenAccount"
    end = "source" if name == "deposit" else "destination"
    call = move(world, name, who, 1, **{end: world.vault(world.maker, world.cash)})
    assert world.refusal([call], world.payer, who) == "DuplicateAccount"


def test_nothing_closes_a_maker_or_a_page_and_making_them_again_is_refused(world: Any) -> None:
    """Lamports leave an account of ours only by this program, and it has no such instruction."""
    assert not [name for name in world.abi.instructions if "close" in name]
    world.done(world.settle(world.terms()), world.taker)
    assert world.refusal([world.init_page(0)], world.payer) == "AccountInUse"
    assert world.refusal(world.settle(world.terms()), world.taker) == "NonceUsed"
