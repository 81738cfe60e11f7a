// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {INetting} from "../interfaces/INetting.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Quotes} from "./Quotes.sol";

/// @title Struct hashes of what settles many quotes at once
library Batches {
    bytes32 private constant LEG_TYPEHASH = keccak256("Leg(address token,int256 toTaker,uint256 fee)");
    bytes32 private constant WORD_TYPEHASH = keccak256("NonceWord(uint256 word,uint256 mask)");
    bytes32 private constant STATEMENT_TYPEHASH = keccak256(
        "Statement(address maker,address signer,address taker,address recipient,address feeRecipient,bytes32 batchRoot,uint256 count,uint64 settleBy,Leg[] legs,NonceWord[] words)Leg(address token,int256 toTaker,uint256 fee)NonceWord(uint256 word,uint256 mask)"
    );

    /// @notice A quote with what all quotes of a `net` share, to be completed by `complete`.
    /// @dev    Behind its type hash in memory: side by side, as they are hashed.
    function common(INetting.NetTerms calldata terms) internal pure returns (ISettlement.Quote memory quote) {
        bytes32 typehash = Quotes.QUOTE_TYPEHASH;
        assembly ("memory-safe") {
            let words := mload(0x40)
            mstore(0x40, add(words, 0x1e0))
            mstore(words, typehash)
            quote := add(words, 0x20)
        }
        quote.maker = terms.maker;
        quote.signer = terms.signer;
        quote.taker = terms.taker;
        quote.feeBps = terms.feeBps;
        quote.feeRecipient = terms.feeRecipient;
    }

    /// @notice Complete a quote made by `common` in place and return its struct hash.
    /// @dev    Memory does not grow with the batch. The words of amounts (makerAmount to minFill) and of
    ///         limits (expiry to quoteId) lie in one order in both structs.
    function complete(
        ISettlement.Quote memory quote,
        address makerToken,
        address takerToken,
        INetting.NetQuote calldata own
    ) internal pure returns (bytes32 structHash) {
        quote.makerToken = makerToken;
        quote.takerToken = takerToken;
        assembly ("memory-safe") {
            calldatacopy(add(quote, 0xa0), add(own, 0x20), 0x60)
            calldatacopy(add(quote, 0x140), add(own, 0x80), 0x80)
            structHash := keccak256(sub(quote, 0x20), 0x1e0)
        }
    }

    /// @notice The struct hash of a statement.
    function hash(INetting.Statement calldata statement) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                STATEMENT_TYPEHASH,
                statement.maker,
                statement.signer,
                statement.taker,
                statement.recipient,
                statement.feeRecipient,
                statement.batchRoot,
                statement.count,
                statement.settleBy,
                _hashLegs(statement.legs),
                _hashWords(statement.words)
            )
        );
    }

    function _hashLegs(INetting.Leg[] calldata legs) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](legs.length);
        for (uint256 i = 0; i < legs.length; ++i) hashes[i] = keccak256(abi.encode(LEG_TYPEHASH, legs[i]));
        return keccak256(abi.encodePacked(hashes));
    }

    function _hashWords(INetting.NonceWord[] calldata words) private pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](words.length);
        for (uint256 i = 0; i < words.length; ++i) hashes[i] = keccak256(abi.encode(WORD_TYPEHASH, words[i]));
        return keccak256(abi.encodePacked(hashes));
    }
}
