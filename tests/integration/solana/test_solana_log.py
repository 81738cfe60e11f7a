"""The chain's record: slots without gaps, events that explain every vault, balances of the past."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import pytest
from solana_desk import SolanaDesk
from solders.instruction import AccountMeta, Instruction
from solders.pubkey import Pubkey

from dmm.adapters.solana import terms
from dmm.adapters.solana.abi import TRUNCATED_LOG, program_abi
from dmm.adapters.solana.codec import SYSTEM, TOKEN, account, token_account
from dmm.adapters.solana.history import TRANSACTION_CONFIG, token_accounts_of
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.sign import Key
from dmm.adapters.solana.told import told_of
from dmm.adapters.solana.transaction import Landed, landed_of
from dmm.sandbox.solana.transact import MINT_BYTES, Sender, give, new_mint
from dmm.settlement.chain_event import ChainEvent, legs_of
from dmm.settlement.explain import Cause, Explainer, Finding, Known
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.errors import Retryable, ServiceFault


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SolanaDesk]:
    made = SolanaDesk.on(tmp_path_factory.mktemp("solana-log"))
    yield made
    made.stop()


def events_since(desk: SolanaDesk, slot: int) -> list[ChainEvent]:
    log = desk.log()
    return log.events(from_height=slot + 1, to_height=log.tips()[1].height)


def head(desk: SolanaDesk) -> int:
    desk.advance(2)
    return desk.log().tips()[1].height


def explained(desk: SolanaDesk, events: list[ChainEvent], *intents: Intent) -> list[Finding]:
    quotes = {
        str(intent.inputs["acceptance"]["quote_id"]): intent  # type: ignore[index,call-overload]
        for intent in intents
        if intent.kind is IntentKind.QUOTE
    }
    vaults = {desk.maker: "desk@solana", desk.treasury: "treasury@solana"}
    return Explainer(Known(vaults=vaults, intents=intents, quotes=quotes)).explain(events)


def landed(desk: SolanaDesk, tx_id: str) -> Landed:
    return landed_of(desk.call("getTransaction", tx_id, TRANSACTION_CONFIG))


def test_reward_buyback_and_quote_are_each_explained_to_the_last_atom(desk: SolanaDesk) -> None:
    since = head(desk)
    intents = [desk.reward(), desk.accepted(), desk.buyback()]
    for intent in intents:
        desk.send(intent)
    desk.advance(2)
    found = explained(desk, events_since(desk, since), *intents)
    assert [finding.cause for finding in found] == [Cause.INTENT] * 3
    assert [finding.act for finding in found] == intents


def test_a_payment_under_an_unknown_key_is_an_alarm(desk: SolanaDesk) -> None:
    since = head(desk)
    desk.send(desk.reward())
    desk.advance(2)
    found = explained(desk, events_since(desk, since))
    assert [finding.cause for finding in found] == [Cause.UNKNOWN_KEY]


def test_every_slot_has_the_slot_before_as_its_parent_across_skipped_ones(
    desk: SolanaDesk,
) -> None:
    desk.advance(8)
    desk.call("dmm_fork", 5)
    desk.advance(4)
    desk.call("dmm_fork", 2)
    desk.advance(3)
    log = desk.log()
    top = log.tips()[1].height
    blocks = [log.block(height) for height in range(top - 20, top + 1)]
    for before, block in itertools.pairwise(blocks):
        assert block.parent_hash == before.block_hash
        assert block.time_s >= before.time_s
    assert len({block.block_hash for block in blocks}) == len(blocks)
    skipped = [block for block in blocks if "+" in block.block_hash]
    assert len(skipped) >= 6


def test_a_slot_that_is_not_there_yet_is_worth_asking_again(desk: SolanaDesk) -> None:
    log = desk.log()
    with pytest.raises(Retryable):
        log.block(log.tips()[1].height + 1_000)


def test_events_of_a_fork_that_lost_are_gone(desk: SolanaDesk) -> None:
    since = head(desk)
    desk.send(desk.reward())
    desk.advance(2)
    assert events_since(desk, since)
    desk.call("dmm_fork", 4)
    desk.advance(2)
    assert events_since(desk, since) == []


def test_a_balance_of_the_past_is_the_sum_of_all_transfers_up_to_it(desk: SolanaDesk) -> None:
    desk.finalize()
    log = desk.log()
    first = log.tips()[0].height
    for amount in (11, 29, 53):
        desk.send(desk.reward(amount))
        desk.advance(2)
    desk.send(desk.accepted())
    desk.finalize()
    last = log.tips()[0].height
    events = log.events(from_height=0, to_height=last)
    vaults = {desk.maker: "desk", desk.treasury: "treasury"}
    for height in range(first, last + 1, 3):
        held = {(vault, asset): 0 for vault in vaults.values() for asset in ("DCT", "BTC", "USDT")}
        for leg in (leg for event in events for leg in legs_of(event, vaults)):
            if leg.height <= height:
                held[leg.vault, leg.asset] += leg.change
        for owner, vault in vaults.items():
            for asset in ("DCT", "BTC", "USDT"):
                balance = log.balance(holder=owner, asset=asset, height=height)
                assert balance == held[vault, asset], (vault, asset, height)
    with pytest.raises(Retryable):
        log.balance(holder=desk.maker, asset="BTC", height=last + 5)


def test_tokens_that_come_unannounced_are_a_donation(desk: SolanaDesk) -> None:
    since = head(desk)
    mint = desk.book.token("USDT")
    deployer = desk.actors.deployer
    Sender(desk.call, deployer).run(give(deployer, desk.book.key("treasury"), mint, 77))
    desk.advance(2)
    (found,) = explained(desk, events_since(desk, since))
    assert (found.cause, found.changes) == (Cause.DONATION, {("treasury@solana", "USDT"): 77})


def test_a_token_account_given_to_a_vault_counts_by_what_it_holds(desk: SolanaDesk) -> None:
    since = head(desk)
    mint, giver = desk.book.token("USDT"), Key(b"\x21" * 32)
    desk.call("requestAirdrop", giver.address, 10**9)
    deployer = desk.actors.deployer
    Sender(desk.call, deployer).run(give(deployer, giver.public, mint, 4_001))
    # SetAuthority: number 6, of kind 2, the account's owner.
    metas = [
        AccountMeta(token_account(giver.public, mint), is_signer=False, is_writable=True),
        AccountMeta(giver.public, is_signer=True, is_writable=False),
    ]
    to = b"\x06\x02\x01" + bytes(desk.book.key("treasury"))
    Sender(desk.call, giver).run([Instruction(TOKEN, to, metas)])
    desk.advance(2)
    (found,) = explained(desk, events_since(desk, since))
    assert (found.cause, found.changes) == (Cause.DONATION, {("treasury@solana", "USDT"): 4_001})
    desk.finalize()
    log = desk.log()
    at = log.tips()[0].height
    vaults = {desk.treasury: "treasury"}
    events = log.events(from_height=0, to_height=at)
    legs = [leg for event in events for leg in legs_of(event, vaults) if leg.asset == "USDT"]
    held = log.balance(holder=desk.treasury, asset="USDT", height=at)
    assert held == sum(leg.change for leg in legs)


def test_others_on_the_same_program_are_none_of_our_business(desk: SolanaDesk) -> None:
    since = head(desk)
    pay_from_another_treasury(desk)
    desk.advance(2)
    assert events_since(desk, since) == []


def pay_from_another_treasury(desk: SolanaDesk) -> None:
    other, program = Key(b"\x42" * 32), desk.book.program
    desk.call("requestAirdrop", other.address, 10**12)
    treasury, mint = terms.treasury_address(program, other.public), desk.book.token("DCT")
    cap = terms.cap_address(program, treasury, mint)
    own = {"payer": other.public, "authority": other.public, "treasury": treasury}
    abi, rest = program_abi(), {"system_program": SYSTEM, "token_program": TOKEN, "mint": mint}
    opened = abi.instruction(
        program, "init_treasury", own | rest, operator=other.public, guardian=other.public
    )
    capped = abi.instruction(
        program, "set_cap", own | rest | {"cap": cap}, amount_per_day=10**9, buyable=False
    )
    deployer = desk.actors.deployer
    Sender(desk.call, other).run([opened, capped])
    Sender(desk.call, deployer).run(give(deployer, treasury, mint, 10**6))
    Sender(desk.call, deployer).run(give(deployer, other.public, mint, 0))
    paid = abi.instruction(
        program,
        "pay",
        rest
        | {
            "operator": other.public,
            "treasury": treasury,
            "cap": cap,
            "used_key": terms.key_address(program, treasury, b"\x05" * 32),
            "vault": token_account(treasury, mint),
            "recipient": other.public,
            "destination": token_account(other.public, mint),
        },
        key=b"\x05" * 32,
        amount=123,
        deadline=desk.now_s() + 60,
    )
    Sender(desk.call, other).run([paid])


def test_a_log_that_was_cut_hides_no_payment(desk: SolanaDesk) -> None:
    signed = [desk.send(intent) for intent in (desk.reward(), desk.accepted(), desk.buyback())]
    desk.advance(2)
    for one in signed:
        whole = landed(desk, one.tx_id)
        cut = replace(whole, logs=(*whole.logs[:2], TRUNCATED_LOG))
        abi = program_abi()
        assert told_of(cut, book=desk.book, abi=abi) == told_of(whole, book=desk.book, abi=abi)


def test_a_log_that_tells_otherwise_than_the_instructions_is_of_another_build(
    desk: SolanaDesk,
) -> None:
    signed = desk.send(desk.reward())
    desk.advance(2)
    whole = landed(desk, signed.tx_id)
    silent = replace(whole, logs=tuple(x for x in whole.logs if "Program data" not in x))
    with pytest.raises(ServiceFault, match="other build"):
        told_of(silent, book=desk.book, abi=program_abi())


def test_what_is_told_from_instructions_is_what_the_program_logged(desk: SolanaDesk) -> None:
    for intent in (desk.reward(), desk.accepted(), desk.buyback()):
        signed = desk.send(intent)
        desk.advance(2)
        whole = landed(desk, signed.tx_id)
        logged = {
            event.name: event.fields
            for event in program_abi().events(whole.logs, program=desk.book.program)
        }
        for told in told_of(whole, book=desk.book, abi=program_abi()):
            if told.name == "Transfer":
                continue
            fields = {name.replace("_", ""): value for name, value in logged[told.name].items()}
            for name, value in told.args.items():
                found = fields[name.lower()]
                plain = found.hex() if isinstance(found, bytes) else found
                assert value == (str(plain) if isinstance(plain, Pubkey) else plain)


def test_a_revoked_signer_is_told(desk: SolanaDesk) -> None:
    since = head(desk)
    accounts = {
        "authority": desk.actors.desk.public,
        "maker": account(desk.maker, what="maker"),
    }
    call = program_abi().instruction(
        desk.book.program,
        "set_signer",
        accounts,
        signer=Key(b"\x33" * 32).public,
        allowed=True,
    )
    Sender(desk.call, desk.actors.deployer).run([call], desk.actors.desk)
    desk.advance(2)
    (event,) = events_since(desk, since)
    assert (event.source, event.name, event.args["maker"]) == (
        "settlement",
        "SignerSet",
        desk.maker,
    )


def test_what_governance_takes_back_from_the_distributor_is_a_claw_back(desk: SolanaDesk) -> None:
    since = head(desk)
    program, mint, deployer = desk.book.program, desk.book.token("DCT"), desk.actors.deployer
    distributor, treasury = desk.book.key("distributor"), desk.book.key("treasury")
    Sender(desk.call, deployer).run(give(deployer, distributor, mint, 90_001))
    accounts = {
        "authority": desk.actors.authority.public,
        "distributor": distributor,
        "vault": token_account(distributor, mint),
        "destination": token_account(treasury, mint),
        "mint": mint,
        "token_program": TOKEN,
    }
    call = program_abi().instruction(program, "clawback", accounts, amount=90_001)
    Sender(desk.call, deployer).run([call], desk.actors.authority)
    desk.advance(2)
    events = events_since(desk, since)
    (event,) = [event for event in events if event.name == "ClawedBack"]
    assert (event.source, event.args) == ("distributor", {"to": desk.treasury, "amount": 90_001})
    vaults = {desk.treasury: "treasury@solana"}
    known = Known(vaults=vaults, distributor=str(distributor))
    (found,) = Explainer(known).explain(events)
    assert (found.cause, found.changes) == (Cause.CLAWBACK, {("treasury@solana", "DCT"): 90_001})


def test_a_statement_tells_the_nonces_it_used_up_and_is_explained_by_them(
    desk: SolanaDesk,
) -> None:
    since = head(desk)
    intents = [desk.accepted(desk.quote(nonce=nonce)) for nonce in (256 + 3, 256 + 9, 512 + 1)]
    desk.send_statement(intents)
    desk.advance(2)
    events = events_since(desk, since)
    (event,) = [event for event in events if event.name == "StatementSettled"]
    assert event.args["words"] == [
        {"word": 1, "mask": 1 << 3 | 1 << 9},
        {"word": 2, "mask": 1 << 1},
    ]
    found = explained(desk, events, *intents)
    assert [finding.cause for finding in found] == [Cause.INTENT] * 3
    assert sum(finding.changes["desk@solana", "BTC"] for finding in found) == -3 * 30_000_007


def test_a_token_account_of_a_mint_that_is_not_ours_is_not_followed(desk: SolanaDesk) -> None:
    mint, deployer = Key(b"\x61" * 32), desk.actors.deployer
    rent = desk.call("getMinimumBalanceForRentExemption", MINT_BYTES)
    Sender(desk.call, deployer).run(new_mint(deployer, mint, decimals=3, lamports=rent), mint)
    Sender(desk.call, deployer).run(give(deployer, desk.book.key("treasury"), mint.public, 5))
    desk.advance(2)
    node = Node(desk.local.node.url, genesis_hash=desk.local.genesis_hash)
    own = token_accounts_of(node, [desk.treasury], mints=set(desk.book.tokens()))
    every = token_accounts_of(node, [desk.treasury], mints={mint.address})
    assert every == [str(token_account(desk.book.key("treasury"), mint.public))]
    assert not set(every) & set(own)
