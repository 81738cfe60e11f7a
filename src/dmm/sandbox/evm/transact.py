"""Transactions of DEMO actors on the local chain, and calls the DEMO multisig's owners sign."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode as rlp_encode  # type: ignore[import-untyped]

from dmm.adapters.evm.codec import calldata
from dmm.adapters.evm.eip712 import Struct, digest, domain_separator
from dmm.adapters.evm.sign import Key
from dmm.sandbox.evm.rpc import LocalRpc
from dmm.units.errors import ServiceFault

GAS_MAX = 5_000_000
FEE_WEI_MAX = 20 * 10**9
RECEIPT_S_MAX = 30.0
POLL_S = 0.02

EXEC = "exec(address,bytes,uint256,uint256,bytes[])"
_CALL = Struct(
    "Call(address target,bytes data,uint256 nonce,uint256 deadline)",
    ("address", "bytes32", "uint256", "uint256"),
)


@dataclass(slots=True)
class Sender:
    """One account that sends transactions, its nonces counted here from the node's on."""

    rpc: LocalRpc
    key: Key
    chain_id: int
    nonce: int | None = None

    def submit(self, to: str | None, data: bytes, *, gas_max: int = GAS_MAX) -> str:
        """Hand a transaction to the node and return its id; `to` None deploys."""
        raw = self.key.sign_transaction(
            {
                "chainId": self.chain_id,
                "nonce": self.next_nonce(),
                "maxFeePerGas": FEE_WEI_MAX,
                "maxPriorityFeePerGas": 1,
                "gas": gas_max,
                "to": bytes.fromhex(to.removeprefix("0x")) if to else b"",
                "value": 0,
                "data": data,
            }
        )
        tx_id: str = self.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        self.nonce = self.next_nonce() + 1
        return tx_id

    def next_nonce(self) -> int:
        """Return the nonce of the next transaction."""
        if self.nonce is None:
            count = self.rpc("eth_getTransactionCount", self.key.address, "pending")
            self.nonce = int(count, 16)
        return self.nonce

    def next_contract(self) -> str:
        """Return the address that a deployment sent now would get."""
        sender = bytes.fromhex(self.key.address.removeprefix("0x"))
        return to_checksum_address(keccak(rlp_encode([sender, self.next_nonce()]))[-20:])

    def execute(self, to: str, data: bytes) -> str:
        """Try a call, send it, wait until it is in a block, and return its id."""
        call = {"from": self.key.address, "to": to, "data": "0x" + data.hex()}
        self.rpc("eth_call", call, "latest")
        tx_id = self.submit(to, data)
        until = time.monotonic() + RECEIPT_S_MAX
        while time.monotonic() < until:
            receipt = self.rpc("eth_getTransactionReceipt", tx_id)
            if receipt is not None:
                require_success(receipt)
                return tx_id
            time.sleep(POLL_S)
        raise ServiceFault(
            f"{tx_id} was in no block after {RECEIPT_S_MAX:.0f} s: is mining paused?"
        )

    def read(self, contract: str, signature: str, *values: object) -> int:
        """Return the one word that a view answers at the head."""
        call = {"to": contract, "data": "0x" + calldata(signature, *values).hex()}
        return int(self.rpc("eth_call", call, "latest"), 16)

    def time_s(self) -> int:
        """Return the head's time."""
        with_transactions = False
        return int(self.rpc("eth_getBlockByNumber", "latest", with_transactions)["timestamp"], 16)


def require_success(receipt: dict[str, Any]) -> None:
    """Raise `ServiceFault` when a transaction reverted."""
    if int(receipt["status"], 16) != 1:
        raise ServiceFault(f"transaction {receipt['transactionHash']} reverted on the local chain")


def sign_call(
    signature: str,
    values: Sequence[object],
    *,
    target: str,
    multisig: str,
    chain_id: int,
    nonce: int,
    deadline_s: int,
    owners: Sequence[Key],
) -> bytes:
    """Return the calldata of ``Multisig.exec`` for a call that these owners signed."""
    data = calldata(signature, *values)
    domain = domain_separator(
        name="DMM Multisig", version="1", chain_id=chain_id, contract=multisig
    )
    body = (target, keccak(data), nonce, deadline_s)
    signed = digest(domain=domain, struct_hash=_CALL.hash(body))
    ascending = sorted(owners, key=lambda owner: int(owner.address, 16))
    sigs = [owner.sign_digest(signed) for owner in ascending]
    return calldata(EXEC, target, data, nonce, deadline_s, sigs)
