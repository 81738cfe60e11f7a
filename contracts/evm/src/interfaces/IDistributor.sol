// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Cumulative Merkle claims of one token
/// @notice Each version is a whole new tree of what every holder has been allocated since the beginning;
///         a claim pays the difference to what the holder got before. A leaf is
///         keccak256(keccak256(abi.encode(chain id, distributor, token, holder, cumulative))), a node the
///         hash of its children in ascending order (OpenZeppelin's standard tree).
///         Roles. `authority` (a multisig behind a time lock, fixed for ever) proposes versions, sets the
///         budget and takes back what it may. `guardian` may only tighten: veto a version while it is
///         challenged, pause, lower the budget.
///         A version is proposed, then challenged for `challengeS` seconds, then claimable until its end.
///         It becomes claimable only if the contract holds all of it that is still unpaid.
interface IDistributor {
    /// @param root    Root of the tree; zero where there is no version.
    /// @param total   Sum of its leaves: what all holders were ever allocated.
    /// @param readyAt First second in which it can be claimed.
    /// @param endsAt  Last second in which it can be claimed.
    struct Version {
        bytes32 root;
        uint256 total;
        uint64 readyAt;
        uint64 endsAt;
    }

    event Proposed(uint256 indexed version, bytes32 root, uint256 total, uint64 readyAt, uint64 endsAt);
    event Vetoed(uint256 indexed version);
    event Claimed(uint256 indexed version, address indexed holder, uint256 amount, uint256 cumulative);
    event ClawedBack(address indexed to, uint256 amount);
    event BudgetSet(uint256 budget);
    event GuardianSet(address indexed guardian);
    event PausedSet(bool paused);

    error NotAuthority(address sender);
    error NotGuardian(address sender);
    error Paused();
    error ZeroAddress();
    error ZeroRoot();
    error ChallengeTooLong(uint256 challengeS);
    error WrongVersion(uint256 version, uint256 current);
    error NotReady(uint64 readyAt, uint256 time);
    error Ended(uint64 endsAt, uint256 time);
    error StillChallenged(uint64 readyAt, uint256 time);
    error ChallengeOver(uint64 readyAt, uint256 time);
    error TotalFell(uint256 total, uint256 before);
    error BudgetExceeded(uint256 wanted, uint256 left);
    error BudgetNotLower(uint256 budget, uint256 present);
    error NotFunded(uint256 wanted, uint256 held);
    error NothingToClaim(address holder, uint256 claimed);
    error WrongProof(address holder, uint256 cumulative);
    error NothingToTake(uint256 wanted, uint256 free);

    /// @notice Propose the next version. Authority only; one at a time.
    /// @param version The present version's number plus one.
    /// @param root    Root of its tree.
    /// @param total   Sum of its leaves: at least the present total, or what was paid if the last version
    ///                has ended; at most `budget` more than that; and funded.
    /// @param endsAt  Last second in which it can be claimed, after its challenge.
    function propose(uint256 version, bytes32 root, uint256 total, uint64 endsAt) external;

    /// @notice Strike the version under challenge. Guardian only, before it is claimable.
    function veto(uint256 version) external;

    /// @notice Pay a holder what a version gives it beyond what it got before. Anyone may send it.
    /// @param version    The claimable version.
    /// @param holder     Who is paid.
    /// @param cumulative The holder's leaf.
    /// @param proof      Siblings from the leaf to the root.
    /// @return amount Atoms paid.
    function claim(uint256 version, address holder, uint256 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 amount);

    /// @notice Take back tokens. Authority only: what no version allocates, at any time; everything, once
    ///         the last version has ended.
    function clawback(address to, uint256 amount) external;

    /// @notice Set how much one version may add to the total. Authority only.
    function setBudget(uint256 budget) external;

    /// @notice Lower the budget. Guardian only.
    function lowerBudget(uint256 budget) external;

    /// @notice Appoint the guardian. Authority only.
    function setGuardian(address guardian) external;

    /// @notice Stop claims at once. Guardian only.
    function pause() external;

    /// @notice Let claims go on. Authority only.
    function unpause() external;

    /// @notice Number and content of the last version that passed its challenge; zeros before the first.
    function current() external view returns (uint256 version, Version memory content);

    /// @notice Number and content of the version under challenge; zeros when there is none.
    function challenged() external view returns (uint256 version, Version memory content);

    /// @notice Atoms a holder has been paid. Never falls.
    function claimedBy(address holder) external view returns (uint256);

    /// @notice Atoms all holders have been paid.
    function claimedTotal() external view returns (uint256);

    /// @notice Atoms that may be taken back now.
    function free() external view returns (uint256);
}
