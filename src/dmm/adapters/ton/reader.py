"""What one liteserver says our contracts did, block by block, in an order all servers agree on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import RLock

from dmm.adapters.ton.cells import raw
from dmm.adapters.ton.codec import Book
from dmm.adapters.ton.history import History
from dmm.adapters.ton.messages import Tx
from dmm.adapters.ton.node import Block, GetterFailed, NoAnswer, Node
from dmm.adapters.ton.treasury_log import TreasuryLog
from dmm.adapters.ton.vault_log import Told, VaultBooks, VaultLog
from dmm.settlement.chain_event import ChainEvent
from dmm.units.errors import Permanent

CHAIN = "ton"
NO_CONTRACT = -256
"""Exit code of a get method on an account without code."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """Follows the desk's vault and treasury on one server; it never goes back.

    A masterchain block that a server has shown is final, so what was read once is kept.
    """

    node: Node
    book: Book
    _done: int = 0
    _events: list[ChainEvent] = field(default_factory=list)
    _histories: dict[str, History] = field(default_factory=dict)
    _vault: VaultLog | None = None
    _treasury: TreasuryLog | None = None
    _lock: RLock = field(default_factory=RLock)

    def __post_init__(self) -> None:
        if self.book.has("settlement"):
            self._vault = VaultLog(account=self.book.account("settlement"), book=self.book)
        if self.book.has("treasury"):
            self._treasury = TreasuryLog(account=self.book.account("treasury"), book=self.book)

    def events(self, *, first: int, last: int) -> list[ChainEvent]:
        """Return events of masterchain blocks `first` to `last`, in the chain's order."""
        with self._lock:
            self._advance(last)
        return [event for event in self._events if first <= event.height <= last]

    def transactions(self, address: str, block: Block) -> list[Tx]:
        """Return an account's transactions up to a block, oldest first."""
        with self._lock:
            if address not in self._histories:
                self._histories[address] = History(self.node, address)
            return self._histories[address].upto(block)

    def _advance(self, last: int) -> None:
        if last <= self._done:
            return
        block = self.node.block(last)
        sources: list[tuple[str, Callable[[Tx], Iterator[Told]]]] = []
        if self._vault is not None:
            sources.append((raw(self._vault.account), self._vault.read))
        if self._treasury is not None:
            accounts = (self._treasury.account, *self._treasury.wallets)
            sources += [(raw(account), self._treasury.read) for account in accounts]
        # States of all accounts at once: each is a question of its own otherwise.
        self.node.states([(address, block) for address, _ in sources])
        new = [
            (tx, read)
            for address, read in sources
            for tx in self.transactions(address, block)
            if tx.height > self._done
        ]
        new.sort(key=lambda item: (item[0].height, item[0].lt, item[0].account))
        # All questions first: what has been read into the logs must not be asked for again.
        hashes = {tx.height: self.node.block(tx.height).block_hash for tx, _ in new}
        try:
            told = [(tx, event) for tx, read in new for event in read(tx)]
        except Exception as error:
            self._forget()
            raise NoAnswer(f"liteserver {self.node.url} gave what is no transaction") from error
        self._events += _placed(told, hashes)
        self._done = last

    def _forget(self) -> None:
        """Begin again from nothing with the next question."""
        self._done = 0
        self._events.clear()
        self._histories.clear()
        self.__post_init__()

    # -- balances ---------------------------------------------------------------------------------

    def held(self, owner: int, symbol: str, block: Block) -> int:
        """Return what an owner's wallet of a jetton holds at a block, 0 where there is none."""
        wallet = raw(self.book.wallet_of(owner, symbol))
        try:
            return int(self.node.get(wallet, "get_wallet_data", [], block)[0])
        except GetterFailed as error:
            if error.code == NO_CONTRACT:
                return 0
            raise NoAnswer(f"the wallet {wallet} has no balance: {error}") from error
        except (IndexError, TypeError, ValueError) as error:
            raise NoAnswer(f"the wallet {wallet} answers no balance") from error

    def own(self, owner: int, symbol: str, block: Block) -> int:
        """Return what an owner has, for our vaults as if what is under way had not begun.

        The vault's books and the treasury's payments under way make up for what has left without
        being paid, or has come without being earned.
        """
        held = self.held(owner, symbol, block)
        if self._vault is not None and owner == self._vault.account:
            data = self.node.state(raw(owner), block).data
            if data is None:
                return 0
            try:
                books = VaultBooks.parse(data)
            except Exception as error:
                raise NoAnswer(f"the vault's data cannot be read: {error!r}") from error
            return books.own(self.book.wallet_of(owner, symbol), held=held)
        if self._treasury is not None and owner == self._treasury.account:
            with self._lock:
                self._advance(block.height)
            return held - self._treasury.in_flight(symbol, height=block.height)
        return held


def symbol_of(book: Book, asset: str) -> str:
    """Return the symbol of a jetton of ours; `Permanent` for any other."""
    if asset not in book.symbols():
        raise Permanent(f"token:{asset} is not deployed on TON")
    return asset


def _placed(told: Sequence[tuple[Tx, Told]], hashes: dict[int, str]) -> list[ChainEvent]:
    placed: list[ChainEvent] = []
    for tx, event in told:
        before = placed[-1] if placed else None
        place = before.log_index + 1 if before is not None and before.height == tx.height else 0
        placed.append(
            ChainEvent(
                chain=CHAIN,
                height=tx.height,
                block_hash=hashes[tx.height],
                tx_id=tx.tx_hash,
                log_index=place,
                source=event.source,
                name=event.name,
                args=event.args,
            )
        )
    return placed
