"""Reading accounts and tokens at a commitment."""

from __future__ import annotations

import base64
from typing import Any

import based58
from solders.account import Account
from solders.pubkey import Pubkey

from dmm.sandbox.solana import shapes
from dmm.sandbox.solana.failure import INVALID_PARAMS, RpcError
from dmm.sandbox.solana.methods import Config, Methods, pubkey

ACCOUNTS_PER_CALL_MAX = 100
LARGEST_MAX = 20


class AccountMethods(Methods):
    """Methods named as the chain names them."""

    def getBalance(self, address: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        account = self.account(pubkey(address), slot)
        return self.in_context(account.lamports if account else 0, slot)

    def getAccountInfo(self, address: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        account = self.account(pubkey(address), slot)
        return self.in_context(self._shaped(account, config or {}, slot), slot)

    def getMultipleAccounts(  # noqa: N802, D102
        self, addresses: list[str], config: Config | None = None
    ) -> Any:
        if len(addresses) > ACCOUNTS_PER_CALL_MAX:
            raise RpcError(INVALID_PARAMS, f"Too many inputs provided; max {ACCOUNTS_PER_CALL_MAX}")
        slot = self.slot_for(config)
        found = [self.account(pubkey(address), slot) for address in addresses]
        return self.in_context([self._shaped(one, config or {}, slot) for one in found], slot)

    def getProgramAccounts(self, program: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot, wanted, owner = self.slot_for(config), config or {}, pubkey(program)
        filters = wanted.get("filters") or []
        found = [
            {"pubkey": str(address), "account": self._shaped(account, wanted, slot)}
            for address, account in self.chain.bank.accounts(slot=slot)
            if account.owner == owner and all(_passes(account, one) for one in filters)
        ]
        return self.in_context(found, slot) if wanted.get("withContext") else found

    def getTokenAccountBalance(self, address: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        account = self.account(pubkey(address), slot)
        if account is None:
            raise RpcError(INVALID_PARAMS, "Invalid param: could not find account")
        if not shapes.is_token_account(account):
            raise RpcError(INVALID_PARAMS, "Invalid param: not a Token account")
        decimals = self._decimals(shapes.mint_of(account), slot)
        return self.in_context(shapes.amount_json(shapes.amount_of(account), decimals), slot)

    def getTokenSupply(self, mint: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        account = self.account(pubkey(mint), slot)
        if account is None or account.owner not in shapes.PROGRAM_NAMES or len(account.data) < 82:
            raise RpcError(INVALID_PARAMS, "Invalid param: not a Token mint")
        supply = int.from_bytes(bytes(account.data)[36:44], "little")
        return self.in_context(shapes.amount_json(supply, shapes.decimals_of(account)), slot)

    def getTokenLargestAccounts(self, mint: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot, wanted = self.slot_for(config), pubkey(mint)
        decimals = self._decimals(wanted, slot)
        found = [
            {
                "address": str(address),
                **shapes.amount_json(shapes.amount_of(account), decimals),
            }
            for address, account in self.chain.bank.accounts(slot=slot)
            if shapes.is_token_account(account) and shapes.mint_of(account) == wanted
        ]
        found.sort(key=lambda one: (-int(one["amount"]), one["address"]))
        return self.in_context(found[:LARGEST_MAX], slot)

    def getTokenAccountsByOwner(  # noqa: N802, D102
        self, owner: str, wanted: Config, config: Config | None = None
    ) -> Any:
        return self._token_accounts(bytes(pubkey(owner)), 32, wanted, config)

    def getTokenAccountsByDelegate(  # noqa: N802, D102
        self, delegate: str, wanted: Config, config: Config | None = None
    ) -> Any:
        return self._token_accounts(b"\1\0\0\0" + bytes(pubkey(delegate)), 72, wanted, config)

    def getLargestAccounts(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        found: list[dict[str, Any]] = [
            {"address": str(address), "lamports": account.lamports}
            for address, account in self.chain.bank.accounts(slot=slot)
        ]
        found.sort(key=lambda one: -one["lamports"])
        return self.in_context(found[:LARGEST_MAX], slot)

    def getMinimumBalanceForRentExemption(  # noqa: N802, D102
        self, space: int, config: Config | None = None
    ) -> Any:
        del config
        return self.chain.bank.rent_lamports(int(space))

    def _token_accounts(
        self, content: bytes, at: int, wanted: Config, config: Config | None
    ) -> Any:
        slot = self.slot_for(config)
        mint = pubkey(wanted["mint"]) if "mint" in wanted else None
        program = pubkey(wanted["programId"]) if "programId" in wanted else None
        if mint is None and program is None:
            raise RpcError(INVALID_PARAMS, "Invalid param: name a mint or a programId")
        found = [
            {"pubkey": str(address), "account": self._shaped(account, config or {}, slot)}
            for address, account in self.chain.bank.accounts(slot=slot)
            if shapes.is_token_account(account)
            and bytes(account.data)[at : at + len(content)] == content
            and (mint is None or shapes.mint_of(account) == mint)
            and (program is None or account.owner == program)
        ]
        return self.in_context(found, slot)

    def _shaped(self, account: Account | None, config: Config, slot: int) -> Any:
        if account is None:
            return None
        decimals = None
        if config.get("encoding") == "jsonParsed" and shapes.is_token_account(account):
            decimals = self._decimals(shapes.mint_of(account), slot)
        return shapes.account_json(account, config, decimals=decimals)

    def _decimals(self, mint: Pubkey, slot: int) -> int:
        return shapes.decimals_of(self.account(mint, slot))


def _passes(account: Account, wanted: Config | str) -> bool:
    data = bytes(account.data)
    if wanted == "tokenAccountState" or (
        isinstance(wanted, dict) and "tokenAccountState" in wanted
    ):
        return shapes.is_token_account(account)
    assert not isinstance(wanted, str)  # noqa: S101 - the only text is the one above
    if "dataSize" in wanted:
        return len(data) == int(wanted["dataSize"])
    if "memcmp" in wanted:
        content = _compared(wanted["memcmp"])
        at = int(wanted["memcmp"]["offset"])
        return data[at : at + len(content)] == content
    raise RpcError(INVALID_PARAMS, f"Invalid param: unknown filter {wanted}")


def _compared(wanted: Config) -> bytes:
    content = wanted["bytes"]
    if isinstance(content, list):
        return bytes(content)
    if wanted.get("encoding") == "base64":
        return base64.b64decode(content)
    return bytes(based58.b58decode(content.encode()))
