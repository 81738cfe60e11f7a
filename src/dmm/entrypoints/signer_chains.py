"""The chains a signer process can serve; each is imported when a policy names it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dmm.adapters.signers.chain_signing import ChainSigning, SigningChain
from dmm.adapters.signers.keystore import Curve
from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.signers.remote import RemoteKeys, RemoteMethod
from dmm.ports import Deployment, SignedTx, SignRequest
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Intent
from dmm.units.errors import Permanent, ServiceFault, UsageFault

EVM_BURN_GAS = 21_000
"""A transaction without data that calls nothing: G_transaction, Yellow Paper, appendix G."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSigning:
    """A chain's adapter behind `ChainSigning`.

    `sign` is its module ``sign``, `book` what that takes for our deployments.
    """

    sign: Any
    key: Any
    book: Any
    burn_units_max: int | None
    spelling: Callable[[str], str]

    @property
    def address(self) -> str:
        """Return the key's address."""
        return str(self.key.address)

    def canonical(self, address: str) -> str:
        """Return the one spelling of an address."""
        return self.spelling(address)

    def sign_settlement(self, request: SignRequest) -> SignedTx:
        """Rebuild the transaction from its intent and sign it."""
        signed: SignedTx = self.sign.sign_settlement(request, key=self.key, book=self.book)
        return signed

    def sign_quote(self, quote: FirmQuote) -> bytes:
        """Sign a firm quote."""
        return bytes(self.sign.sign_quote(quote, key=self.key, book=self.book))

    def sign_statement(self, statement: Intent) -> bytes:
        """Sign a net statement, where the chain's adapter knows them."""
        sign = getattr(self.sign, "sign_statement", None)
        if sign is None:
            raise Permanent(f"chain {statement.chain!r} has no net statements")
        return bytes(sign(statement, key=self.key, book=self.book))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What differs between the chains' adapters besides their code."""

    curve: Curve
    burn_units_max: int | None
    spelling: Callable[[str], str]


CHAINS = {
    # Hex digits in either case are the same bytes; base58 letters are not.
    "evm": _Facts(curve=Curve.SECP256K1, burn_units_max=EVM_BURN_GAS, spelling=str.lower),
    "solana": _Facts(curve=Curve.ED25519, burn_units_max=None, spelling=str),
    "ton": _Facts(curve=Curve.ED25519, burn_units_max=None, spelling=str.lower),
}


def signing_chain(name: str) -> SigningChain:
    """Return how signatures of a chain are made.

    Raises
    ------
    UsageFault
        If no signer serves the chain.
    """
    if name not in CHAINS:
        raise UsageFault(f"no signer serves chain {name!r}: the policy names one of {list(CHAINS)}")

    def of_secret(secret: bytes, policy: SignerPolicy) -> ChainSigning:
        return _signing(name, _key(name, secret, policy.wallet, policy.chain_id), policy)

    return SigningChain(
        curve=CHAINS[name].curve,
        make_key=of_secret,
        remote_key=_evm_remote if name == "evm" else None,
    )


def address_of_secret(name: str, secret: bytes, *, wallet: str = "", chain_id: int = 0) -> str:
    """Return the address that a chain gives to a secret's key.

    Parameters
    ----------
    wallet, chain_id : as in a signer's policy
    """
    return str(_key(name, secret, wallet, chain_id).address)


def _key(name: str, secret: bytes, wallet: str, chain_id: int) -> Any:
    """Return a chain's key; `UsageFault` for a wallet where a key has one address alone."""
    sign = _adapter(name, "sign")
    if not wallet:
        return sign.Key(secret)
    if not hasattr(sign, "key_of"):
        raise UsageFault(f"a key of chain {name!r} has one address: take `wallet` out")
    return sign.key_of(secret, wallet=wallet, chain_id=chain_id)


def _evm_remote(remote: RemoteKeys, address: str, policy: SignerPolicy) -> ChainSigning:
    """Return the signatures of an address whose key a remote signer holds.

    Raises
    ------
    ServiceFault
        If it holds no such key.
    Retryable
        If it does not answer.
    """
    from dmm.adapters.evm.remote_key import address_of_point, by_data, by_transaction

    points = {address_of_point(point): point for point in remote.public_keys()}
    found = next((own for own in points if own.lower() == address.lower()), None)
    if found is None:
        raise ServiceFault(f"the remote signer holds no key of {address}")
    match remote.method:
        case RemoteMethod.TRANSACTION:
            key = by_transaction(found, remote.sign_transaction)
        case RemoteMethod.DATA:
            key = by_data(found, lambda data: remote.sign_data(points[found], data))
    return _signing("evm", key, policy)


def _signing(name: str, key: Any, policy: SignerPolicy) -> ChainSigning:
    deployments = {
        deployed: Deployment(chain=policy.chain, name=deployed, address=address, height=0)
        for deployed, address in policy.contracts.items()
    }
    facts = CHAINS[name]
    return AdapterSigning(
        sign=_adapter(name, "sign"),
        key=key,
        book=_adapter(name, "codec").Book(chain_id=policy.chain_id, deployments=deployments),
        burn_units_max=facts.burn_units_max,
        spelling=facts.spelling,
    )


def _adapter(name: str, module: str) -> Any:
    try:
        return importlib.import_module(f"dmm.adapters.{name}.{module}")
    except ImportError as error:
        raise ServiceFault(f"chain {name!r} cannot be served here: {error}") from error
