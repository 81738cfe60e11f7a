//! Names that are hashed into the interface: instructions, accounts, events.

use crate::sha256::discriminator;

macro_rules! discriminators {
    ($($name:ident = $text:literal,)*) => {
        $(pub const $name: u64 = discriminator($text);)*
    };
}

discriminators! {
    INIT_MAKER = b"global:init_maker",
    SET_SIGNER = b"global:set_signer",
    SET_MAKER_PAUSED = b"global:set_maker_paused",
    INIT_PAGE = b"global:init_page",
    CANCEL_NONCES = b"global:cancel_nonces",
    DEPOSIT = b"global:deposit",
    WITHDRAW = b"global:withdraw",
    SETTLE_QUOTE = b"global:settle_quote",
    SETTLE_ACCEPTED = b"global:settle_accepted",
    SETTLE_QUOTE_COSIGNED = b"global:settle_quote_cosigned",
    SETTLE_NET = b"global:settle_net",
    SETTLE_NET_SIGNED = b"global:settle_net_signed",

    INIT_DISTRIBUTOR = b"global:init_distributor",
    PROPOSE_VERSION = b"global:propose_version",
    VETO_VERSION = b"global:veto_version",
    SET_BUDGET = b"global:set_budget",
    LOWER_BUDGET = b"global:lower_budget",
    SET_DISTRIBUTOR_GUARDIAN = b"global:set_distributor_guardian",
    SET_DISTRIBUTOR_PAUSED = b"global:set_distributor_paused",
    CLAIM = b"global:claim",
    CLAWBACK = b"global:clawback",

    INIT_TREASURY = b"global:init_treasury",
    SET_OPERATOR = b"global:set_operator",
    SET_GUARDIAN = b"global:set_guardian",
    SET_CAP = b"global:set_cap",
    LOWER_CAP = b"global:lower_cap",
    SET_TREASURY_PAUSED = b"global:set_treasury_paused",
    PAY = b"global:pay",
    BUYBACK = b"global:buyback",

    INIT_GOVERNOR = b"global:init_governor",
    MIRROR_ORDER = b"global:mirror_order",

    ACCOUNT_MAKER = b"account:Maker",
    ACCOUNT_NONCE_PAGE = b"account:NoncePage",
    ACCOUNT_DISTRIBUTOR = b"account:Distributor",
    ACCOUNT_CLAIM = b"account:ClaimStatus",
    ACCOUNT_TREASURY = b"account:Treasury",
    ACCOUNT_CAP = b"account:TokenCap",
    ACCOUNT_KEY = b"account:UsedKey",
    ACCOUNT_GOVERNOR = b"account:Governor",

    EVENT_FILLED = b"event:Filled",
    EVENT_COSIGNED = b"event:Cosigned",
    EVENT_STATEMENT_SETTLED = b"event:StatementSettled",
    EVENT_CANCELLED = b"event:Cancelled",
    EVENT_SIGNER_SET = b"event:SignerSet",
    EVENT_PROPOSED = b"event:Proposed",
    EVENT_VETOED = b"event:Vetoed",
    EVENT_BUDGET_SET = b"event:BudgetSet",
    EVENT_CLAIMED = b"event:Claimed",
    EVENT_CLAWED_BACK = b"event:ClawedBack",
    EVENT_PAID = b"event:Paid",
    EVENT_BOUGHT_BACK = b"event:BoughtBack",
    EVENT_CAP_SET = b"event:CapSet",
    EVENT_OPERATOR_SET = b"event:OperatorSet",
    EVENT_GUARDIAN_SET = b"event:GuardianSet",
    EVENT_PAUSED_SET = b"event:PausedSet",
    EVENT_ORDER_MIRRORED = b"event:OrderMirrored",
}
