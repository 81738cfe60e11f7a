"""A key of a remote signer, used as if it were here: nothing it answers is believed unchecked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import rlp  # type: ignore[import-untyped]
from coincurve import PublicKey
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from dmm.adapters.evm.sign import signed_bytes
from dmm.adapters.evm.verify import SIGNATURE_BYTES, address_of, recover
from dmm.units.errors import ServiceFault

FIELD_ORDER = (
    "chainId",
    "nonce",
    "maxPriorityFeePerGas",
    "maxFeePerGas",
    "gas",
    "to",
    "value",
    "data",
)
"""Order of an EIP-1559 transaction's members; an empty access list follows."""


class RemoteKey:
    """The key of one address, kept elsewhere.

    The transaction is built here, from the same fields as with a key of our own. Of what comes
    back only r, s and v are taken; they must recover to the address, and where a whole transaction
    came back it must be ours byte for byte.
    """

    def __init__(self, address: str, sign: Callable[[dict[str, object], bytes], bytes]) -> None:
        """Name the address; `sign` is one of `by_data` and `by_transaction`."""
        self.address = address
        self._sign = sign

    def __repr__(self) -> str:
        return f"RemoteKey({self.address})"

    def sign_transaction(self, fields: dict[str, object]) -> bytes:
        """Return the raw bytes of a signed EIP-1559 transaction.

        Raises
        ------
        ServiceFault
            If what came back is not this transaction signed by this address.
        Retryable
            If nothing usable came back.
        """
        unsigned = TypedTransaction.from_dict(fields | {"type": 2})
        return self._sign(fields, bytes(unsigned.hash()))

    def accept(self, fields: dict[str, object], digest: bytes, signature: bytes) -> bytes:
        """Return the transaction under a signature r ‖ s ‖ v that recovers to the address."""
        if len(signature) != SIGNATURE_BYTES:
            raise self._unusable(f"{len(signature)} bytes")
        # v counts from 27 or from 0, by who writes it.
        odd = signature[64] - 27 if signature[64] >= 27 else signature[64]
        if odd not in (0, 1):
            raise self._unusable("v is neither 0, 1, 27 nor 28")
        if recover(digest, signature[:64] + bytes([27 + odd])) != self.address:
            raise self._unusable("it does not recover to this address with s in the lower half")
        unsigned = TypedTransaction.from_dict(fields | {"type": 2})
        return signed_bytes(unsigned, signature[:64] + bytes([odd]))

    def _unusable(self, why: str) -> ServiceFault:
        return ServiceFault(f"the remote signature for {self.address} is not used: {why}")


def address_of_point(point: bytes) -> str:
    """Return the address of a public key.

    Parameters
    ----------
    point : x ‖ y, 64 bytes

    Raises
    ------
    ServiceFault
        If it is no point of secp256k1.
    """
    try:
        return address_of(PublicKey(b"\x04" + point))
    except ValueError as error:
        raise ServiceFault(f"the remote signer lists no public key: {error}") from error


def by_data(address: str, sign_data: Callable[[bytes], bytes]) -> RemoteKey:
    """Return a key that is asked to sign the transaction's bytes; it hashes them itself."""

    def sign(fields: dict[str, object], digest: bytes) -> bytes:
        preimage = _preimage(fields)
        if keccak(preimage) != digest:
            raise ServiceFault("this transaction cannot be encoded for a remote signer")
        return key.accept(fields, digest, sign_data(preimage))

    key = RemoteKey(address, sign)
    return key


def by_transaction(
    address: str, sign_transaction: Callable[[Mapping[str, str]], bytes]
) -> RemoteKey:
    """Return a key that is asked for the signed transaction by its fields."""

    def sign(fields: dict[str, object], digest: bytes) -> bytes:
        raw = sign_transaction(_as_json(fields, sender=address))
        signature = _signature_in(raw)
        ours = key.accept(fields, digest, signature)
        if ours != raw:
            raise ServiceFault(f"the remote signer for {address} signed another transaction")
        return ours

    key = RemoteKey(address, sign)
    return key


def _preimage(fields: dict[str, object]) -> bytes:
    members = [fields[name] for name in FIELD_ORDER]
    members[5] = bytes.fromhex(str(fields["to"]).removeprefix("0x"))
    return b"\x02" + bytes(rlp.encode([*members, []]))


def _as_json(fields: dict[str, object], *, sender: str) -> dict[str, str]:
    texts = {"from": sender, "to": str(fields["to"])}
    for name, value in fields.items():
        if isinstance(value, int):
            texts[name] = hex(value)
        elif isinstance(value, bytes):
            texts[name] = "0x" + value.hex()
    return texts


def _signature_in(raw: bytes) -> bytes:
    """Return r ‖ s ‖ v of a typed transaction; `ServiceFault` when it is none."""
    try:
        found = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        r, s, v = (int(found[name]) for name in ("r", "s", "v"))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v])
    except (ValueError, TypeError, KeyError, OverflowError, rlp.exceptions.RLPException) as error:
        raise ServiceFault(f"the remote signer returned no transaction: {error}") from error
