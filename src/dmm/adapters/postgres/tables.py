"""The journal's tables as rows, for pages and tests that read them; never domain types.

The schema itself, with its triggers, is in `migrations`; a test proves that both agree.
"""

from dmm.adapters.postgres.chain_tables import ChainBlockRow, ChainEventRow, FinalBlockRow
from dmm.adapters.postgres.epoch_tables import (
    BuybackRow,
    DispatchRunRow,
    EpochClaimRow,
    EstimateRow,
    HedgeOrderRow,
    ReconRunRow,
    RewardRow,
    RfqSettlementRow,
)
from dmm.adapters.postgres.intent_tables import (
    AdoptOnlyRow,
    AttemptRow,
    IntentRow,
    LaneRow,
    LegalTransitionRow,
    QuarantineReleaseRow,
    SlotClaimRow,
)
from dmm.adapters.postgres.journal_tables import (
    AccountRow,
    AuditLogRow,
    DecisionRow,
    DeploymentRow,
    EpochInputRow,
    FillRow,
    HaltLatchRow,
    JournalAnchorRow,
    JournalPartitionRow,
    KillSwitchRow,
    MarketSliceRow,
    PolicyRow,
    QuoteNonceRow,
    RfqQuoteRow,
    RunRow,
    TransferRow,
)
from dmm.adapters.postgres.research_tables import (
    ParameterSearchPieceRow,
    ParameterSearchRow,
    PolicyCandidateRow,
)

__all__ = [
    "AccountRow",
    "AdoptOnlyRow",
    "AttemptRow",
    "AuditLogRow",
    "BuybackRow",
    "ChainBlockRow",
    "ChainEventRow",
    "DecisionRow",
    "DeploymentRow",
    "DispatchRunRow",
    "EpochClaimRow",
    "EpochInputRow",
    "EstimateRow",
    "FillRow",
    "FinalBlockRow",
    "HaltLatchRow",
    "HedgeOrderRow",
    "IntentRow",
    "JournalAnchorRow",
    "JournalPartitionRow",
    "KillSwitchRow",
    "LaneRow",
    "LegalTransitionRow",
    "MarketSliceRow",
    "ParameterSearchPieceRow",
    "ParameterSearchRow",
    "PolicyCandidateRow",
    "PolicyRow",
    "QuarantineReleaseRow",
    "QuoteNonceRow",
    "ReconRunRow",
    "RewardRow",
    "RfqQuoteRow",
    "RfqSettlementRow",
    "RunRow",
    "SlotClaimRow",
    "TransferRow",
]
