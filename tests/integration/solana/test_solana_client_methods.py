"""solana-py's own client, method by method, against the local node; none is left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from solana.rpc.api import Client
from solana.rpc.commitment import Confirmed, Finalized, Processed
from solana.rpc.core import RPCException
from solana.rpc.types import MemcmpOpts, TokenAccountOpts, TxOpts
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.signature import Signature
from solders.system_program import (
    CreateAccountParams,
    TransferParams,
    create_account,
    transfer,
)
from solders.transaction import Transaction, VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    InitializeMintParams,
    MintToParams,
    create_associated_token_account,
    get_associated_token_address,
    initialize_mint,
    mint_to,
)

from dmm.sandbox.solana.node import SolanaNode
from tests.integration.solana.conftest import key

SYSTEM = Pubkey.default()
MINT_BYTES = 82


@dataclass
class Scene:
    """A client and what happened on its chain."""

    node: SolanaNode
    client: Client
    payer: Keypair
    other: Pubkey
    mint: Pubkey
    vault: Pubkey
    sent: Signature
    slot: int

    def signed(self, *instructions: Any, extra: tuple[Keypair, ...] = ()) -> VersionedTransaction:
        blockhash = self.client.get_latest_blockhash(Processed).value.blockhash
        message = MessageV0.try_compile(self.payer.pubkey(), list(instructions), [], blockhash)
        return VersionedTransaction(message, [self.payer, *extra])

    def pay(self, lamports: int) -> VersionedTransaction:
        return self.signed(
            transfer(
                TransferParams(
                    from_pubkey=self.payer.pubkey(), to_pubkey=self.other, lamports=lamports
                )
            )
        )


@pytest.fixture(scope="module")
def scene(node: SolanaNode) -> Scene:
    client = Client(node.url, Processed)
    payer, mint = key("payer"), key("mint")
    client.request_airdrop(payer.pubkey(), 10**12)
    vault = get_associated_token_address(payer.pubkey(), mint.pubkey())
    none = Signature.default()
    made = Scene(node, client, payer, key("other").pubkey(), mint.pubkey(), vault, none, 0)
    rent = client.get_minimum_balance_for_rent_exemption(MINT_BYTES).value
    setup = made.signed(
        create_account(
            CreateAccountParams(
                from_pubkey=payer.pubkey(),
                to_pubkey=mint.pubkey(),
                lamports=rent,
                space=MINT_BYTES,
                owner=TOKEN_PROGRAM_ID,
            )
        ),
        initialize_mint(
            InitializeMintParams(
                decimals=6,
                program_id=TOKEN_PROGRAM_ID,
                mint=mint.pubkey(),
                mint_authority=payer.pubkey(),
            )
        ),
        create_associated_token_account(payer.pubkey(), payer.pubkey(), mint.pubkey()),
        mint_to(
            MintToParams(
                program_id=TOKEN_PROGRAM_ID,
                mint=mint.pubkey(),
                dest=vault,
                mint_authority=payer.pubkey(),
                amount=1_234_567,
            )
        ),
        extra=(mint,),
    )
    client.send_transaction(setup, TxOpts(preflight_commitment=Processed))
    made.sent = client.send_transaction(made.pay(1_000_000), TxOpts(skip_preflight=True)).value
    made.slot = client.get_slot(Processed).value
    node.call("dmm_advance", 40)
    return made


def legacy(scene: Scene) -> Any:
    blockhash = scene.client.get_latest_blockhash(Processed).value.blockhash
    pay = TransferParams(
        from_pubkey=scene.payer.pubkey(), to_pubkey=scene.other, lamports=2_000_000
    )
    return Transaction.new_signed_with_payer(
        [transfer(pay)], scene.payer.pubkey(), [scene.payer], blockhash
    )


Check = Callable[[Scene], bool]
MINE = TokenAccountOpts
CHECKS: dict[str, Check] = {
    "is_connected": lambda s: s.client.is_connected(),
    "get_balance": lambda s: s.client.get_balance(s.other, Finalized).value == 1_000_000,
    "get_account_info": lambda s: (
        s.client.get_account_info(s.mint, Confirmed).value.owner == TOKEN_PROGRAM_ID
    ),
    "get_account_info_json_parsed": lambda s: (
        s.client.get_account_info_json_parsed(s.vault).value.data.parsed["info"]["owner"]
        == str(s.payer.pubkey())
    ),
    "get_multiple_accounts": lambda s: (
        [
            one is not None
            for one in s.client.get_multiple_accounts([s.mint, Pubkey(b"\7" * 32)]).value
        ]
        == [True, False]
    ),
    "get_multiple_accounts_json_parsed": lambda s: (
        s.client.get_multiple_accounts_json_parsed([s.vault]).value[0].data.program == "spl-token"
    ),
    "get_program_accounts": lambda s: (
        [
            one.pubkey
            for one in s.client.get_program_accounts(
                TOKEN_PROGRAM_ID,
                encoding="base64",
                filters=[165, MemcmpOpts(0, str(s.mint))],
            ).value
        ]
        == [s.vault]
    ),
    "get_program_accounts_json_parsed": lambda s: (
        len(s.client.get_program_accounts_json_parsed(TOKEN_PROGRAM_ID, filters=[165]).value) == 1
    ),
    "get_block_commitment": lambda s: s.client.get_block_commitment(s.slot).value.total_stake == 1,
    "get_block_time": lambda s: s.client.get_block_time(s.slot).value > 1_600_000_000,
    "get_block": lambda s: len(s.client.get_block(s.slot, "base64", 0).value.transactions) == 2,
    "get_blocks": lambda s: (
        s.client.get_blocks(s.slot, s.slot + 2).value == [s.slot, s.slot + 1, s.slot + 2]
    ),
    "get_block_height": lambda s: s.client.get_block_height(Finalized).value >= s.slot,
    "get_cluster_nodes": lambda s: len(s.client.get_cluster_nodes().value) == 1,
    "get_epoch_info": lambda s: s.client.get_epoch_info().value.absolute_slot >= s.slot,
    "get_epoch_schedule": lambda s: s.client.get_epoch_schedule().value.slots_per_epoch == 432_000,
    "get_fee_for_message": lambda s: s.client.get_fee_for_message(s.pay(1).message).value == 5_000,
    "get_first_available_block": lambda s: s.client.get_first_available_block().value == 0,
    "get_genesis_hash": lambda s: len(bytes(s.client.get_genesis_hash().value)) == 32,
    "get_identity": lambda s: s.client.get_identity().value.identity is not None,
    "get_inflation_governor": lambda s: s.client.get_inflation_governor().value.initial == 0,
    "get_inflation_rate": lambda s: s.client.get_inflation_rate().value.total == 0,
    "get_inflation_reward": lambda s: s.client.get_inflation_reward([s.other]).value == [None],
    "get_largest_accounts": lambda s: len(s.client.get_largest_accounts().value) >= 2,
    "get_latest_blockhash": lambda s: (
        s.client.get_latest_blockhash(Finalized).value.last_valid_block_height > s.slot
    ),
    "get_leader_schedule": lambda s: len(s.client.get_leader_schedule().value) == 1,
    "get_minimum_balance_for_rent_exemption": lambda s: (
        s.client.get_minimum_balance_for_rent_exemption(165).value == 2_039_280
    ),
    "get_minimum_ledger_slot": lambda s: s.client.get_minimum_ledger_slot().value == 0,
    "get_recent_performance_samples": lambda s: (
        s.client.get_recent_performance_samples(1).value == []
    ),
    "get_signature_statuses": lambda s: (
        "Finalized" in str(s.client.get_signature_statuses([s.sent]).value[0].confirmation_status)
    ),
    "get_signatures_for_address": lambda s: (
        s.client.get_signatures_for_address(s.other).value[-1].signature == s.sent
    ),
    "get_slot": lambda s: (
        s.client.get_slot(Processed).value - s.client.get_slot(Finalized).value == 32
    ),
    "get_slot_leader": lambda s: s.client.get_slot_leader().value is not None,
    "get_supply": lambda s: s.client.get_supply().value.total > 10**11,
    "get_token_account_balance": lambda s: (
        s.client.get_token_account_balance(s.vault).value.ui_amount_string == "1.234567"
    ),
    "get_token_accounts_by_delegate": lambda s: (
        s.client.get_token_accounts_by_delegate(s.other, MINE(mint=s.mint)).value == []
    ),
    "get_token_accounts_by_delegate_json_parsed": lambda s: (
        s.client.get_token_accounts_by_delegate_json_parsed(s.other, MINE(mint=s.mint)).value == []
    ),
    "get_token_accounts_by_owner": lambda s: (
        s.client.get_token_accounts_by_owner(s.payer.pubkey(), MINE(mint=s.mint)).value[0].pubkey
        == s.vault
    ),
    "get_token_accounts_by_owner_json_parsed": lambda s: (
        len(
            s.client.get_token_accounts_by_owner_json_parsed(
                s.payer.pubkey(), MINE(program_id=TOKEN_PROGRAM_ID)
            ).value
        )
        == 1
    ),
    "get_token_largest_accounts": lambda s: (
        s.client.get_token_largest_accounts(s.mint).value[0].address == s.vault
    ),
    "get_token_supply": lambda s: s.client.get_token_supply(s.mint).value.amount == "1234567",
    "get_transaction": lambda s: (
        s.client.get_transaction(
            s.sent, "json", max_supported_transaction_version=0
        ).value.transaction.meta.fee
        == 5_000
    ),
    "get_transaction_count": lambda s: s.client.get_transaction_count().value >= 2,
    "get_version": lambda s: s.client.get_version().value.solana_core == "2.2.0",
    "get_vote_accounts": lambda s: s.client.get_vote_accounts().value.current == [],
    "request_airdrop": lambda s: (
        s.client.request_airdrop(key("new").pubkey(), 7).value != Signature.default()
        and s.client.get_balance(key("new").pubkey(), Processed).value == 7
    ),
    "send_raw_transaction": lambda s: (
        s.client.send_raw_transaction(
            bytes(s.pay(1_000_001)), TxOpts(preflight_commitment=Processed)
        ).value
        is not None
    ),
    "send_transaction": lambda s: (
        s.client.send_transaction(legacy(s), TxOpts(preflight_commitment=Processed)).value
        is not None
    ),
    "simulate_transaction": lambda s: (
        s.client.simulate_transaction(s.pay(3), sig_verify=True).value.units_consumed == 150
    ),
    "confirm_transaction": lambda s: (
        s.client.confirm_transaction(s.sent, Finalized, 0.01).value[0].err is None
    ),
}


@pytest.mark.parametrize("method", sorted(CHECKS))
def test_a_method_of_the_client_works(scene: Scene, method: str) -> None:
    assert CHECKS[method](scene)


def test_no_method_of_the_client_is_left_out() -> None:
    public = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    # One that calls nothing, and the one that stops a validator.
    assert public - {"parse_recent_blockhash", "validator_exit"} == set(CHECKS)


def test_what_the_client_never_calls_is_answered_as_unknown(scene: Scene) -> None:
    with pytest.raises(RPCException, match="Method not found"):
        scene.client.validator_exit()
