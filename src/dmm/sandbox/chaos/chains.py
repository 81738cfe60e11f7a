"""Local chains as a desk sees them through several nodes, some of which can be made to lie.

Ports stay over a kill and a start, so that whoever holds an address finds the node again. The
first node of each chain is the true one: the DEMO actors and the auditor speak to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dmm.adapters.signers.policy import SignerPolicy
from dmm.ports import Deployment
from dmm.sandbox.chains import LocalChain
from dmm.sandbox.chaos.liar import LyingNode, Manner, Twist, twist_evm, twist_solana
from dmm.sandbox.evm.local import BLOCK_MS, EvmLocalChain
from dmm.sandbox.evm.node import FINALITY_BLOCKS, EvmNode
from dmm.sandbox.process import free_port
from dmm.sandbox.solana.local import SolanaLocalChain
from dmm.sandbox.ton.local import BLOCK_MS as TON_BLOCK_MS
from dmm.sandbox.ton.local import IDLE_MS, TonLocalChain
from dmm.sandbox.ton.node import TonNode
from dmm.units.errors import UsageFault
from dmm.units.ids import Json

NODES = 3
"""Nodes of a chain: two make a quorum, so one may lie or be silent."""

TON_STALE_BLOCKS = 20


class ChaosChain(LocalChain, Protocol):
    """A local chain that can be disturbed.

    `ahead_s` is how far its time will be ahead of this machine's; set before `deploy`.
    """

    ahead_s: int

    def disturb(self, place: int, manner: Manner) -> None:
        """Make one node answer in a manner until `calm`.

        Parameters
        ----------
        place : 1 or 2; node 0 stays honest
        """
        ...

    def is_heard(self, place: int) -> bool:
        """Tell whether anybody has had an untrue or missing answer, where that can be told."""
        ...

    def calm(self, place: int) -> str:
        """Make a node honest again; return what was seen of it."""
        ...

    def reorganise(self, depth: int) -> None:
        """Replace the last blocks by others."""
        ...

    def revive(self) -> None:
        """Start the node again after its process was killed."""
        ...

    def before_kill(self) -> None:
        """Bring to disk what a kill must not take: a real chain outlives one of its nodes."""
        ...

    def pass_time(self, until_s: int) -> None:
        """Move the chain's time past a second, and blocks after it to finality."""
        ...


class _Liars:
    """The two proxies of a chain."""

    def __init__(self, twist: Twist) -> None:
        self._open = ExitStack()
        self._twist = twist
        self._nodes: list[LyingNode] = []

    def begin(self, upstream: Callable[[], str]) -> None:
        """Listen; again is a no-op."""
        while len(self._nodes) < NODES - 1:
            self._nodes.append(self._open.enter_context(LyingNode(upstream, self._twist)))

    def urls(self) -> list[Json]:
        return [node.url for node in self._nodes]

    def disturb(self, place: int, manner: Manner) -> None:
        self._nodes[place - 1].manner = manner

    def is_heard(self, place: int) -> bool:
        return self._nodes[place - 1].lies > 0

    def calm(self, place: int) -> str:
        return f"honest again, {self._nodes[place - 1].calm()} answers untrue or missing"

    def end(self) -> None:
        self._open.close()
        self._nodes.clear()


def _reaching(policy: SignerPolicy, ahead_s: int) -> SignerPolicy:
    """Return a DEMO policy whose quotes reach as far beyond the chain's time as before.

    The quote signer bounds a quote's life by its own clock. Where the chain's time was moved ahead
    of this machine's, that bound has to move along; it stays as tight as it was.
    """
    return replace(
        policy,
        ttl_s_max=policy.ttl_s_max + ahead_s,
        settle_s_max=policy.settle_s_max + ahead_s,
    )


class ChaosEvm(EvmLocalChain):
    """The EVM chain behind one true node and two proxies."""

    ahead_s = 0

    def __init__(self, *, root: Path, folder: Path, cache_dir: Path) -> None:
        super().__init__(root=root, folder=folder, cache_dir=cache_dir)
        self.node = EvmNode(root=root, folder=folder, port=free_port(), tick_ms=BLOCK_MS)
        self._liars = _Liars(twist_evm)

    def start(self) -> None:
        """Start node and proxies."""
        super().start()
        self._liars.begin(lambda: self.node.url)

    def stop(self) -> None:
        """Stop both; again is a no-op."""
        super().stop()
        self._liars.end()

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' policy, for a chain whose time is ahead."""
        return _reaching(super().signer_policy(deployments), self.ahead_s)

    def revive(self) -> None:
        """Start the node again after its process was killed."""
        self.node.stop()
        self.node.resume()
        self.node.start()

    def settings(self) -> dict[str, Json]:
        """Return how a desk reaches the nodes, and the auditor the true one."""
        plain = super().settings()
        urls: list[Json] = [self.node.url, *self._liars.urls()]
        return {**plain, "evm_rpc_urls": urls, "evm_audit_rpc_url": self.node.url}

    def disturb(self, place: int, manner: Manner) -> None:
        """Make one proxy lie."""
        self._liars.disturb(place, manner)

    def is_heard(self, place: int) -> bool:
        """Tell whether the proxy has lied to anybody."""
        return self._liars.is_heard(place)

    def calm(self, place: int) -> str:
        """Make it honest again."""
        return self._liars.calm(place)

    def reorganise(self, depth: int) -> None:
        """Replace the last blocks by empty ones."""
        self.node.reorg(depth)

    def before_kill(self) -> None:
        """Stop blocks and write the chain: what is final on one machine lives on its disk alone."""
        self.node.pause()
        self.node.checkpoint()

    def pass_time(self, until_s: int) -> None:
        """Move the clock, then make blocks until one of them is final."""
        head = self.node.rpc("eth_getBlockByNumber", "latest", False)  # noqa: FBT003 - JSON-RPC
        self.node.rpc("evm_increaseTime", max(0, until_s - int(head["timestamp"], 16)) + 1)
        self.node.mine(FINALITY_BLOCKS + 1)


class ChaosSolana(SolanaLocalChain):
    """The Solana chain behind one true node and two proxies."""

    ahead_s = 0

    def __init__(self, *, root: Path, folder: Path, cache_dir: Path) -> None:
        del cache_dir
        super().__init__(root=root, folder=folder)
        self._liars = _Liars(twist_solana)

    def start(self) -> None:
        """Start node and proxies."""
        super().start()
        self._liars.begin(lambda: self.node.url)

    def stop(self) -> None:
        """Stop both; again is a no-op."""
        super().stop()
        self._liars.end()

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' policy, for a chain whose time is ahead."""
        return _reaching(super().signer_policy(deployments), self.ahead_s)

    def revive(self) -> None:
        """Start the node again after its process was killed."""
        self.node.stop()
        self.node.start()

    def settings(self) -> dict[str, Json]:
        """Return how a desk reaches the nodes, and the auditor the true one."""
        plain = super().settings()
        urls: list[Json] = [self.node.url, *self._liars.urls()]
        return {**plain, "solana_rpc_urls": urls, "solana_audit_rpc_url": self.node.url}

    def disturb(self, place: int, manner: Manner) -> None:
        """Make one proxy lie."""
        self._liars.disturb(place, manner)

    def is_heard(self, place: int) -> bool:
        """Tell whether the proxy has lied to anybody."""
        return self._liars.is_heard(place)

    def calm(self, place: int) -> str:
        """Make it honest again."""
        return self._liars.calm(place)

    def reorganise(self, depth: int) -> None:
        """Let the last slots lose."""
        self.node.call("dmm_fork", depth)

    def before_kill(self) -> None:
        """Do nothing: the node's journal is written before it answers."""

    def pass_time(self, until_s: int) -> None:
        """Set the clock; slots go on from there."""
        self.node.call("dmm_setTime", until_s + 1)


class ChaosTon(TonLocalChain):
    """The TON chain behind three liteservers of its own, two of which can be stale or deaf."""

    ahead_s = 0

    def __init__(self, *, root: Path, folder: Path, cache_dir: Path) -> None:
        super().__init__(root=root, folder=folder, cache_dir=cache_dir)
        ports = tuple(free_port() for _ in range(NODES))
        self.node = TonNode(
            root=root, folder=folder, ports=ports, tick_ms=TON_BLOCK_MS, idle_ms=IDLE_MS
        )

    def signer_policy(self, deployments: Mapping[str, Deployment]) -> SignerPolicy:
        """Return the DEMO signers' policy, for a chain whose time is ahead."""
        return _reaching(super().signer_policy(deployments), self.ahead_s)

    def revive(self) -> None:
        """Start the node again after its process was killed."""
        self.node.stop()
        self.node.start()

    def disturb(self, place: int, manner: Manner) -> None:
        """Make one liteserver stale or deaf."""
        if manner not in (Manner.STALE, Manner.SILENT):
            raise UsageFault(f"a local liteserver can be stale or silent, not {manner}")
        is_stale = manner is Manner.STALE
        self.node.set_server(
            place, behind=TON_STALE_BLOCKS if is_stale else 0, is_deaf=not is_stale
        )

    def is_heard(self, place: int) -> bool:
        """Take it for granted: a liteserver counts nothing."""
        del place
        return True

    def calm(self, place: int) -> str:
        """Make it well again."""
        self.node.set_server(place)
        return "well again"

    def reorganise(self, depth: int) -> None:
        """Refuse: a masterchain block is final as soon as it is there."""
        raise UsageFault(f"the local TON chain takes no {depth} blocks back")

    def before_kill(self) -> None:
        """Do nothing: the node's journal is written before it answers."""

    def pass_time(self, until_s: int) -> None:
        """Move the clock and close a block there."""
        self.node.advance(max(0, until_s - int(self.node.status()["time_s"])) + 1)


CHAINS: dict[str, Callable[..., ChaosChain]] = {
    "evm": ChaosEvm,
    "solana": ChaosSolana,
    "ton": ChaosTon,
}


def open_chain(
    name: str, *, root: Path, folder: Path, cache_dir: Path, ahead_s: int = 0
) -> ChaosChain:
    """Return a chain that can be disturbed, not started; see `dmm.sandbox.chains.open_chain`.

    Raises
    ------
    UsageFault
        If there is none of this name.
    """
    if name not in CHAINS:
        raise UsageFault(f"there is no chain {name!r} for chaos: choose of {', '.join(CHAINS)}")
    chain = CHAINS[name](root=root, folder=folder, cache_dir=cache_dir)
    chain.ahead_s = ahead_s
    return chain
