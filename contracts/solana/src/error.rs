//! Refusals. The numbers are those of contracts/interface.toml, which all chains share, plus 6000,
//! where Anchor's clients look for a program's own errors. From 100 on they are Solana's alone.

use pinocchio::error::ProgramError;

use crate::chain::log;

const CUSTOM: u32 = 6_000;
const NAME_BYTES_MAX: usize = 24;

macro_rules! refusals {
    ($($name:ident = $number:literal,)*) => {
        /// Why an instruction was refused.
        #[derive(Clone, Copy, PartialEq)]
        pub enum Refusal { $($name,)* }

        const NUMBERS: &[u16] = &[$($number,)*];
        // Rows of one length: a table of pointers would need relocations that the linker drops.
        const NAMES: &[[u8; NAME_BYTES_MAX]] = &[$(padded(stringify!($name)),)*];
    };
}

refusals! {
    QuoteExpired = 1,
    LifetimeTooLong = 2,
    WrongTaker = 3,
    WrongAcceptance = 4,
    WrongAmount = 5,
    FeeTooHigh = 6,
    SameToken = 7,
    ZeroAmount = 8,
    ZeroAddress = 9,
    SignerNotAllowed = 10,
    WrongSignature = 11,
    NonceUsed = 12,
    OutputTooLow = 13,
    EmptyBatch = 15,
    BatchTooLong = 16,
    NotAscending = 17,
    WrongCount = 18,
    NotAuthority = 20,
    NotOperator = 21,
    NotGuardian = 22,
    Paused = 23,
    KeyUsed = 24,
    DeadlinePassed = 25,
    CapExceeded = 26,
    CapNotLower = 27,
    NotBuyable = 28,
    WrongSequence = 40,
    WrongHead = 41,
    OrderExpired = 44,
    WrongVersion = 50,
    NotReady = 51,
    Ended = 52,
    StillChallenged = 53,
    ChallengeOver = 54,
    TotalFell = 55,
    BudgetExceeded = 56,
    BudgetNotLower = 57,
    NotFunded = 58,
    NothingToClaim = 59,
    WrongProof = 66,
    NothingToTake = 67,
    ZeroRoot = 68,
    ChallengeTooLong = 69,
    WrongInstruction = 100,
    MissingAccount = 101,
    WrongAccount = 102,
    AccountInUse = 103,
    WrongTokenAccount = 104,
    WrongMint = 105,
    WrongTokenProgram = 106,
    TransferFeeMint = 107,
    TransferHookMint = 108,
    UnsupportedMint = 109,
    DuplicateAccount = 110,
    AmountOverflow = 111,
    SignersFull = 112,
    NoSignatureInstruction = 113,
    MissingSigner = 114,
    WrongNetwork = 115,
}

const fn padded(name: &str) -> [u8; NAME_BYTES_MAX] {
    let bytes = name.as_bytes();
    assert!(bytes.len() < NAME_BYTES_MAX);
    let mut row = [0u8; NAME_BYTES_MAX];
    let mut i = 0;
    while i < bytes.len() {
        row[i] = bytes[i];
        i += 1;
    }
    row
}

impl From<Refusal> for ProgramError {
    #[cold]
    #[inline(never)]
    fn from(refusal: Refusal) -> Self {
        let row = &NAMES[refusal as usize];
        let length = row.iter().position(|byte| *byte == 0).unwrap_or(NAME_BYTES_MAX);
        log(&row[..length]);
        ProgramError::Custom(CUSTOM + NUMBERS[refusal as usize] as u32)
    }
}

/// Refuse unless `holds`.
#[inline(always)]
pub fn require(holds: bool, refusal: Refusal) -> Result<(), ProgramError> {
    if holds {
        Ok(())
    } else {
        Err(refusal.into())
    }
}
