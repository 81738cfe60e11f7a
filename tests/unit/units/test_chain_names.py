from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dmm.units.chain import HOME_CHAIN, address_key, on_chain

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def test_a_vault_of_another_chain_is_another_vault() -> None:
    assert on_chain("treasury", HOME_CHAIN) == "treasury"
    assert on_chain("treasury", "solana") == "treasury@solana"


def test_two_spellings_of_one_evm_address_are_one() -> None:
    checksummed = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert address_key(checksummed) == address_key(checksummed.lower()) == checksummed.lower()
    assert address_key(checksummed.upper().replace("0X", "0x")) == checksummed.lower()


@given(st.text(alphabet=BASE58, min_size=32, max_size=44))
def test_no_base58_address_is_changed(address: str) -> None:
    assert address_key(address) == address


@given(st.integers(min_value=0, max_value=2**256 - 1))
def test_no_raw_ton_address_is_changed(account: int) -> None:
    assert address_key(f"0:{account:064x}") == f"0:{account:064x}"
