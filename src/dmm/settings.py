"""Typed settings, read once: environment (``DMM_…``) over a TOML file over the defaults here.

Only this module reads the environment. Secrets are `SecretStr`: they print as stars.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from dmm.units.chain import HOME_CHAIN

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The checkout (or site-packages' parent); state folders default to a place below it."""


class Settings(BaseSettings):
    """Everything that may differ between machines; see infra/settings.sample.toml."""

    model_config = SettingsConfigDict(env_prefix="DMM_", extra="forbid", frozen=True)

    database_url: SecretStr = Field(
        default=SecretStr("postgresql://localhost/dmm"),
        description="Postgres >= 15 with the desk's journal.",
    )
    driver_database_url: SecretStr = Field(
        default=SecretStr(""),
        description="The driver's own login, alone to read signed bytes; empty: database_url.",
    )
    prefect_api_url: str = Field(
        default="http://127.0.0.1:4200/api", description="Prefect's REST interface."
    )
    prefect_api_auth: SecretStr = Field(
        default=SecretStr(""), description="`user:password` of Prefect's API; empty for none."
    )
    chains: tuple[str, ...] = Field(
        default=(HOME_CHAIN,), description="Chains the desk settles on; evm is always one of them."
    )
    evm_rpc_urls: tuple[str, ...] = Field(
        default=("http://127.0.0.1:8545",), description="Nodes of the EVM chain, best first."
    )
    evm_audit_rpc_url: str = Field(
        default="", description="The auditor's own node; empty means the last of evm_rpc_urls."
    )
    evm_chain_id: int = Field(default=31337, gt=0, description="The chain id a node must answer.")
    evm_fee_gwei_max: int = Field(default=200, gt=0, description="Cap of the fee per gas, in gwei.")
    evm_tip_gwei: int = Field(default=1, ge=0, description="Tip per gas, in gwei.")
    solana_rpc_urls: tuple[str, ...] = Field(
        default=(), description="RPC nodes of the Solana cluster, best first."
    )
    solana_audit_rpc_url: str = Field(
        default="", description="The auditor's own node; empty means the last of solana_rpc_urls."
    )
    solana_genesis_hash: str = Field(
        default="", description="The genesis hash a Solana node must answer, base58."
    )
    solana_unit_fee_max: int = Field(
        default=1_000_000,
        gt=0,
        description="Cap of the priority fee, in millionths of a lamport per compute unit.",
    )
    solana_unit_tip: int = Field(
        default=1_000,
        ge=0,
        description="Priority fee to begin with, in millionths of a lamport per compute unit.",
    )
    solana_nonce_accounts: tuple[str, ...] = Field(
        default=(),
        description="Nonce accounts whose authority is the settlement signer: send slots are their "
        "values; empty: send slots are the reach of recent blockhashes.",
    )
    ton_configs: tuple[Path, ...] = Field(
        default=(),
        description="Files in the form of TON's global.config.json, each a set of liteservers.",
    )
    ton_audit_config: str = Field(
        default="", description="The auditor's own file; empty means the last of ton_configs."
    )
    ton_global_id: int = Field(
        default=-239, description="The number of the TON network, signed into every message."
    )
    ton_message_nanoton_max: int = Field(
        default=1_000_000_000,
        gt=0,
        description="Cap of what is attached to one message on TON, in nanoton.",
    )
    ton_wallet: Literal["highload-v3", "v5"] = Field(
        default="highload-v3",
        description="The settlement signer's wallet on TON, highload-v3 or v5; its policy names "
        "the same.",
    )
    signer_socket: Path = Field(
        default=Path("/run/dmm/settlement.sock"),
        description="Unix socket of the settlement signer of the home chain; that of another "
        "chain lies beside it, for example settlement-solana.sock.",
    )
    quote_signer_socket: Path = Field(
        default=Path("/run/dmm/quote.sock"),
        description="Unix socket of the quote signer of the home chain; that of another chain "
        "lies beside it, for example quote-solana.sock.",
    )
    kill_socket: Path = Field(
        default=Path("/run/dmm-worker/kill.sock"),
        description="Unix socket on which the worker hears a kill past the journal.",
    )
    buyback_maker_url: str = Field(
        default="", description="The market maker asked for buyback quotes, over HTTP."
    )
    statement_taker_url: str = Field(
        default="",
        description="Who is asked, over HTTP, to sign net statements for the takers; empty: nets "
        "carry their quotes in the call.",
    )
    peg_url: str = Field(
        default="",
        description="Public ticker of the cash asset in its reference currency, with bid and ask; "
        "empty: its peg is not watched.",
    )
    state_dir: Path = Field(
        default=PROJECT_ROOT / ".dmm", description="Where embedded services keep their files."
    )
    archive_dir: str = Field(
        default="",
        description="Folder of pruned partitions; empty means `archive` in state_dir.",
    )
    intent_deadline_s: int = Field(
        default=86_400,
        ge=60,
        description="Chain seconds from an epoch's opening until its payments may no longer land.",
    )
    lease_s: int = Field(default=30, ge=1, description="How long a driver holds an intent.")
    dispatch_wait_s_max: float = Field(
        default=30.0, gt=0, description="How long one sweep of the outbox may wait for finality."
    )
    settle_in_flight_max: int = Field(
        default=64, ge=1, description="Payments of one kind that may be sent and in no block yet."
    )
    settle_value_max: dict[str, int] = Field(
        default={},
        description="By asset, the atoms of one kind of payment that may be on their way and not "
        "final; an asset without an entry has no bound.",
    )
    reorg_depth_max: int = Field(
        default=64, ge=1, description="Blocks the log follower walks back at the most."
    )
    epoch_length_s: int = Field(
        default=60, ge=5, description="Length of the desk's epochs in `dmm up`, seconds."
    )
    dask_scheduler: str = Field(
        default="",
        description="Address of a Dask scheduler for parameter searches, for example "
        "tcp://10.0.0.7:8786; empty to search on this machine.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        description="Least severe log line that is written.",
    )
    metrics_port: int = Field(
        default=0, ge=0, le=65_535, description="Port of /metrics; 0 means off."
    )

    @field_validator("chains")
    @classmethod
    def _has_home(cls, chains: tuple[str, ...]) -> tuple[str, ...]:
        if HOME_CHAIN not in chains or len(set(chains)) != len(chains):
            raise ValueError(f"must hold {HOME_CHAIN!r}, and every chain once, got {chains}")
        return chains

    def settlement_socket(self, chain: str) -> Path:
        """Return the socket of a chain's settlement signer."""
        return socket_of(self.signer_socket, chain)

    def quote_socket(self, chain: str) -> Path:
        """Return the socket of a chain's quote signer."""
        return socket_of(self.quote_signer_socket, chain)

    @property
    def tape_folder(self) -> Path:
        """Return the folder of recordings that the weekly search looks at."""
        return self.state_dir / "tapes"

    @property
    def archive_folder(self) -> Path:
        """Return the folder for pruned partitions."""
        return Path(self.archive_dir) if self.archive_dir else self.state_dir / "archive"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the constructor's values, the environment, then the file ``DMM_CONFIG`` names."""
        path = os.environ.get("DMM_CONFIG")
        toml = TomlConfigSettingsSource(settings_cls, toml_file=path) if path else None
        return (init_settings, env_settings, *((toml,) if toml else ()))


def inherited_environment() -> dict[str, str]:
    """Return what children take over of the caller's environment: where compiled code is kept."""
    return {name: os.environ[name] for name in ("NUMBA_CACHE_DIR",) if os.environ.get(name)}


def socket_of(home: Path, chain: str) -> Path:
    """Return a chain's socket: that of the home chain is `home`, the others lie beside it."""
    return home if chain == HOME_CHAIN else home.with_name(f"{home.stem}-{chain}{home.suffix}")


@functools.cache
def settings() -> Settings:
    """Return the process's settings, read on the first call."""
    return Settings()
