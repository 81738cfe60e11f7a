// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Many accepted quotes of one maker and one taker in one transaction, at most one transfer per asset
/// @notice Two forms. `net` carries the quotes and checks each signature. `settleStatement` carries only
///         what both parties signed about a batch: the root of its quotes, the net per asset and the
///         nonces it uses up; single quotes are provable against the root.
///         Either form settles everything or nothing; an accepted quote that no batch settled can still
///         be filled alone.
interface INetting {
    /// @notice What all quotes of a `net` have in common.
    /// @param maker        Owner of the inventory.
    /// @param signer       Who signed the quotes; the maker or its delegate.
    /// @param taker        The quotes' taker.
    /// @param recipient    Receiver of what the taker is owed, as in every acceptance.
    /// @param base         One asset; the maker gives it in quotes with `sellsBase`.
    /// @param cash         The other asset.
    /// @param feeBps       As in every quote.
    /// @param feeRecipient As in every quote.
    /// @param settleBy     Last second in which the sender lets this batch settle; each quote's own holds
    ///                     besides. Whoever settles singly what a batch did not waits for it to pass.
    struct NetTerms {
        address maker;
        address signer;
        address taker;
        address recipient;
        address base;
        address cash;
        uint16 feeBps;
        address feeRecipient;
        uint64 settleBy;
    }

    /// @notice One quote of a `net`, with both signatures in EIP-2098 form.
    /// @param sellsBase   The maker gives `base` and gets `cash`; otherwise the reverse.
    /// @param makerAmount As in the quote; below 2^240, so that a batch cannot overflow.
    /// @param takerAmount As in the quote; below 2^240.
    /// @param minFill     As in the quote.
    /// @param expiry      As in the quote.
    /// @param settleBy    As in the quote.
    /// @param nonce       As in the quote.
    /// @param quoteId     As in quote and acceptance.
    /// @param amount      As in the acceptance.
    /// @param makerR      Signature of `signer` over the quote, with `makerVS`; not read when the maker
    ///                    itself is the sender.
    /// @param takerR      Signature of `taker` over the acceptance, with `takerVS`; not read when the
    ///                    taker itself is the sender.
    struct NetQuote {
        bool sellsBase;
        uint256 makerAmount;
        uint256 takerAmount;
        uint256 minFill;
        uint64 expiry;
        uint64 settleBy;
        uint256 nonce;
        bytes32 quoteId;
        uint256 amount;
        bytes32 makerR;
        bytes32 makerVS;
        bytes32 takerR;
        bytes32 takerVS;
    }

    /// @notice The net of one asset in a statement.
    /// @param token   The asset; legs ascend by it, so that none comes twice.
    /// @param toTaker Atoms the maker owes the taker; negative when the taker owes.
    /// @param fee     Atoms the maker owes the fee recipient.
    struct Leg {
        address token;
        int256 toTaker;
        uint256 fee;
    }

    /// @notice Nonces of the maker that a statement uses up: bit `b` of `mask` is `256 * word + b`.
    struct NonceWord {
        uint256 word;
        uint256 mask;
    }

    /// @notice What maker and taker both sign about a batch of accepted quotes.
    /// @param maker        Owner of the inventory and of the nonces.
    /// @param signer       Who signs for the maker; the maker or its delegate.
    /// @param taker        Who signs for itself.
    /// @param recipient    Receiver of what the taker is owed; never zero.
    /// @param feeRecipient Receiver of the fees; not read when there are none.
    /// @param batchRoot    Root of the sorted Merkle tree over the quotes' struct hashes.
    /// @param count        Number of quotes, the number of bits set in `words`.
    /// @param settleBy     Last second in which the statement may be settled.
    /// @param legs         Net per asset, at most 16.
    /// @param words        The quotes' nonces, at most 64 words, ascending.
    struct Statement {
        address maker;
        address signer;
        address taker;
        address recipient;
        address feeRecipient;
        bytes32 batchRoot;
        uint256 count;
        uint64 settleBy;
        Leg[] legs;
        NonceWord[] words;
    }

    /// @notice A settled statement; its quotes are the leaves under `batchRoot`.
    event StatementSettled(
        bytes32 indexed batchRoot, address indexed maker, address indexed taker, uint256 count, NonceWord[] words
    );

    error EmptyBatch();
    error BatchTooLong(uint256 length);
    error NotAscending(uint256 index);
    error WrongCount(uint256 count, uint256 nonces);
    error ZeroLeg(uint256 index);

    /// @notice Settle many accepted quotes on one pair of assets. Anyone may relay it.
    /// @param terms  What they have in common.
    /// @param quotes 1 to 256 quotes.
    /// @return baseToTaker Atoms of `base` the maker paid, negative when it was paid.
    /// @return cashToTaker Atoms of `cash` the maker paid, negative when it was paid.
    function net(NetTerms calldata terms, NetQuote[] calldata quotes)
        external
        returns (int256 baseToTaker, int256 cashToTaker);

    /// @notice Settle a batch by what both parties signed about it. Anyone may relay it.
    /// @param statement The statement.
    /// @param makerSig  Signature of `statement.signer` over `hashStatement(statement)`.
    /// @param takerSig  Signature of `statement.taker` over the same.
    function settleStatement(Statement calldata statement, bytes calldata makerSig, bytes calldata takerSig) external;

    /// @notice The EIP-712 digest both parties sign.
    function hashStatement(Statement calldata statement) external view returns (bytes32);
}
