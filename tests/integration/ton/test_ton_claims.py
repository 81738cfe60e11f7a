"""Distributor and order log as deployed on the local chain: a claim pays once, by its proof."""

from __future__ import annotations

from typing import Any

from eth_utils.crypto import keccak

from dmm.adapters.ton.cells import op, transfer
from dmm.adapters.ton.codec import account
from dmm.adapters.ton.node import open_nodes
from dmm.sandbox.ton import desk_cells
from dmm.sandbox.ton.demo_cells import approval, execution, proposal
from dmm.sandbox.ton.founding import CHALLENGE_S, HOME_CONTRACT, HOME_NETWORK
from dmm.sandbox.ton.node import GLOBAL_ID
from dmm.treasury.merkle import build
from tests.integration.ton.conftest import TON1, Local
from tests.integration.ton.test_ton_odd_endings import send

FUNDS = 1_000_003


def ask(local: Local, name: str, method: str) -> list[Any]:
    node = open_nodes([local.node.config_path], global_id=GLOBAL_ID)[0]
    return node.get(local.book.address(name), method, [], node.head())


def ordered(local: Local, to: int, body: Any) -> None:
    """Have the multisig's owners order something."""
    multisig, owners = local.book.account("multisig"), local.actors.owners
    number = int(ask(local, "multisig", "multisig")[3])
    send(local, owners[0], multisig, proposal(to, body, local.now_s() + 600))
    send(local, owners[1], multisig, approval(number))
    send(local, local.actors.deployer, multisig, execution(number))


def test_a_claim_of_the_deployed_distributor_pays_its_holder_once(local: Local) -> None:
    book, taker = local.book, local.actors.takers[0]
    distributor, minter = book.account("distributor"), book.minter("DCT")
    holders = {
        account(provider.address, what="provider"): 1_001 + place
        for place, provider in enumerate(local.actors.providers)
    }

    def leaf(holder: int) -> bytes:
        words = (GLOBAL_ID % 2**256, distributor, minter, holder, holders[holder])
        return keccak(keccak(b"".join(word.to_bytes(32, "big") for word in words)))

    tree = build([leaf(holder) for holder in holders], hash_bytes=keccak)
    ordered(local, distributor, op(desk_cells.OP_SET_BUDGET, write=lambda b: b.store_coins(FUNDS)))
    fund = transfer(
        amount=FUNDS,
        to=distributor,
        response=taker.account,
        forward_nanoton=TON1 // 20,
        payload=op(desk_cells.OP_FUND),
    )
    send(local, taker, book.wallet_of(taker.account, "DCT"), fund)
    ends_s = local.now_s() + 30 * 86_400
    proposed = op(
        desk_cells.OP_PROPOSE,
        write=lambda b: (
            b.store_uint(1, 32)
            .store_bytes(tree.root)
            .store_coins(sum(holders.values()))
            .store_uint(ends_s, 32)
        ),
    )
    ordered(local, distributor, proposed)
    holder, provider = next(iter(holders)), local.actors.providers[0]
    claim = desk_cells.claim(
        version=1, holder=holder, cumulative=holders[holder], siblings=tree.proof(leaf(holder))
    )
    before = local.held(provider.address, "DCT")
    send(local, taker, distributor, claim)
    assert local.held(provider.address, "DCT") == before  # the root can be vetoed still
    local.node.advance(CHALLENGE_S + 1)
    for _ in range(2):
        send(local, taker, distributor, claim)
        assert local.held(provider.address, "DCT") == before + holders[holder]


def test_the_deployed_log_mirrors_the_home_chains(local: Local) -> None:
    log = ask(local, "governor", "log")
    assert (int(log[3]), int(log[4])) == (HOME_NETWORK, HOME_CONTRACT)
