"""The journal's tables as rows, for pages and tests that read them; never domain types.

The schema itself, with its triggers, is in `migrations`; a test proves that both agree.
"""

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
    AttemptRow,
    IntentRow,
    LaneRow,
    LegalTransitionRow,
    SlotClaimRow,
)
from dmm.adapters.postgres.journal_tables import (
    AccountRow,
    AuditLogRow,
    DecisionRow,
    DeploymentRow,
    EpochInputRow,
    FillRow,
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

__all__ = [
    "AccountRow",
    "AttemptRow",
    "AuditLogRow",
    "BuybackRow",
    "DecisionRow",
    "DeploymentRow",
    "DispatchRunRow",
    "EpochClaimRow",
    "EpochInputRow",
    "EstimateRow",
    "FillRow",
    "HedgeOrderRow",
    "IntentRow",
    "JournalAnchorRow",
    "JournalPartitionRow",
    "KillSwitchRow",
    "LaneRow",
    "LegalTransitionRow",
    "MarketSliceRow",
    "PolicyRow",
    "QuoteNonceRow",
    "ReconRunRow",
    "RewardRow",
    "RfqQuoteRow",
    "RfqSettlementRow",
    "RunRow",
    "SlotClaimRow",
    "TransferRow",
]
