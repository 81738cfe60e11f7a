// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISettlement} from "../interfaces/ISettlement.sol";

/// @title Hashes of quotes and acceptances
library Quotes {
    bytes32 internal constant QUOTE_TYPEHASH = keccak256(
        "Quote(address maker,address signer,address taker,address makerToken,address takerToken,uint256 makerAmount,uint256 takerAmount,uint256 minFill,uint16 feeBps,address feeRecipient,uint64 expiry,uint64 settleBy,uint256 nonce,bytes32 quoteId)"
    );
    bytes32 internal constant ACCEPTANCE_TYPEHASH =
        keccak256("Acceptance(bytes32 quoteId,bytes32 quoteHash,uint256 amount,address recipient)");

    /// @notice A quote's copy in memory and its struct hash.
    /// @dev    The words are copied and hashed as they came, and cleaned where they are read. A word with
    ///         dirty upper bits is thus one that its signer would have had to sign so.
    function load(ISettlement.Quote calldata quote)
        internal
        pure
        returns (ISettlement.Quote memory copy, bytes32 structHash)
    {
        bytes32 typehash = QUOTE_TYPEHASH;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(0x40, add(words, 0x1e0))
            mstore(words, typehash)
            copy := add(words, 0x20)
            calldatacopy(copy, quote, 0x1c0)
            structHash := keccak256(words, 0x1e0)
        }
    }

    /// @notice The struct hash of an acceptance of the quote with that struct hash.
    function hashAcceptance(bytes32 quoteId, bytes32 quoteHash, uint256 amount, address recipient)
        internal
        pure
        returns (bytes32 structHash)
    {
        bytes32 typehash = ACCEPTANCE_TYPEHASH;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(words, typehash)
            mstore(add(words, 0x20), quoteId)
            mstore(add(words, 0x40), quoteHash)
            mstore(add(words, 0x60), amount)
            // Upper bits of an address are undefined here.
            mstore(add(words, 0x80), shr(96, shl(96, recipient)))
            structHash := keccak256(words, 0xa0)
        }
    }
}
