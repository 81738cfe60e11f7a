"""An embedded Prefect server on loopback, started as a child: nothing here imports Prefect."""

from dmm.sandbox.prefect.server import PrefectServer

__all__ = ["PrefectServer"]
