"""Every chain a policy may name is served by its own adapter, with its own idea of an address."""

from __future__ import annotations

import importlib.util

import pytest

from dmm.adapters.signers.keystore import Curve
from dmm.adapters.signers.policy import SignerPolicy
from dmm.entrypoints.signer_chains import CHAINS, address_of_secret, signing_chain
from dmm.sandbox.chains import LOCAL_CHAINS
from dmm.sandbox.signers import curve_of
from dmm.units.errors import UsageFault

SECRET = bytes(range(9, 41))
RFC_8032_SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
RFC_8032_PUBLIC = "FVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z"
"""RFC 8032, section 7.1, TEST 1, its public key in base 58."""

NETWORK_ID = {"evm": 31_337, "solana": 7**80, "ton": -217}


def adapted() -> list[str]:
    """Return the chains whose adapter can sign."""
    return [name for name in CHAINS if importlib.util.find_spec(f"dmm.adapters.{name}.sign")]


def policy(chain: str) -> SignerPolicy:
    return SignerPolicy(
        chain=chain,
        chain_id=NETWORK_ID[chain],
        maker="",
        contracts={},
        caps={},
        unit_fee_max=1,
        gas_max=1,
        ttl_s_max=1,
        settle_s_max=1,
    )


def test_every_local_chain_has_a_signer_and_the_right_curve() -> None:
    assert tuple(CHAINS) == LOCAL_CHAINS
    for name, facts in CHAINS.items():
        assert signing_chain(name).curve is facts.curve is curve_of(name)
    assert [name for name in CHAINS if CHAINS[name].curve is Curve.SECP256K1] == ["evm"]


@pytest.mark.parametrize("chain", adapted())
def test_a_key_is_made_by_the_chain_s_own_adapter(chain: str) -> None:
    signing = signing_chain(chain).make_key(SECRET, policy(chain))
    assert signing.address == address_of_secret(chain, SECRET)
    assert signing.canonical(signing.address) == signing.canonical(signing.address)
    assert SECRET.hex() not in repr(signing).lower()


def test_hex_is_the_same_in_either_case_and_base_58_is_not() -> None:
    evm = signing_chain("evm").make_key(SECRET, policy("evm"))
    assert evm.canonical("0xAb") == evm.canonical("0xaB")
    assert CHAINS["solana"].spelling("Ab") != CHAINS["solana"].spelling("aB")


def test_only_a_chain_whose_slots_wait_has_burns() -> None:
    assert {name: facts.burn_units_max for name, facts in CHAINS.items()} == {
        "evm": 21_000,
        "solana": None,
        "ton": None,
    }


def test_an_ed25519_key_is_the_one_of_the_standard() -> None:
    if "solana" not in adapted():
        pytest.skip("the Solana adapter is not installed here")
    assert address_of_secret("solana", RFC_8032_SECRET) == RFC_8032_PUBLIC


def test_a_chain_without_a_signer_is_named() -> None:
    with pytest.raises(UsageFault, match="no signer serves chain 'bitcoin'"):
        signing_chain("bitcoin")


def test_only_evm_keys_can_be_with_a_remote_signer() -> None:
    assert [name for name in CHAINS if signing_chain(name).remote_key is not None] == ["evm"]
