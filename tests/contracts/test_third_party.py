"""Real code of other people agrees with ours: orders our Python signs, a Safe, Permit2.

The contracts come by npm from a lock of their own and are compiled or deployed as their authors
publish them. Their gas is measured beside ours, on the same tokens and accounts.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from dmm.adapters.evm.batches import compact
from dmm.adapters.evm.codec import calldata, quote_digest
from dmm.adapters.evm.eip712 import Struct, digest, domain_separator, struct_of, type_hash
from dmm.adapters.evm.permit2 import Permit, fill_with_permit_calldata, permit_digest
from dmm.adapters.evm.sign import Key, sign_quote
from dmm.rfq.protocol import Acceptance
from dmm.sandbox.evm.deploy import PERMIT2
from dmm.sandbox.evm.peers import Peers, load_peers
from dmm.sandbox.evm.transact import Sender
from dmm.units.errors import ServiceFault

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = ROOT / "contracts" / "evm" / "gas.json"
STRANGER = Key(b"\x11" * 32)
ZERO = "0x" + "00" * 20
CHAIN_ID = 31_337


@pytest.fixture(scope="session")
def peers() -> Peers:
    try:
        return load_peers(ROOT, work_dir=ROOT / ".dmm")
    except ServiceFault as fault:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"other people's contracts cannot be had: {fault}")


def test_a_checkout_without_the_lock_of_the_peers_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="run from a complete checkout"):
        load_peers(tmp_path, work_dir=tmp_path / "work")


def create(world: Any, code: bytes, types: list[str], values: list[object]) -> str:
    sender = Sender(rpc=world.rpc, key=world.actors.deployer, chain_id=CHAIN_ID)
    address: str = sender.next_contract()
    receipt = world.send(world.actors.deployer, None, code + encode(types, values))
    assert int(receipt["status"], 16) == 1
    return address


def approve(world: Any, contract: str) -> None:
    """Let desk and first taker pay through a contract, without limit."""
    for owner in (world.actors.desk, world.actors.takers[0]):
        for symbol in ("BTC", "USDT"):
            token = world.book.token(symbol)
            world.call(owner, token, "approve(address,uint256)", contract, 2**256 - 1)


def passes(world: Any, key: Key, to: str, data: bytes) -> int:
    receipt = world.send(key, to, data)
    assert int(receipt["status"], 16) == 1
    return int(receipt["gasUsed"], 16)


def reverts(world: Any, key: Key, to: str, data: bytes, error: str) -> None:
    """Send a call that must revert with an error of that signature and move nothing."""
    before = world.balances()
    receipt = world.send(key, to, data)
    assert int(receipt["status"], 16) == 0
    assert world.balances() == before
    trace = world.rpc(
        "debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"}
    )
    assert trace["output"][:10] == "0x" + keccak(text=error)[:4].hex()


# -- AirSwap -----------------------------------------------------------------------------------

AIRSWAP_ORDER = struct_of(
    "OrderERC20",
    {
        "nonce": "uint256",
        "expiry": "uint256",
        "signerWallet": "address",
        "signerToken": "address",
        "signerAmount": "uint256",
        "protocolFee": "uint256",
        "senderWallet": "address",
        "senderToken": "address",
        "senderAmount": "uint256",
    },
)
SIGNED_TAIL = "uint8,bytes32,bytes32)"
SWAP = "swap(address,uint256,uint256,address,address,uint256,address,uint256," + SIGNED_TAIL
SWAP_LIGHT = "swapLight(uint256,uint256,address,address,uint256,address,uint256," + SIGNED_TAIL
PROTOCOL_FEE_BPS = 7


class AirSwap:
    def __init__(self, world: Any, peers: Peers) -> None:
        self.world = world
        collector = world.actors.providers[2].address
        values = [PROTOCOL_FEE_BPS, PROTOCOL_FEE_BPS, collector, 10, 10]
        types = ["uint256", "uint256", "address", "uint256", "uint256"]
        self.at = create(world, peers.airswap, types, values)
        approve(world, self.at)
        # The collector holds the token already, as in our own measurements.
        world.call(
            world.actors.deployer, world.book.token("BTC"), "mint(address,uint256)", collector, 1
        )

    def swap(self, *, nonce: int, key: Key | None = None, light: bool = False, **at: int) -> bytes:
        world, maker = self.world, self.world.actors.desk
        expiry_s = at.get("expiry_s", world.now_s() + 60)
        terms = (nonce, expiry_s, maker.address, world.book.token("BTC"), 1_000_003)
        taken = (world.book.token("USDT"), 601_000_007)
        taker = world.actors.takers[0].address
        domain = domain_separator(
            name="SWAP_ERC20", version="4.3", chain_id=CHAIN_ID, contract=self.at
        )
        order = AIRSWAP_ORDER.hash((*terms, PROTOCOL_FEE_BPS, taker, *taken))
        sig = (key or maker).sign_digest(digest(domain=domain, struct_hash=order))
        signed = (*terms, *taken, sig[64], sig[:32], sig[32:64])
        return calldata(SWAP_LIGHT, *signed) if light else calldata(SWAP, taker, *signed)


def test_airswap_takes_our_order_once_in_time_and_from_its_signer(world: Any, peers: Peers) -> None:
    airswap, taker = AirSwap(world, peers), world.actors.takers[0]
    before = world.balances()
    data = airswap.swap(nonce=1)
    passes(world, taker, airswap.at, data)
    after = world.balances()
    assert after["BTC", taker.address] - before["BTC", taker.address] == 1_000_003
    assert before["USDT", taker.address] - after["USDT", taker.address] == 601_000_007
    reverts(world, taker, airswap.at, data, "NonceAlreadyUsed(uint256)")
    late = airswap.swap(nonce=2, expiry_s=world.now_s() - 1)
    reverts(world, taker, airswap.at, late, "OrderExpired()")
    forged = airswap.swap(nonce=3, key=STRANGER)
    reverts(world, taker, airswap.at, forged, "SignatureInvalid()")
    other = world.actors.takers[1]
    reverts(world, other, airswap.at, airswap.swap(nonce=4), "SignatureInvalid()")


# -- 1inch limit order protocol ----------------------------------------------------------------

LIMIT_ORDER = struct_of(
    "Order",
    {
        "salt": "uint256",
        "maker": "address",
        "receiver": "address",
        "makerAsset": "address",
        "takerAsset": "address",
        "makingAmount": "uint256",
        "takingAmount": "uint256",
        "makerTraits": "uint256",
    },
)
# Addresses are a type of their own there, words in the call.
FILL_ORDER = (
    "fillOrder((uint256,uint256,uint256,uint256,uint256,uint256,uint256,uint256),"
    "bytes32,bytes32,uint256,uint256)"
)
NO_PARTIAL_FILLS = 1 << 255


class LimitOrders:
    def __init__(self, world: Any, peers: Peers) -> None:
        self.world = world
        self.at = create(world, peers.limit_order_protocol, ["address"], [ZERO])
        approve(world, self.at)

    def fill(self, *, nonce: int, key: Key | None = None, **at: int) -> bytes:
        world, maker = self.world, self.world.actors.desk
        taker = int(world.actors.takers[0].address, 16)
        expiry_s = at.get("expiry_s", world.now_s() + 60)
        traits = NO_PARTIAL_FILLS | nonce << 120 | expiry_s << 80 | taker & (1 << 80) - 1
        salt = int.from_bytes(keccak(nonce.to_bytes(32, "big")), "big")
        tokens = world.book.token("BTC"), world.book.token("USDT")
        order = (salt, maker.address, ZERO, *tokens, 1_000_003, 601_000_007, traits)
        domain = domain_separator(
            name="1inch Limit Order Protocol", version="4", chain_id=CHAIN_ID, contract=self.at
        )
        signed = digest(domain=domain, struct_hash=LIMIT_ORDER.hash(order))
        r, vs = compact((key or maker).sign_digest(signed))
        words = tuple(int(word, 16) if isinstance(word, str) else word for word in order)
        return calldata(FILL_ORDER, words, r, vs, 601_000_007, 0)


def test_the_limit_order_protocol_takes_our_order_once_in_time_and_from_its_signer(
    world: Any, peers: Peers
) -> None:
    orders, taker = LimitOrders(world, peers), world.actors.takers[0]
    before = world.balances()
    data = orders.fill(nonce=1)
    passes(world, taker, orders.at, data)
    after = world.balances()
    assert after["BTC", taker.address] - before["BTC", taker.address] == 1_000_003
    assert before["USDT", taker.address] - after["USDT", taker.address] == 601_000_007
    reverts(world, taker, orders.at, data, "BitInvalidatedOrder()")
    late = orders.fill(nonce=2, expiry_s=world.now_s() - 1)
    reverts(world, taker, orders.at, late, "OrderExpired()")
    forged = orders.fill(nonce=3, key=STRANGER)
    reverts(world, taker, orders.at, forged, "BadSignature()")
    other = world.actors.takers[1]
    reverts(world, other, orders.at, orders.fill(nonce=4), "PrivateOrder()")


def test_gas_of_the_peers_is_what_the_snapshot_says(world: Any, peers: Peers) -> None:
    """Conditions of ours: unlimited allowances, both sides hold both tokens, a used nonce word."""
    taker, start_s = world.actors.takers[0], 2_200_000_000
    world.next_at(start_s)
    airswap, orders = AirSwap(world, peers), LimitOrders(world, peers)
    at = {"expiry_s": start_s + 600}
    passes(world, taker, airswap.at, airswap.swap(nonce=1, **at))
    passes(world, taker, orders.at, orders.fill(nonce=1, **at))
    measured = {
        "airswap_swap_with_fee": passes(world, taker, airswap.at, airswap.swap(nonce=2, **at)),
        "airswap_light_with_fee": passes(
            world, taker, airswap.at, airswap.swap(nonce=3, light=True, **at)
        ),
        "limit_order_protocol_fill": passes(world, taker, orders.at, orders.fill(nonce=2, **at)),
    }
    snapshot = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    assert measured == snapshot["peers"]
    assert snapshot["take_whole"] < measured["limit_order_protocol_fill"]
    assert snapshot["take_whole_with_fee"] < measured["airswap_light_with_fee"]


# -- Permit2 -----------------------------------------------------------------------------------


class Permitted:
    """A taker whose only allowance is Permit2's."""

    def __init__(self, world: Any, peers: Peers) -> None:
        self.world, self.taker = world, world.actors.takers[0]
        world.rpc("anvil_setCode", PERMIT2, "0x" + peers.permit2_code.hex())
        cash, signature = world.book.token("USDT"), "approve(address,uint256)"
        world.call(self.taker, cash, signature, world.at("settlement"), 0)
        world.call(self.taker, cash, signature, PERMIT2, 2**256 - 1)

    def data(self, *, key: Key | None = None, **change: Any) -> bytes:
        world = self.world
        quote = change.get("quote") or world.quote(nonce=change.get("nonce", 7))
        accepted = Acceptance(
            quote_id=quote.quote_id,
            amount=quote.taker_amount,
            recipient=change.get("recipient", self.taker.address),
        )
        signed_for = change.get("signed_for", accepted)
        permit = Permit(
            contract=PERMIT2,
            nonce=change.get("permit_nonce", 99),
            deadline_s=change.get("deadline_s", world.now_s() + 60),
        )
        return fill_with_permit_calldata(
            quote,
            accepted,
            permit,
            maker_signature=sign_quote(quote, key=world.actors.quote_signer, book=world.book),
            taker_signature=(key or self.taker).sign_digest(
                permit_digest(permit, signed_for, quote, world.book)
            ),
            book=world.book,
        )


def test_a_quote_is_settled_by_a_signed_transfer_of_permit2(world: Any, peers: Peers) -> None:
    taker, settlement = Permitted(world, peers), world.at("settlement")
    alone = world.fill_data(world.quote())
    refusal = world.refusal(world.actors.deployer, settlement, alone)
    assert refusal.name == "ERC20InsufficientAllowance"
    before, elsewhere = world.balances(), world.actors.providers[1].address
    data = taker.data(recipient=elsewhere)
    passes(world, world.actors.deployer, settlement, data)
    after = world.balances()
    who, desk = taker.taker.address, world.actors.desk.address
    assert before["USDT", who] - after["USDT", who] == 150_000_000_000
    assert after["USDT", desk] - before["USDT", desk] == 150_000_000_000
    assert after["BTC", elsewhere] - before["BTC", elsewhere] == 250_000_000
    assert world.refusal(world.actors.deployer, settlement, data).name == "NonceUsed"


def test_permit2_refuses_what_the_taker_did_not_sign(world: Any, peers: Peers) -> None:
    taker, settlement = Permitted(world, peers), world.at("settlement")
    quote, sender = world.quote(), world.actors.deployer
    elsewhere = Acceptance(
        quote_id=quote.quote_id, amount=quote.taker_amount, recipient=STRANGER.address
    )
    forged = "InvalidSigner()"
    reverts(world, sender, settlement, taker.data(key=STRANGER), forged)
    reverts(world, sender, settlement, taker.data(quote=quote, signed_for=elsewhere), forged)
    late = taker.data(deadline_s=world.now_s() - 1)
    reverts(world, sender, settlement, late, "SignatureExpired(uint256)")
    passes(world, sender, settlement, taker.data(nonce=1, permit_nonce=5))
    again = taker.data(nonce=2, permit_nonce=5)
    reverts(world, sender, settlement, again, "InvalidNonce()")
    passes(world, sender, settlement, taker.data(nonce=2, permit_nonce=6))


# -- Safe behind a time lock as the authority ---------------------------------------------------

SAFE_TX = struct_of(
    "SafeTx",
    {
        "to": "address",
        "value": "uint256",
        "data": "bytes",
        "operation": "uint8",
        "safeTxGas": "uint256",
        "baseGas": "uint256",
        "gasPrice": "uint256",
        "gasToken": "address",
        "refundReceiver": "address",
        "nonce": "uint256",
    },
)
SAFE_TX_HASHED = Struct(
    SAFE_TX.type_string,
    tuple("bytes32" if kind == "bytes" else kind for kind in SAFE_TX.members),
)
SAFE_MESSAGE = Struct("SafeMessage(bytes message)", ("bytes32",))
SETUP = "setup(address[],uint256,address,bytes,address,address,uint256,address)"
CREATE_PROXY = "createProxyWithNonce(address,bytes,uint256)"
EXEC_TRANSACTION = (
    "execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)"
)
SCHEDULE = "schedule(address,uint256,bytes,bytes32,bytes32,uint256)"
EXECUTE = "execute(address,uint256,bytes,bytes32,bytes32)"
DELAY_S = 3_600


class Safe:
    """Two of three owners behind a time lock of an hour."""

    def __init__(self, world: Any, peers: Peers) -> None:
        self.world, self.owners = world, world.actors.owners
        singleton = create(world, peers.safe, [], [])
        factory = create(world, peers.safe_factory, [], [])
        fallback = create(world, peers.safe_fallback, [], [])
        owners = [owner.address for owner in self.owners]
        setup = calldata(SETUP, owners, 2, ZERO, b"", fallback, ZERO, 0, ZERO)
        made = world.call(world.actors.deployer, factory, CREATE_PROXY, singleton, setup, 1)
        topic = "0x" + keccak(text="ProxyCreation(address,address)").hex()
        (log,) = [log for log in made["logs"] if log["topics"][0] == topic]
        self.at = "0x" + log["topics"][1][-40:]
        self.nonce = 0
        types = ["uint256", "address[]", "address[]", "address"]
        self.timelock = create(world, peers.timelock, types, [DELAY_S, [self.at], [self.at], ZERO])

    def domain(self) -> bytes:
        kind = type_hash("EIP712Domain(uint256 chainId,address verifyingContract)")
        return keccak(kind + encode(["uint256", "address"], [CHAIN_ID, self.at]))

    def signatures(self, struct_hash: bytes, signers: tuple[Key, ...]) -> bytes:
        signed = digest(domain=self.domain(), struct_hash=struct_hash)
        ascending = sorted(signers, key=lambda owner: int(owner.address, 16))
        return b"".join(owner.sign_digest(signed) for owner in ascending)

    def call(self, to: str, data: bytes, *, signers: tuple[Key, ...] | None = None) -> bytes:
        tail = (0, 0, 0, 0, ZERO, ZERO)
        struct_hash = SAFE_TX_HASHED.hash((to, 0, keccak(data), *tail, self.nonce))
        sigs = self.signatures(struct_hash, signers or self.owners[:2])
        return calldata(EXEC_TRANSACTION, to, 0, data, *tail, sigs)

    def runs(self, to: str, data: bytes) -> None:
        passes(self.world, self.world.actors.deployer, self.at, self.call(to, data))
        self.nonce += 1

    def govern(self, target: str, signature: str, *values: object) -> None:
        """Call a contract as its authority: schedule, wait the delay, execute."""
        data, salt = calldata(signature, *values), keccak(self.nonce.to_bytes(32, "big"))
        operation = (target, 0, data, bytes(32), salt)
        self.runs(self.timelock, calldata(SCHEDULE, *operation, DELAY_S))
        self.world.next_at(self.world.now_s() + DELAY_S)
        self.runs(self.timelock, calldata(EXECUTE, *operation))


def test_a_safe_behind_a_time_lock_governs_our_contracts(world: Any, peers: Peers) -> None:
    safe, actors = Safe(world, peers), world.actors
    governor = world.create("GovernorLog", ["address", "bytes32"], [safe.timelock, bytes(32)])
    treasury = world.create(
        "Treasury",
        ["address"] * 4,
        [safe.timelock, actors.operator.address, actors.guardian.address, world.at("settlement")],
    )
    family, body = b"policy".ljust(32, b"\0"), b'{"gamma":2}'
    order = (family, 1, bytes(32), body, world.now_s() + 10 * DELAY_S)
    safe.govern(governor, "execute(bytes32,uint256,bytes32,bytes,uint64)", *order)
    assert world.read(governor, "sequence()") == 1
    token = world.book.token("DCT")
    safe.govern(treasury, "setCap(address,uint256)", token, 5)
    assert world.read(treasury, "capPerDay(address)", token) == 5
    world.call(actors.guardian, treasury, "pause()")
    safe.govern(treasury, "unpause()")
    assert world.read(treasury, "paused()") == 0


def test_no_owner_alone_no_stranger_and_nobody_in_haste_governs(world: Any, peers: Peers) -> None:
    safe, sender = Safe(world, peers), world.actors.deployer
    governor = world.create("GovernorLog", ["address", "bytes32"], [safe.timelock, bytes(32)])
    order = calldata(
        "execute(bytes32,uint256,bytes32,bytes,uint64)",
        bytes(32),
        1,
        bytes(32),
        b"x",
        world.now_s() + 10 * DELAY_S,
    )
    # The Safe itself is not the authority: the time lock between them is.
    straight = safe.call(governor, order)
    receipt = world.send(sender, safe.at, straight)
    assert int(receipt["status"], 16) == 0
    operation = (governor, 0, order, bytes(32), bytes(32))
    schedule = calldata(SCHEDULE, *operation, DELAY_S)
    for signers in (safe.owners[:1], (safe.owners[0], STRANGER)):
        data = safe.call(safe.timelock, schedule, signers=signers)
        assert int(world.send(sender, safe.at, data)["status"], 16) == 0
    assert int(world.send(sender, safe.timelock, schedule)["status"], 16) == 0
    safe.runs(safe.timelock, schedule)
    early = safe.call(safe.timelock, calldata(EXECUTE, *operation))
    assert int(world.send(sender, safe.at, early)["status"], 16) == 0
    assert world.read(governor, "sequence()") == 0


def test_a_safe_makes_quotes_by_its_owners_signatures(world: Any, peers: Peers) -> None:
    safe, settlement = Safe(world, peers), world.at("settlement")
    btc = world.book.token("BTC")
    world.call(world.actors.deployer, btc, "mint(address,uint256)", safe.at, 250_000_000)
    safe.runs(btc, calldata("approve(address,uint256)", settlement, 250_000_000))
    quote = world.quote(maker=safe.at, signer=safe.at)
    message = SAFE_MESSAGE.hash((keccak(quote_digest(quote, world.book)),))
    short = safe.signatures(message, safe.owners[:1])
    refusal = world.refusal(world.actors.deployer, settlement, world.fill_data(quote, makers=short))
    assert refusal.name == "WrongSignature"
    both = world.fill_data(quote, makers=safe.signatures(message, safe.owners[1:]))
    passes(world, world.actors.deployer, settlement, both)
    assert world.balance("BTC", safe.at) == 0
