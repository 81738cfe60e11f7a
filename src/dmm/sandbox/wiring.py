"""Where the embedded services of a run listen, for children and for other terminals."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from dmm.settings import PROJECT_ROOT, Settings, inherited_environment
from dmm.units.errors import ServiceFault
from dmm.units.ids import Json

WIRING_FILE = "desk.json"


def plain_environment(home: Path) -> dict[str, str]:
    """Return what every child gets: nothing of the caller's own settings leaks in."""
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(PROJECT_ROOT),
        **inherited_environment(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """Addresses and secrets of a run; the file is readable by its owner alone.

    `chains` holds by chain the settings by which its node is reached.
    """

    database_url: str
    prefect_api_url: str
    prefect_api_auth: str
    signer_socket: str
    quote_signer_socket: str
    kill_socket: str
    buyback_maker_url: str
    state_dir: str
    statement_taker_url: str = ""
    epoch_length_s: int = 60
    chains: dict[str, dict[str, Json]] = field(default_factory=dict)

    def settings(self) -> Settings:
        """Return the desk's settings for these services."""
        nodes: dict[str, Any] = {}
        for fields in self.chains.values():
            nodes |= fields
        if self.chains:
            nodes["chains"] = tuple(self.chains)
        return Settings(
            database_url=SecretStr(self.database_url),
            prefect_api_url=self.prefect_api_url,
            prefect_api_auth=SecretStr(self.prefect_api_auth),
            signer_socket=Path(self.signer_socket),
            quote_signer_socket=Path(self.quote_signer_socket),
            kill_socket=Path(self.kill_socket),
            buyback_maker_url=self.buyback_maker_url,
            statement_taker_url=self.statement_taker_url,
            state_dir=Path(self.state_dir),
            epoch_length_s=self.epoch_length_s,
            **nodes,
        )

    def environment(self) -> dict[str, str]:
        """Return the same settings as the environment of a child process."""
        named = {
            "DMM_DATABASE_URL": self.database_url,
            "DMM_PREFECT_API_URL": self.prefect_api_url,
            "DMM_PREFECT_API_AUTH": self.prefect_api_auth,
            "DMM_SIGNER_SOCKET": self.signer_socket,
            "DMM_QUOTE_SIGNER_SOCKET": self.quote_signer_socket,
            "DMM_KILL_SOCKET": self.kill_socket,
            "DMM_BUYBACK_MAKER_URL": self.buyback_maker_url,
            "DMM_STATEMENT_TAKER_URL": self.statement_taker_url,
            "DMM_STATE_DIR": self.state_dir,
            "DMM_EPOCH_LENGTH_S": str(self.epoch_length_s),
        }
        if self.chains:
            named["DMM_CHAINS"] = json.dumps(list(self.chains))
        for fields in self.chains.values():
            for name, value in fields.items():
                text = value if isinstance(value, str) else json.dumps(value)
                named[f"DMM_{name.upper()}"] = text
        return named

    def save(self, run_folder: Path) -> None:
        """Write the file with mode 0600, whole or not at all."""
        draft = run_folder / f"{WIRING_FILE}.tmp"
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(self), file)
        draft.replace(run_folder / WIRING_FILE)

    @classmethod
    def load(cls, run_folder: Path) -> Wiring:
        """Read the wiring of a run.

        Raises
        ------
        ServiceFault
            If no desk was started on this state folder, or the file is not readable.
        """
        path = run_folder / WIRING_FILE
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise ServiceFault(
                f"no desk runs on {run_folder.parent}: start one with `dmm up`, or name its --state"
            ) from error
