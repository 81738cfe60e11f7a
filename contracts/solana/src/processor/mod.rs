//! One file per instruction. Accounts are read in the order in which the IDL names them.

mod buyback;
mod cancel_nonces;
mod claim;
mod clawback;
mod deposit;
mod init_distributor;
mod init_governor;
mod init_maker;
mod init_page;
mod init_treasury;
mod lower_budget;
mod lower_cap;
mod mirror_order;
mod pay;
mod propose_version;
mod set_budget;
mod set_cap;
mod set_distributor_guardian;
mod set_distributor_paused;
mod set_guardian;
mod set_maker_paused;
mod set_operator;
mod set_signer;
mod set_treasury_paused;
mod settle_accepted;
mod settle_net;
mod settle_net_signed;
mod settle_quote;
mod settle_quote_cosigned;
mod veto_version;
mod withdraw;

use pinocchio::{address::Address, AccountView, ProgramResult};

use crate::{abi, error::Refusal, reader::Reader};

/// One call of one instruction: who is called, with which accounts and arguments.
pub struct Call<'a> {
    pub program: &'a Address,
    pub accounts: &'a mut [AccountView],
    pub arguments: Reader<'a>,
}

/// Bind the leading accounts to names, or refuse for want of them.
macro_rules! accounts {
    ($call:ident: $($name:pat),* $(,)?) => {
        let [$($name,)* ..] = $call.accounts else {
            return Err($crate::error::Refusal::MissingAccount.into());
        };
    };
}
pub(crate) use accounts;

#[inline(always)]
pub fn dispatch(program: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let mut arguments = Reader::new(data);
    let kind = arguments.u64()?;
    let call = Call { program, accounts, arguments };
    // The hot paths come first.
    match kind {
        abi::SETTLE_QUOTE => settle_quote::process(call),
        abi::SETTLE_ACCEPTED => settle_accepted::process(call),
        abi::SETTLE_QUOTE_COSIGNED => settle_quote_cosigned::process(call),
        abi::SETTLE_NET => settle_net::process(call),
        abi::SETTLE_NET_SIGNED => settle_net_signed::process(call),
        abi::PAY => pay::process(call),
        abi::BUYBACK => buyback::process(call),
        abi::CLAIM => claim::process(call),
        abi::CANCEL_NONCES => cancel_nonces::process(call),
        abi::SET_SIGNER => set_signer::process(call),
        abi::SET_MAKER_PAUSED => set_maker_paused::process(call),
        abi::INIT_MAKER => init_maker::process(call),
        abi::INIT_PAGE => init_page::process(call),
        abi::DEPOSIT => deposit::process(call),
        abi::WITHDRAW => withdraw::process(call),
        abi::INIT_DISTRIBUTOR => init_distributor::process(call),
        abi::PROPOSE_VERSION => propose_version::process(call),
        abi::VETO_VERSION => veto_version::process(call),
        abi::SET_BUDGET => set_budget::process(call),
        abi::LOWER_BUDGET => lower_budget::process(call),
        abi::SET_DISTRIBUTOR_GUARDIAN => set_distributor_guardian::process(call),
        abi::SET_DISTRIBUTOR_PAUSED => set_distributor_paused::process(call),
        abi::CLAWBACK => clawback::process(call),
        abi::INIT_TREASURY => init_treasury::process(call),
        abi::SET_OPERATOR => set_operator::process(call),
        abi::SET_GUARDIAN => set_guardian::process(call),
        abi::SET_CAP => set_cap::process(call),
        abi::LOWER_CAP => lower_cap::process(call),
        abi::SET_TREASURY_PAUSED => set_treasury_paused::process(call),
        abi::INIT_GOVERNOR => init_governor::process(call),
        abi::MIRROR_ORDER => mirror_order::process(call),
        _ => Err(Refusal::WrongInstruction.into()),
    }
}
