"""anchorpy's client, unchanged, settles on the local node: accounts, events, errors by name."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from anchorpy import Context, EventParser, Idl, Program, Provider, Wallet
from anchorpy.error import ProgramError
from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Processed
from solana.rpc.types import TxOpts
from solders.hash import Hash
from solders.instruction import Instruction
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.sysvar import INSTRUCTIONS
from solders.transaction import VersionedTransaction
from spl.token.constants import TOKEN_PROGRAM_ID
from spl.token.instructions import (
    InitializeMintParams,
    MintToParams,
    create_associated_token_account,
    get_associated_token_address,
    initialize_mint,
    mint_to,
)

from dmm.adapters.solana import terms as signing
from dmm.adapters.solana.terms import Terms
from dmm.sandbox.solana.node import PROGRAM, SolanaNode
from tests.integration.solana.conftest import ROOT, key

SYSTEM = Pubkey.default()
OPTIONS = TxOpts(skip_confirmation=True, preflight_commitment=Processed)
DEADLINE_S = 60
IDL = Idl.from_json((ROOT / "contracts" / "solana" / "idl.json").read_text(encoding="utf-8"))
HELD = 10**12


@dataclass
class Desk:
    """Everybody on the chain, through anchorpy."""

    client: AsyncClient
    idl: Idl
    network: Hash
    taker: Keypair
    authority: Keypair
    signer: Keypair
    base: Pubkey
    cash: Pubkey

    @property
    def maker(self) -> Pubkey:
        return signing.maker_address(PROGRAM, self.authority.pubkey())

    def program(self, who: Keypair) -> Program:
        return Program(self.idl, PROGRAM, Provider(self.client, Wallet(who), OPTIONS))

    def vault(self, owner: Pubkey, mint: Pubkey) -> Pubkey:
        return get_associated_token_address(owner, mint)

    async def run(
        self, payer: Keypair, *calls: Instruction, extra: tuple[Keypair, ...] = ()
    ) -> None:
        blockhash = (await self.client.get_latest_blockhash(Processed)).value.blockhash
        message = MessageV0.try_compile(payer.pubkey(), list(calls), [], blockhash)
        await self.client.send_transaction(VersionedTransaction(message, [payer, *extra]), OPTIONS)

    async def mint(self, name: str) -> Pubkey:
        made, payer = key(name), self.authority
        rent = (await self.client.get_minimum_balance_for_rent_exemption(82)).value
        create = CreateAccountParams(
            from_pubkey=payer.pubkey(),
            to_pubkey=made.pubkey(),
            lamports=rent,
            space=82,
            owner=TOKEN_PROGRAM_ID,
        )
        init = InitializeMintParams(
            decimals=6,
            program_id=TOKEN_PROGRAM_ID,
            mint=made.pubkey(),
            mint_authority=payer.pubkey(),
        )
        await self.run(payer, create_account(create), initialize_mint(init), extra=(made,))
        for owner in (self.taker.pubkey(), self.maker):
            give = MintToParams(
                program_id=TOKEN_PROGRAM_ID,
                mint=made.pubkey(),
                dest=self.vault(owner, made.pubkey()),
                mint_authority=payer.pubkey(),
                amount=HELD,
            )
            account = create_associated_token_account(payer.pubkey(), owner, made.pubkey())
            await self.run(payer, account, mint_to(give))
        return made.pubkey()

    async def open(self) -> None:
        self.base, self.cash = await self.mint("base"), await self.mint("cash")
        program, who = self.program(self.authority), self.authority.pubkey()
        accounts = {"payer": who, "authority": who, "maker": self.maker, "system_program": SYSTEM}
        await program.rpc["init_maker"](
            list(bytes(self.network)), who, 3_600, ctx=Context(accounts=accounts)
        )
        accounts = {"authority": who, "maker": self.maker}
        await program.rpc["set_signer"](
            self.signer.pubkey(),
            True,
            ctx=Context(accounts=accounts),
        )
        page = signing.page_address(PROGRAM, self.maker, 0)
        accounts = {"payer": who, "maker": self.maker, "page": page, "system_program": SYSTEM}
        await program.rpc["init_page"](0, ctx=Context(accounts=accounts))

    def terms(self, now_s: int, nonce: int) -> Terms:
        return Terms(
            program=PROGRAM,
            network=bytes(self.network),
            maker=self.maker,
            signer=self.signer.pubkey(),
            taker=self.taker.pubkey(),
            maker_mint=self.base,
            taker_mint=self.cash,
            maker_amount=30_007,
            taker_amount=19_503,
            min_fill=0,
            fee_bps=0,
            fee_account=self.vault(self.maker, self.base),
            expiry=now_s + DEADLINE_S,
            settle_by=now_s + DEADLINE_S,
            nonce=nonce,
            quote_id=hashlib.sha256(nonce.to_bytes(8, "big")).digest(),
        )

    async def settle(self, terms: Terms) -> Any:
        accounts = {
            "taker": terms.taker,
            "maker": self.maker,
            "page": signing.page_address(PROGRAM, self.maker, terms.nonce >> 8),
            "taker_source": self.vault(terms.taker, self.cash),
            "maker_destination": self.vault(self.maker, self.cash),
            "maker_source": self.vault(self.maker, self.base),
            "recipient": self.vault(terms.taker, self.base),
            "fee_account": terms.fee_account,
            "taker_mint": self.cash,
            "maker_mint": self.base,
            "taker_token_program": TOKEN_PROGRAM_ID,
            "maker_token_program": TOKEN_PROGRAM_ID,
            "instructions": INSTRUCTIONS,
        }
        program = self.program(self.taker)
        made = program.type["QuoteTerms"](**(terms.numbers() | {"quote_id": list(terms.quote_id)}))
        check = signing.check(self.signer, terms.digest())
        context = Context(accounts=accounts, pre_instructions=[check])
        return await program.rpc["settle_quote"](made, terms.taker_amount, 0, ctx=context)


@asynccontextmanager
async def desk_on(node: SolanaNode) -> AsyncIterator[tuple[Desk, int]]:
    async with AsyncClient(node.url, Processed) as client:
        network = (await client.get_genesis_hash()).value
        taker, authority, signer = key("taker"), key("authority"), key("signer")
        for who in (taker, authority):
            await client.request_airdrop(who.pubkey(), 10**12)
        desk = Desk(client, IDL, network, taker, authority, signer, SYSTEM, SYSTEM)
        slot = (await client.get_slot(Processed)).value
        now_s = (await client.get_block_time(slot)).value
        assert now_s is not None
        await desk.open()
        yield desk, now_s


def test_anchorpy_settles_reads_and_names_the_refusal(node: SolanaNode) -> None:
    async def scene() -> None:
        async with desk_on(node) as (desk, now_s):
            terms = desk.terms(now_s, 5)
            sent = await desk.settle(terms)
            vault = desk.vault(desk.taker.pubkey(), desk.base)
            held = (await desk.client.get_token_account_balance(vault, Processed)).value.amount
            assert int(held) == HELD + 30_007
            program = desk.program(desk.taker)
            maker = await program.account["Maker"].fetch(desk.maker, Processed)
            assert maker.signers[0] == desk.signer.pubkey()
            found = await desk.client.get_transaction(sent, "json", Processed, 0)
            events: list[Any] = []
            parser = EventParser(PROGRAM, program.coder)
            parser.parse_logs(found.value.transaction.meta.log_messages, events.append)
            assert [event.data.nonce for event in events] == [5]
            with pytest.raises(ProgramError) as used:
                await desk.settle(replace(terms, maker_amount=1))
            assert (used.value.code, used.value.msg) == (6_012, "the nonce was used or cancelled")
            with pytest.raises(ProgramError) as late:
                await desk.settle(replace(terms, nonce=6, expiry=now_s - 1))
            assert late.value.code == 6_001
            assert len(await program.account["NoncePage"].all()) == 1

    asyncio.run(scene())
