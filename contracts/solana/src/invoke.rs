//! Calls of other programs: pinocchio's own, without its comparison of each address with itself,
//! which costs a hundred units per account.

use core::mem::MaybeUninit;

use pinocchio::{
    address::Address,
    cpi::{invoke_signed_unchecked, CpiAccount, Signer},
    instruction::{InstructionAccount, InstructionView},
    AccountView, ProgramResult,
};

/// What an account is to the program that is called.
#[derive(Clone, Copy)]
pub enum Role {
    Readonly,
    Writable,
    Signer,
    WritableSigner,
}

/// Call `program`; `signers` are the addresses of ours that sign beside the transaction's.
#[inline(always)]
pub fn invoke<const N: usize>(
    program: &Address,
    data: &[u8],
    accounts: [(&AccountView, Role); N],
    signers: &[Signer],
) -> ProgramResult {
    for (view, role) in &accounts {
        // What we have borrowed, a called program must not change.
        match role {
            Role::Readonly | Role::Signer => view.check_borrow()?,
            Role::Writable | Role::WritableSigner => view.check_borrow_mut()?,
        }
    }
    let metas: [InstructionAccount; N] = core::array::from_fn(|i| {
        let (view, role) = accounts[i];
        InstructionAccount {
            address: view.address(),
            is_writable: matches!(role, Role::Writable | Role::WritableSigner),
            is_signer: matches!(role, Role::Signer | Role::WritableSigner),
        }
    });
    // Written in place: an array made by value is copied once more.
    let mut infos = [const { MaybeUninit::<CpiAccount>::uninit() }; N];
    for (info, (view, _)) in infos.iter_mut().zip(&accounts) {
        CpiAccount::init_from_account_view(view, info);
    }
    let call = InstructionView { program_id: program, data, accounts: &metas };
    // All infos were written; borrows were checked above; metas and infos come from the same views,
    // in the same order.
    unsafe {
        let infos = core::slice::from_raw_parts(infos.as_ptr() as *const CpiAccount, N);
        invoke_signed_unchecked(&call, infos, signers);
    }
    Ok(())
}
