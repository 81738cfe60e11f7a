// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The one function of Permit2 that settlement calls: a signed transfer with a witness
interface IPermit2 {
    struct TokenPermissions {
        address token;
        uint256 amount;
    }

    struct PermitTransferFrom {
        TokenPermissions permitted;
        uint256 nonce;
        uint256 deadline;
    }

    struct SignatureTransferDetails {
        address to;
        uint256 requestedAmount;
    }

    /// @notice Move tokens of `owner`, who signed the permit, its spender (the caller) and the witness.
    /// @param permit            Token, most that may move, nonce of the owner at Permit2, deadline.
    /// @param transferDetails   Receiver and amount.
    /// @param owner             Who signed.
    /// @param witness           Struct hash of what else was signed.
    /// @param witnessTypeString The rest of the type string, from the witness on.
    /// @param signature         The owner's signature.
    function permitWitnessTransferFrom(
        PermitTransferFrom calldata permit,
        SignatureTransferDetails calldata transferDetails,
        address owner,
        bytes32 witness,
        string calldata witnessTypeString,
        bytes calldata signature
    ) external;
}
