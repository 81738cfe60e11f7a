"""EIP-712 hashing of typed data, with the domain hashed once.

References
----------
EIP-712, "Typed structured data hashing and signing".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from eth_abi.abi import encode
from eth_utils.crypto import keccak

DOMAIN_TYPE = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct type: its full type string and the ABI types of its members, in order.

    Members that are dynamic or structs enter as `bytes32`, hashed by the caller.
    """

    type_string: str
    members: tuple[str, ...]

    def hash(self, values: Sequence[object]) -> bytes:
        """Return keccak256(typeHash ‖ encodeData)."""
        return keccak(self.encode(values))

    def encode(self, values: Sequence[object]) -> bytes:
        """Return typeHash ‖ encodeData."""
        return type_hash(self.type_string) + encode(self.members, values)


@lru_cache(maxsize=64)
def type_hash(type_string: str) -> bytes:
    """Return the hash of a type string."""
    return keccak(text=type_string)


def struct_of(name: str, members: Mapping[str, str]) -> Struct:
    """Return the struct `name` with members {name: elementary static type}, in order."""
    fields = ",".join(f"{kind} {field}" for field, kind in members.items())
    return Struct(f"{name}({fields})", tuple(members.values()))


_DOMAIN = Struct(DOMAIN_TYPE, ("bytes32", "bytes32", "uint256", "address"))


@lru_cache(maxsize=64)
def domain_separator(*, name: str, version: str, chain_id: int, contract: str) -> bytes:
    """Return the hash of a domain; cached, because a desk signs in few domains.

    Parameters
    ----------
    chain_id : the network's id, > 0
    contract : address of the verifying contract
    """
    return _DOMAIN.hash((keccak(text=name), keccak(text=version), chain_id, contract))


def digest(*, domain: bytes, struct_hash: bytes) -> bytes:
    """Return what is signed: keccak256(0x1901 ‖ domain ‖ struct)."""
    return keccak(b"\x19\x01" + domain + struct_hash)
