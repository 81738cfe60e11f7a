from __future__ import annotations

from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from dmm.adapters.evm.sign import Key
from dmm.adapters.evm.verify import HALF_ORDER, recover

ORDER = 2 * HALF_ORDER + 1
KEY = Key(b"\x21" * 32)


@given(digest=st.binary(min_size=32, max_size=32))
def test_a_signature_recovers_to_its_signer_and_its_mirror_to_nobody(digest: bytes) -> None:
    signature = KEY.sign_digest(digest)
    assert int.from_bytes(signature[32:64], "big") <= HALF_ORDER
    assert recover(digest, signature) == KEY.address
    mirrored = ORDER - int.from_bytes(signature[32:64], "big")
    mirror = signature[:32] + mirrored.to_bytes(32, "big") + bytes([55 - signature[64]])
    assert recover(digest, mirror) is None


@given(signature=st.binary(max_size=70), digest=st.binary(min_size=32, max_size=32))
def test_noise_is_nobody_s_signature_and_no_crash(signature: bytes, digest: bytes) -> None:
    assert recover(digest, signature) != KEY.address


@given(signature=st.binary(min_size=64, max_size=64), parity=st.sampled_from([27, 28]))
def test_well_formed_noise_is_not_ours(signature: bytes, parity: int) -> None:
    assert recover(b"\x05" * 32, signature + bytes([parity])) != KEY.address


def test_a_transaction_is_signed_as_the_reference_library_signs_it() -> None:
    fields: dict[str, object] = {
        "chainId": 31_337,
        "nonce": 5,
        "maxFeePerGas": 10**9,
        "maxPriorityFeePerGas": 7,
        "gas": 21_000,
        "to": KEY.address,
        "value": 0,
        "data": b"\x01\x02",
    }
    reference = Account.from_key(b"\x21" * 32).sign_transaction(fields | {"type": 2})
    assert KEY.sign_transaction(fields) == bytes(reference.raw_transaction)


def test_a_key_prints_as_its_address() -> None:
    assert repr(KEY) == f"Key({KEY.address})"
    assert "21" * 16 not in repr(KEY) + str(vars(KEY))
