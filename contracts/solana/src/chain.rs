//! What the runtime offers: time, hashes, logs. Off the chain these are empty shells for the linter.

use pinocchio::{
    address::{address_eq, Address},
    error::ProgramError,
    sysvars::{clock::CLOCK_ID, get_sysvar},
    AccountView,
};

pub type Hash = [u8; 32];

/// Whether two hashes or keys are the same. Word by word: this target's `==` on arrays goes byte by
/// byte, at ten times the cost.
#[inline(always)]
pub fn same(one: &Hash, other: &Hash) -> bool {
    let (one, other) = (one.as_ptr() as *const u64, other.as_ptr() as *const u64);
    // Each is 32 bytes long, and the runtime takes reads at any address.
    unsafe {
        one.read_unaligned() == other.read_unaligned()
            && one.add(1).read_unaligned() == other.add(1).read_unaligned()
            && one.add(2).read_unaligned() == other.add(2).read_unaligned()
            && one.add(3).read_unaligned() == other.add(3).read_unaligned()
    }
}

pub const ZERO: Hash = [0; 32];

/// Whether an account belongs to a program.
#[inline(always)]
pub fn owned(view: &AccountView, program: &Address) -> bool {
    // The view points at an account that the runtime has laid out.
    address_eq(unsafe { &(*view.account_ptr()).owner }, program)
}

/// Where the clock holds its seconds: behind slot, epoch's start, epoch and leader's epoch.
const CLOCK_SECONDS_AT: usize = 32;

/// The chain's time in seconds since 1970.
#[inline(always)]
pub fn now_s() -> Result<u64, ProgramError> {
    // A clock before 1970 would be a number far past every deadline: everything is refused.
    let mut seconds = [0u8; 8];
    get_sysvar(&mut seconds, &CLOCK_ID, CLOCK_SECONDS_AT)?;
    Ok(u64::from_le_bytes(seconds))
}

macro_rules! hash {
    ($name:ident, $syscall:ident) => {
        /// The hash of the concatenated parts.
        #[inline(always)]
        pub fn $name(parts: &[&[u8]]) -> Hash {
            let mut result = [0u8; 32];
            #[cfg(target_arch = "bpf")]
            unsafe {
                // A slice is its address and its length, as the system call expects them.
                pinocchio::syscalls::$syscall(
                    parts.as_ptr() as *const u8,
                    parts.len() as u64,
                    result.as_mut_ptr(),
                );
            }
            #[cfg(not(target_arch = "bpf"))]
            core::hint::black_box((parts, &mut result));
            result
        }
    };
}
hash!(sha256, sol_sha256);
hash!(keccak256, sol_keccak256);

/// Write one line into the transaction's log.
#[inline(always)]
pub fn log(text: &[u8]) {
    #[cfg(target_arch = "bpf")]
    unsafe {
        pinocchio::syscalls::sol_log_(text.as_ptr(), text.len() as u64);
    }
    #[cfg(not(target_arch = "bpf"))]
    core::hint::black_box(text);
}

/// Emit an event: its bytes in the log, as Anchor's clients read them.
#[inline(always)]
pub fn emit<const N: usize>(event: &Event<N>) {
    #[cfg(target_arch = "bpf")]
    unsafe {
        let field: [&[u8]; 1] = [&event.bytes];
        pinocchio::syscalls::sol_log_data(field.as_ptr() as *const u8, 1);
    }
    #[cfg(not(target_arch = "bpf"))]
    core::hint::black_box(&event.bytes);
}

/// An event of exactly `N` bytes, discriminator included.
pub struct Event<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Event<N> {
    #[inline(always)]
    pub fn new(discriminator: u64) -> Self {
        Self { bytes: [0; N], at: 0 }.with(&discriminator.to_le_bytes())
    }

    #[inline(always)]
    pub fn with<const M: usize>(mut self, field: &[u8; M]) -> Self {
        let end = self.at + M;
        // Constant after inlining: an event that does not fit its length never compiles to a copy.
        if end <= N {
            self.bytes[self.at..end].copy_from_slice(field);
        }
        self.at = end;
        self
    }

    #[inline(always)]
    pub fn number(self, value: u64) -> Self {
        self.with(&value.to_le_bytes())
    }
}
