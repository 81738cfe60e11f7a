//! Pay a holder what the current version gives it beyond what it got before. Anyone may send it; the
//! holder is paid.
//!
//! The tree is OpenZeppelin's standard one with sorted pairs: a leaf is
//! keccak256(keccak256(network ‖ distributor ‖ mint ‖ holder ‖ cumulative)), five words of 32 bytes, the
//! number big-endian. The double hash keeps inner nodes, of 64 bytes, from passing for leaves.

use pinocchio::{
    cpi::{Seed, Signer},
    error::ProgramError,
    ProgramResult,
};

use super::{accounts, Call};
use crate::{
    abi::EVENT_CLAIMED,
    chain::{emit, keccak256, now_s, same, Event, Hash},
    error::{require, Refusal},
    state::{load, load_mut, load_new, ClaimStatus, Distributor},
    system::create,
    token::{Asset, Transfer},
};

/// A tree of a million holders.
const PROOF_MAX: usize = 20;

#[inline(never)]
pub fn process(call: Call) -> ProgramResult {
    accounts!(call: payer, distributor, status, holder, destination, vault, mint, token_program,
        _system);
    let mut arguments = call.arguments;
    let version = arguments.u64()?;
    let cumulative = arguments.u64()?;
    let proof = arguments.hashes(PROOF_MAX)?;
    arguments.end()?;
    let asset = Asset::new(mint, token_program)?;
    asset.require_account(destination, holder.address())?;
    let address = *distributor.address().as_array();
    let holder = *holder.address().as_array();
    let (authority, number, bump, left) = {
        let state = load::<Distributor>(distributor, call.program)?;
        require(same(&state.mint, asset.mint().as_array()), Refusal::WrongMint)?;
        require(same(vault.address().as_array(), &state.vault), Refusal::WrongTokenAccount)?;
        let total = require_promised(&state, &address, &Promise { version, holder, cumulative, proof })?;
        let left = total - state.claimed_total.get();
        (state.authority, state.number, state.bump, left)
    };
    if status.data_len() == 0 {
        let seeds: [&[u8]; 3] = [b"claim", &address, &holder];
        create::<ClaimStatus, 3, 4>(call.program, payer, status, seeds)?;
        let mut fresh = load_new::<ClaimStatus>(status, call.program)?;
        fresh.distributor = address;
        fresh.holder = holder;
    }
    let amount = {
        let mut status = load_mut::<ClaimStatus>(status, call.program)?;
        require(
            same(&status.distributor, &address) && same(&status.holder, &holder),
            Refusal::WrongAccount,
        )?;
        let before = status.claimed.get();
        require(cumulative > before, Refusal::NothingToClaim)?;
        status.claimed.set(cumulative);
        cumulative - before
    };
    // No version pays out more than its total, whatever its leaves say.
    require(amount <= left, Refusal::BudgetExceeded)?;
    {
        let mut state = load_mut::<Distributor>(distributor, call.program)?;
        let claimed = state.claimed_total.get();
        state.claimed_total.set(claimed + amount);
    }
    let (number, bump) = (number.get().to_le_bytes(), [bump]);
    let seeds = [
        Seed::from(b"distributor"),
        Seed::from(&authority),
        Seed::from(&number),
        Seed::from(&bump),
    ];
    let transfer = Transfer { from: vault, to: destination, authority: distributor, amount };
    asset.transfer(&transfer, &[Signer::from(&seeds)])?;
    emit(
        &Event::<96>::new(EVENT_CLAIMED)
            .with(&address)
            .number(version)
            .with(&holder)
            .number(amount)
            .number(cumulative),
    );
    Ok(())
}

/// What somebody says a version promises.
struct Promise<'a> {
    version: u64,
    holder: Hash,
    cumulative: u64,
    proof: &'a [Hash],
}

/// Refuse what the current version does not promise now; return that version's total.
#[inline(always)]
fn require_promised(
    state: &Distributor,
    distributor: &Hash,
    promise: &Promise,
) -> Result<u64, ProgramError> {
    let now_s = now_s()?;
    require(state.paused == 0, Refusal::Paused)?;
    let (number, content) = state.current(now_s);
    let last = promise.version == state.last_version.get();
    require(!last || number == promise.version, Refusal::NotReady)?;
    require(promise.version == number && number != 0, Refusal::WrongVersion)?;
    require(now_s <= content.ends_at_s.get(), Refusal::Ended)?;
    let leaf = leaf_of(state, distributor, &promise.holder, promise.cumulative);
    require(same(&root_of(leaf, promise.proof), &content.root), Refusal::WrongProof)?;
    Ok(content.total.get())
}

#[inline(always)]
fn leaf_of(state: &Distributor, distributor: &Hash, holder: &Hash, amount: u64) -> Hash {
    let mut word = [0u8; 32];
    word[24..].copy_from_slice(&amount.to_be_bytes());
    let inner = keccak256(&[&state.network, distributor, &state.mint, holder, &word]);
    keccak256(&[&inner])
}

#[inline(always)]
fn root_of(leaf: Hash, proof: &[Hash]) -> Hash {
    proof.iter().fold(leaf, |node, sibling| {
        if node <= *sibling {
            keccak256(&[&node, sibling])
        } else {
            keccak256(&[sibling, &node])
        }
    })
}
