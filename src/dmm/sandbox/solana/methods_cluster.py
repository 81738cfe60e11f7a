"""What the cluster is: slots, epochs, versions. This one has a single node and no stake."""

from __future__ import annotations

import base64
from typing import Any

from solders.message import from_bytes_versioned
from solders.pubkey import Pubkey

from dmm.sandbox.solana.bank import BLOCKHASH_SLOTS, SLOTS_PER_EPOCH
from dmm.sandbox.solana.failure import INVALID_PARAMS, RpcError
from dmm.sandbox.solana.methods import API_VERSION, Config, Methods, blockhash, pubkey

LAMPORTS_PER_SIGNATURE = 5_000
SIGNATURE_CHECKS = {
    Pubkey.from_string("Ed25519SigVerify111111111111111111111111111"),
    Pubkey.from_string("KeccakSecp256k11111111111111111111111111111"),
}


class ClusterMethods(Methods):
    """Methods named as the chain names them."""

    def getHealth(self) -> Any:  # noqa: N802, D102
        return "ok"

    def getVersion(self) -> Any:  # noqa: N802, D102
        return {"solana-core": API_VERSION, "feature-set": 0}

    def getGenesisHash(self) -> Any:  # noqa: N802, D102
        return str(self.chain.bank.genesis)

    def getIdentity(self) -> Any:  # noqa: N802, D102
        return {"identity": self._identity()}

    def getClusterNodes(self) -> Any:  # noqa: N802, D102
        return [
            {
                "pubkey": self._identity(),
                "gossip": None,
                "tpu": None,
                "rpc": None,
                "version": API_VERSION,
                "featureSet": 0,
                "shredVersion": 0,
            }
        ]

    def getSlot(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        return self.slot_for(config)

    def getBlockHeight(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        return self.slot_for(config)

    def getSlotLeader(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        return self._identity()

    def getLeaderSchedule(self, slot: Any = None, config: Config | None = None) -> Any:  # noqa: N802, D102
        del slot, config
        return {self._identity(): list(range(SLOTS_PER_EPOCH // 1_000))}

    def getEpochInfo(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        return {
            "absoluteSlot": slot,
            "blockHeight": slot,
            "epoch": slot // SLOTS_PER_EPOCH,
            "slotIndex": slot % SLOTS_PER_EPOCH,
            "slotsInEpoch": SLOTS_PER_EPOCH,
            "transactionCount": len(self.chain.bank.records),
        }

    def getEpochSchedule(self) -> Any:  # noqa: N802, D102
        return {
            "slotsPerEpoch": SLOTS_PER_EPOCH,
            "leaderScheduleSlotOffset": SLOTS_PER_EPOCH,
            "warmup": False,
            "firstNormalEpoch": 0,
            "firstNormalSlot": 0,
        }

    def getFirstAvailableBlock(self) -> Any:  # noqa: N802, D102
        return 0

    def minimumLedgerSlot(self) -> Any:  # noqa: N802, D102
        return 0

    def getTransactionCount(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        return sum(record.slot <= slot for record in self.chain.bank.records.values())

    def getSupply(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        total = sum(account.lamports for _, account in self.chain.bank.accounts(slot=slot))
        supply = {"total": total, "circulating": total, "nonCirculating": 0}
        return self.in_context({**supply, "nonCirculatingAccounts": []}, slot)

    def getInflationGovernor(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        names = ("initial", "terminal", "taper", "foundation", "foundationTerm")
        return dict.fromkeys(names, 0.0)

    def getInflationRate(self) -> Any:  # noqa: N802, D102
        epoch = self.chain.head // SLOTS_PER_EPOCH
        return {"total": 0.0, "validator": 0.0, "foundation": 0.0, "epoch": epoch}

    def getInflationReward(self, addresses: list[str], config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        return [None for _ in addresses]

    def getVoteAccounts(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        del config
        return {"current": [], "delinquent": []}

    def getRecentPerformanceSamples(self, limit: int = 720) -> Any:  # noqa: N802, D102
        slot_ms = self.chain.pace.slot_ms
        if not slot_ms or limit < 1:
            return []
        return [
            {
                "slot": self.chain.head,
                "numTransactions": len(self.chain.bank.records),
                "numSlots": 60_000 // slot_ms,
                "samplePeriodSecs": 60,
                "numNonVoteTransactions": len(self.chain.bank.records),
            }
        ]

    def getRecentPrioritizationFees(self, addresses: list[str] | None = None) -> Any:  # noqa: N802, D102
        for address in addresses or []:
            pubkey(address)
        return [{"slot": self.chain.head, "prioritizationFee": 0}]

    def getLatestBlockhash(self, config: Config | None = None) -> Any:  # noqa: N802, D102
        slot = self.slot_for(config)
        found = self.chain.bank.blockhash(slot)
        value = {"blockhash": str(found), "lastValidBlockHeight": slot + BLOCKHASH_SLOTS}
        return self.in_context(value, slot)

    def isBlockhashValid(self, text: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        found = self.chain.blockhash_slot(blockhash(text))
        return self.in_context(found is not None, self.slot_for(config))

    def getFeeForMessage(self, text: str, config: Config | None = None) -> Any:  # noqa: N802, D102
        try:
            message = from_bytes_versioned(base64.b64decode(text))
        except ValueError as error:
            raise RpcError(INVALID_PARAMS, f"failed to deserialize message: {error}") from error
        slot = self.slot_for(config)
        if self.chain.blockhash_slot(message.recent_blockhash) is None:
            return self.in_context(None, slot)
        keys = message.account_keys
        checks = sum(
            bytes(call.data)[0]
            for call in message.instructions
            if call.program_id_index < len(keys)
            and keys[call.program_id_index] in SIGNATURE_CHECKS
            and call.data
        )
        signatures = message.header.num_required_signatures + checks
        return self.in_context(LAMPORTS_PER_SIGNATURE * signatures, slot)

    def _identity(self) -> str:
        return str(Pubkey(bytes(self.chain.bank.genesis)))
