"""Where our contracts are."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.adapters.postgres.runs import Part
from dmm.adapters.postgres.session import Cursor
from dmm.ports import Deployment
from dmm.units.errors import InvariantBroken


class Deployments(Part):
    """Implements `ports.DeploymentStore`."""

    def record_deployments(self, deployments: Sequence[Deployment]) -> None:
        """Record addresses; the same again is a no-op, another address `InvariantBroken`."""
        self._session.transact(lambda cursor: _record(cursor, deployments))

    def deployments(self, chain: str) -> dict[str, Deployment]:
        """Return what is deployed on a chain, by name."""
        return self._session.transact(lambda cursor: _deployments(cursor, chain))


def _record(cursor: Cursor, deployments: Sequence[Deployment]) -> None:
    cursor.executemany(
        """INSERT INTO deployment (chain, name, address, height, decimals)
           VALUES (%s, %s, %s, %s, %s) ON CONFLICT (chain, name) DO NOTHING""",
        [(d.chain, d.name, d.address, d.height, d.decimals) for d in deployments],
    )
    for chain in sorted({deployment.chain for deployment in deployments}):
        known = _deployments(cursor, chain)
        for deployment in deployments:
            if deployment.chain == chain and known[deployment.name] != deployment:
                there = known[deployment.name]
                raise InvariantBroken(
                    f"{there.name} on {chain} is known at {there.address} from height "
                    f"{there.height}, not at {deployment.address} from {deployment.height}: this "
                    "journal belongs to another chain"
                )


def _deployments(cursor: Cursor, chain: str) -> dict[str, Deployment]:
    cursor.execute(
        """SELECT chain, name, address, height, decimals FROM deployment
           WHERE chain = %s ORDER BY name""",
        [chain],
    )
    return {
        name: Deployment(chain=on, name=name, address=address, height=height, decimals=decimals)
        for on, name, address, height, decimals in cursor
    }
