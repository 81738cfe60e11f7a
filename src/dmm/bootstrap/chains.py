"""How the desk gets at each chain: which adapter, and which settings it takes."""

# An SDK is imported when its chain is first used.
# ruff: noqa: PLC0415

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dmm.settings import PROJECT_ROOT, Settings
from dmm.units.errors import UsageFault

if TYPE_CHECKING:
    from dmm.ports import Chain, ChainLog, Deployment, Store
    from dmm.usecases.net_settlement import StatementIsSigned
    from dmm.usecases.rfq import VerifyAcceptance

_PACKAGED_ARTEFACTS = Path(__file__).parents[1] / "adapters" / "evm" / "build"
ARTEFACT_DIR = (
    _PACKAGED_ARTEFACTS
    if _PACKAGED_ARTEFACTS.exists()
    else PROJECT_ROOT / "contracts" / "evm" / "build"
)
"""The compiled contracts: inside an installed wheel, else in the checkout."""


class Wired(Protocol):
    """What access to a chain needs of the desk."""

    @property
    def settings(self) -> Settings:
        """Return the settings."""
        ...

    @property
    def store(self) -> Store:
        """Return the journal, which knows our deployments."""
        ...


class Access(Protocol):
    """One chain's adapters."""

    @property
    def network_id(self) -> int:
        """Return the number that signatures name the network by."""
        ...

    def chain(self) -> Chain:
        """Return the chain through the desk's nodes."""
        ...

    def log(self) -> ChainLog:
        """Return the chain's record through the desk's nodes."""
        ...

    def audit_log(self) -> ChainLog:
        """Return the chain's record through the auditor's own node."""
        ...

    def acceptance_check(self) -> VerifyAcceptance:
        """Return what tells whether a taker signed an acceptance."""
        ...


def access(wired: Wired, name: str) -> Access:
    """Return a chain's adapters.

    Raises
    ------
    UsageFault
        If the chain is not enabled, or there is no adapter for it.
    """
    config = wired.settings
    if name not in config.chains:
        raise UsageFault(
            f"chain {name!r} is not enabled, only {', '.join(config.chains)}: add it to DMM_CHAINS"
        )
    deployments = wired.store.deployments(name)
    match name:
        case "evm":
            return _Evm(config=config, deployments=deployments)
        case "solana":
            return _Solana(config=config, deployments=deployments)
        case "ton":
            return _Ton(config=config, deployments=deployments)
        case _:
            raise UsageFault(f"there is no adapter for chain {name!r}: take it out of DMM_CHAINS")


def statement_check(wired: Wired, name: str) -> StatementIsSigned | None:
    """Return what tells whether both parties signed a net statement; None where there are none."""
    if name != "evm":
        return None
    from dmm.adapters.evm.codec import Book
    from dmm.adapters.evm.verify import statement_is_signed

    deployments = wired.store.deployments(name)
    book = Book(chain_id=wired.settings.evm_chain_id, deployments=deployments)
    return functools.partial(statement_is_signed, book=book)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evm:
    config: Settings
    deployments: Mapping[str, Deployment]

    @property
    def network_id(self) -> int:
        return self.config.evm_chain_id

    def chain(self) -> Chain:
        from dmm.adapters.evm.client import EvmChain

        return EvmChain(
            rpc_urls=self.config.evm_rpc_urls,
            chain_id=self.config.evm_chain_id,
            deployments=self.deployments,
            artefact_dir=ARTEFACT_DIR,
            fee_gwei_max=self.config.evm_fee_gwei_max,
            tip_gwei=self.config.evm_tip_gwei,
        )

    def log(self) -> ChainLog:
        return self._log(self.config.evm_rpc_urls)

    def audit_log(self) -> ChainLog:
        return self._log((self.config.evm_audit_rpc_url or self.config.evm_rpc_urls[-1],))

    def _log(self, urls: tuple[str, ...]) -> ChainLog:
        from dmm.adapters.evm.events import EvmLog

        return EvmLog(
            rpc_urls=urls,
            chain_id=self.config.evm_chain_id,
            deployments=self.deployments,
            artefact_dir=ARTEFACT_DIR,
        )

    def acceptance_check(self) -> VerifyAcceptance:
        from dmm.adapters.evm.codec import Book
        from dmm.adapters.evm.verify import acceptance_is_signed

        book = Book(chain_id=self.config.evm_chain_id, deployments=self.deployments)
        return functools.partial(acceptance_is_signed, book=book)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Solana:
    config: Settings
    deployments: Mapping[str, Deployment]

    @property
    def network_id(self) -> int:
        from dmm.adapters.solana.codec import chain_id_of

        return chain_id_of(self.config.solana_genesis_hash)

    def chain(self) -> Chain:
        from dmm.adapters.solana.client import SolanaChain

        return SolanaChain(
            rpc_urls=self.config.solana_rpc_urls,
            genesis_hash=self.config.solana_genesis_hash,
            deployments=self.deployments,
            unit_fee_max=self.config.solana_unit_fee_max,
            unit_tip=self.config.solana_unit_tip,
            nonce_accounts=self.config.solana_nonce_accounts,
        )

    def log(self) -> ChainLog:
        return self._log(self.config.solana_rpc_urls)

    def audit_log(self) -> ChainLog:
        own = self.config.solana_audit_rpc_url
        return self._log((own,) if own else self.config.solana_rpc_urls[-1:])

    def _log(self, urls: tuple[str, ...]) -> ChainLog:
        from dmm.adapters.solana.events import SolanaLog

        return SolanaLog(
            rpc_urls=urls,
            genesis_hash=self.config.solana_genesis_hash,
            deployments=self.deployments,
        )

    def acceptance_check(self) -> VerifyAcceptance:
        from dmm.adapters.solana.codec import Book
        from dmm.adapters.solana.verify import acceptance_is_signed

        book = Book(chain_id=self.network_id, deployments=self.deployments)
        return functools.partial(acceptance_is_signed, book=book)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ton:
    config: Settings
    deployments: Mapping[str, Deployment]

    @property
    def network_id(self) -> int:
        return self.config.ton_global_id

    def chain(self) -> Chain:
        from dmm.adapters.ton.client import TonChain
        from dmm.adapters.ton.wallet import Wallet

        return TonChain(
            configs=self.config.ton_configs,
            global_id=self.config.ton_global_id,
            deployments=self.deployments,
            message_nanoton_max=self.config.ton_message_nanoton_max,
            wallet=Wallet(self.config.ton_wallet),
        )

    def log(self) -> ChainLog:
        return self._log(self.config.ton_configs)

    def audit_log(self) -> ChainLog:
        own = self.config.ton_audit_config
        return self._log((Path(own),) if own else self.config.ton_configs[-1:])

    def _log(self, configs: tuple[Path, ...]) -> ChainLog:
        from dmm.adapters.ton.log import TonLog

        return TonLog(
            configs=configs,
            global_id=self.config.ton_global_id,
            deployments=self.deployments,
        )

    def acceptance_check(self) -> VerifyAcceptance:
        from dmm.adapters.ton.codec import Book
        from dmm.adapters.ton.verify import acceptance_is_signed

        book = Book(chain_id=self.network_id, deployments=self.deployments)
        return functools.partial(acceptance_is_signed, book=book)
