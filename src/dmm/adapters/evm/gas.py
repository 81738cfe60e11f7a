"""What gas costs now, by the first node that says so."""

from __future__ import annotations

from collections.abc import Sequence

from dmm.adapters.evm.node import NoAnswer, Node, NodeRefused
from dmm.units.errors import Retryable


class EvmGas:
    """Implements `dmm.ports.GasMeter`. One node's word is enough: the price only bends a quote."""

    def __init__(self, *, rpc_urls: Sequence[str], chain_id: int) -> None:
        """Describe the chain; nothing is asked yet.

        Parameters
        ----------
        rpc_urls : nodes, best first
        chain_id : what they must be on
        """
        self._nodes = [Node(url, chain_id=chain_id) for url in rpc_urls]

    def gas_price(self) -> int:
        """Return what the next block is likely to ask, wei per gas; `Retryable` if nobody says."""
        faults: list[str] = []
        for node in self._nodes:
            try:
                answer = node.call("eth_gasPrice")
            except (NoAnswer, NodeRefused) as fault:
                faults.append(str(fault))
                continue
            if isinstance(answer, str) and answer.startswith("0x"):
                return int(answer, 16)
            faults.append(f"node {node.name} calls the gas price {answer!r}")
        raise Retryable(f"nobody tells the gas price: {'; '.join(faults)}")
