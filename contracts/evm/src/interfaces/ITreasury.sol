// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISettlement} from "./ISettlement.sol";

/// @title The desk's vault for payouts and buybacks: every payment once, in time, under a cap
/// @notice Roles. `authority` (a multisig, fixed for ever) sets operator, guardian, caps and what may be
///         bought. `operator` (the settlement signer) pays within them. `guardian` may only tighten:
///         pause and lower caps. A stolen operator key can lose at most the caps until it is paused.
///         Plain ERC-20 tokens only. Another version of this contract means another deployment: the
///         authority appoints itself operator and pays the balance over, under caps it sets.
interface ITreasury {
    /// @notice One payment of a batch; members as the arguments of `pay`.
    struct Payment {
        bytes32 key;
        address token;
        address to;
        uint256 amount;
        uint256 deadline;
    }

    /// @notice A payment of a batch that was left out: its key is still unused.
    /// @param reason Selector of the error that `pay` would have ended with; zero when it gave none.
    event Skipped(bytes32 indexed key, bytes4 reason);
    /// @notice A payment under an intent's key.
    event Paid(bytes32 indexed key, address indexed token, address indexed to, uint256 amount);
    /// @notice A purchase under an intent's key; `burnt` tells whether what was bought is destroyed.
    event BoughtBack(
        bytes32 indexed key,
        bytes32 indexed quoteId,
        address paidToken,
        uint256 paidAmount,
        address boughtToken,
        uint256 boughtAmount,
        bool burnt
    );
    event OperatorSet(address indexed operator);
    event GuardianSet(address indexed guardian);
    event CapSet(address indexed token, uint256 amountPerDay);
    event BuyableSet(address indexed token, bool allowed);
    event PausedSet(bool paused);

    error NotAuthority(address sender);
    error NotOperator(address sender);
    error NotGuardian(address sender);
    error Paused();
    error KeyUsed(bytes32 key);
    error DeadlinePassed(uint256 deadline, uint256 time);
    error CapExceeded(address token, uint256 wanted, uint256 left);
    error CapNotLower(uint256 amountPerDay, uint256 present);
    error NotBuyable(address token);
    error OutputTooLow(uint256 output);
    error EmptyBatch();
    error BatchTooLong(uint256 length);
    error TooLittleGas(uint256 left);
    error NotSelf(address sender);
    error ZeroAmount();
    error ZeroAddress();

    /// @notice Pay once under `key`. Operator only, not while paused, at or before `deadline`.
    /// @param key      The intent's id; used up for ever, whatever the other arguments.
    /// @param token    What is paid.
    /// @param to       Receiver, never zero.
    /// @param amount   Atoms, greater than zero, within what is left of the day's cap.
    /// @param deadline Last second in which the payment may happen.
    function pay(bytes32 key, address token, address to, uint256 amount, uint256 deadline) external;

    /// @notice Pay many, each on its own terms: one that fails is recorded and blocks no other.
    ///         Operator only, not while paused.
    /// @param payments 1 to 64 payments.
    /// @return paid How many were paid.
    function payMany(Payment[] calldata payments) external returns (uint256 paid);

    /// @notice One payment of a batch. This contract itself only.
    function payOne(Payment calldata payment) external;

    /// @notice Take a maker's quote with treasury money through Settlement, once under `key`.
    /// @param key       The intent's id; used up for ever, whatever the other arguments.
    /// @param quote     A quote that binds this contract as its taker.
    /// @param makerSig  The quote's signature.
    /// @param deadline  Last second in which the purchase may happen.
    /// @param minOutput The least that must arrive, measured on this contract's own balance.
    /// @param burn      Destroy what was bought, in the same transaction.
    function buyback(
        bytes32 key,
        ISettlement.Quote calldata quote,
        bytes calldata makerSig,
        uint256 deadline,
        uint256 minOutput,
        bool burn
    ) external;

    /// @notice Appoint the operator. Authority only.
    function setOperator(address operator) external;

    /// @notice Appoint the guardian. Authority only.
    function setGuardian(address guardian) external;

    /// @notice Set a token's cap per day. Authority only.
    function setCap(address token, uint256 amountPerDay) external;

    /// @notice Lower a token's cap per day. Guardian only.
    function lowerCap(address token, uint256 amountPerDay) external;

    /// @notice Allow a token to be bought, or no longer. Authority only.
    function setBuyable(address token, bool allowed) external;

    /// @notice Stop all payments at once. Guardian only.
    function pause() external;

    /// @notice Let payments go on. Authority only.
    function unpause() external;

    /// @notice Whether a key was used. Never cleared.
    function settled(bytes32 key) external view returns (bool);

    /// @notice Atoms of a token that may leave in one day of 86 400 seconds UTC; zero means none.
    function capPerDay(address token) external view returns (uint256);

    /// @notice Atoms of a token that left on a day, counted from 1970-01-01.
    function spentOn(address token, uint256 day) external view returns (uint256);
}
