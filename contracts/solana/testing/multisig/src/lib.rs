//! A multisig for local chains and tests: an address without a key that acts when enough owners
//! sign the transaction. It has no time lock and no state: owners and threshold are its address.
//!
//! Data: bump, threshold, owners (count), then the data of the call that is made. Accounts: the
//! owners, the vault, the program to call, then that program's accounts. The vault's address is
//! derived from "vault", threshold and the hash of the owners' keys. The vault signs wherever it
//! stands among the called program's accounts.
#![no_std]
#![allow(unexpected_cfgs)]

use core::mem::MaybeUninit;
use pinocchio::{
    address::Address,
    cpi::{invoke_signed_with_bounds, Seed, Signer},
    error::ProgramError,
    instruction::{InstructionAccount, InstructionView},
    no_allocator, nostd_panic_handler, program_entrypoint, AccountView, ProgramResult,
};

const ACCOUNTS_MAX: usize = 40;
const CALL_ACCOUNTS_MAX: usize = 24;

program_entrypoint!(process_instruction, ACCOUNTS_MAX);
no_allocator!();
nostd_panic_handler!();

#[inline(always)]
fn process_instruction(_: &Address, accounts: &mut [AccountView], data: &[u8]) -> ProgramResult {
    let [bump, threshold, count, call @ ..] = data else {
        return Err(ProgramError::InvalidInstructionData);
    };
    if accounts.len() < *count as usize + 2 {
        return Err(ProgramError::NotEnoughAccountKeys);
    }
    let (owners, rest) = accounts.split_at(*count as usize);
    if *threshold == 0 || signatures(owners) < *threshold as usize {
        return Err(ProgramError::MissingRequiredSignature);
    }
    let (vault, target, callee) = (&rest[0], &rest[1], &rest[2..]);
    let (digest, quorum, bump) = (digest_of(owners), [*threshold], [*bump]);
    let seeds = [
        Seed::from(b"vault"),
        Seed::from(&quorum),
        Seed::from(&digest),
        Seed::from(&bump),
    ];
    invoke(vault, target, callee, call, &[Signer::from(&seeds)])
}

/// How many of the owners signed; an owner that stands twice counts once.
fn signatures(owners: &[AccountView]) -> usize {
    let mut found = 0;
    for (i, owner) in owners.iter().enumerate() {
        let again = owners[..i].iter().any(|other| other.address() == owner.address());
        found += (owner.is_signer() && !again) as usize;
    }
    found
}

#[inline(never)]
fn digest_of(owners: &[AccountView]) -> [u8; 32] {
    let mut keys = [&[] as &[u8]; ACCOUNTS_MAX];
    for (slot, owner) in keys.iter_mut().zip(owners) {
        *slot = owner.address().as_array();
    }
    let mut digest = [0u8; 32];
    #[cfg(target_arch = "bpf")]
    unsafe {
        pinocchio::syscalls::sol_sha256(
            keys.as_ptr() as *const u8,
            owners.len() as u64,
            digest.as_mut_ptr(),
        );
    }
    #[cfg(not(target_arch = "bpf"))]
    core::hint::black_box((&keys, &mut digest));
    digest
}

#[inline(always)]
fn invoke(
    vault: &AccountView,
    target: &AccountView,
    callee: &[AccountView],
    data: &[u8],
    signers: &[Signer],
) -> ProgramResult {
    if callee.len() > CALL_ACCOUNTS_MAX {
        return Err(ProgramError::InvalidArgument);
    }
    let mut metas = [const { MaybeUninit::<InstructionAccount>::uninit() }; CALL_ACCOUNTS_MAX];
    for (slot, view) in metas.iter_mut().zip(callee) {
        let signs = view.is_signer() || view.address() == vault.address();
        slot.write(InstructionAccount::new(view.address(), view.is_writable(), signs));
    }
    // The first `callee.len()` entries were written.
    let accounts = unsafe {
        core::slice::from_raw_parts(metas.as_ptr() as *const InstructionAccount, callee.len())
    };
    let instruction = InstructionView { program_id: target.address(), data, accounts };
    invoke_signed_with_bounds::<CALL_ACCOUNTS_MAX, AccountView>(&instruction, callee, signers)
}
