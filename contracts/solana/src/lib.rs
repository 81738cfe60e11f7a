//! Settlement, Distributor, Treasury and Governor mirror in one program.
//!
//! Anchor's ABI by hand: eight-byte discriminators, Borsh arguments, a legacy IDL beside the binary.
//! What every chain's contracts do alike is in contracts/interface.toml; what is particular to Solana
//! is said where it happens. Nothing here can be upgraded around: state accounts are never closed,
//! so a used nonce, key or claim is there for ever.
#![no_std]
#![allow(unexpected_cfgs)]

mod abi;
mod chain;
mod ed25519;
mod error;
mod exchange;
mod invoke;
mod math;
mod netting;
mod processor;
mod quote;
mod reader;
mod sha256;
mod spending;
mod state;
mod system;
mod token;

use pinocchio::{
    address::Address, no_allocator, nostd_panic_handler, program_entrypoint, AccountView,
    ProgramResult,
};

/// The most accounts any instruction names; further ones are ignored.
const ACCOUNTS_MAX: usize = 32;

program_entrypoint!(process_instruction, ACCOUNTS_MAX);
no_allocator!();
nostd_panic_handler!();

// Inlined: as a call of its own it would need more than the five arguments this target passes.
#[inline(always)]
fn process_instruction(
    program: &Address,
    accounts: &mut [AccountView],
    data: &[u8],
) -> ProgramResult {
    processor::dispatch(program, accounts, data)
}
