//! Ends well whatever it is asked, as an attacker's look-alike of another program would.
#![no_std]
#![allow(unexpected_cfgs)]

use pinocchio::{
    address::Address, no_allocator, nostd_panic_handler, program_entrypoint, AccountView,
    ProgramResult,
};

program_entrypoint!(process_instruction, 16);
no_allocator!();
nostd_panic_handler!();

#[inline(always)]
fn process_instruction(_: &Address, _: &mut [AccountView], _: &[u8]) -> ProgramResult {
    Ok(())
}
