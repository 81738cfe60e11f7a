// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Settlement of maker-signed firm quotes, both legs or none
/// @notice The contract holds no funds and has no owner. A maker's inventory is an allowance to this
///         contract; what a maker can lose to a stolen hot key is bounded by that allowance, by the
///         longest lifetime of a quote, and by how fast the maker revokes the key.
interface ISettlement {
    /// @notice A firm quote as its maker, or the maker's delegate, signs it by EIP-712.
    /// @param maker       Owner of the inventory; gives `makerAmount` of `makerToken`.
    /// @param signer      The maker itself, or a hot key the maker has delegated to.
    /// @param taker       The only account the quote binds; never zero.
    /// @param makerToken  What the taker's recipient gets.
    /// @param takerToken  What the maker gets.
    /// @param makerAmount Atoms of `makerToken`, fee included, greater than zero.
    /// @param takerAmount Atoms of `takerToken`, greater than zero.
    /// @param feeBps      Share of `makerAmount` that goes to `feeRecipient`, at most 500.
    /// @param feeRecipient Receiver of the fee; not read when `feeBps` is zero.
    /// @param expiry      Last second in which the quote may be accepted.
    /// @param settleBy    Last second in which an accepted quote may be settled.
    /// @param nonce       Single use per maker; any order.
    /// @param quoteId     The desk's own id of the quote.
    struct Quote {
        address maker;
        address signer;
        address taker;
        address makerToken;
        address takerToken;
        uint256 makerAmount;
        uint256 takerAmount;
        uint16 feeBps;
        address feeRecipient;
        uint64 expiry;
        uint64 settleBy;
        uint256 nonce;
        bytes32 quoteId;
    }

    /// @notice A taker's word that it takes a quote. What is signed also covers the hash of the whole
    ///         quote, so that two quotes under one id cannot be exchanged for one another.
    /// @param quoteId   Id of the quote.
    /// @param amount    Atoms of `takerToken` the taker gives: the quote's whole `takerAmount`.
    /// @param recipient Receiver of `makerToken`, chosen by the taker; never zero.
    struct Acceptance {
        bytes32 quoteId;
        uint256 amount;
        address recipient;
    }

    /// @notice One settled quote. `makerAmount` includes `fee`.
    event Filled(
        bytes32 indexed quoteId,
        address indexed maker,
        address indexed taker,
        uint256 nonce,
        address recipient,
        address makerToken,
        address takerToken,
        uint256 makerAmount,
        uint256 takerAmount,
        uint256 fee
    );
    /// @notice A maker has burnt the unused nonces of `mask` in `word`.
    event Cancelled(address indexed maker, uint256 word, uint256 mask);
    /// @notice A maker has delegated to a key, or taken the delegation back.
    event SignerSet(address indexed maker, address indexed signer, bool allowed);

    error QuoteExpired(uint64 last, uint256 time);
    error LifetimeTooLong(uint64 last, uint256 longest);
    error WrongTaker(address taker);
    error WrongAcceptance(bytes32 quoteId);
    error WrongAmount(uint256 amount);
    error FeeTooHigh(uint16 feeBps);
    error SameToken(address token);
    error ZeroAmount();
    error ZeroAddress();
    error SignerNotAllowed(address signer);
    error WrongSignature(address recovered);
    error NonceUsed(uint256 nonce);
    error OutputTooLow(uint256 output);

    /// @notice Settle an accepted quote. Anyone may relay it; nothing depends on the sender.
    /// @dev    Reverts after `settleBy`; that the acceptance came before `expiry` is the maker's duty.
    /// @param quote    The maker's quote.
    /// @param makerSig 65 bytes r, s, v of `quote.signer` over `hashQuote(quote)`.
    /// @param acceptance The taker's acceptance of the whole quote.
    /// @param takerSig 65 bytes r, s, v of `quote.taker` over `hashAcceptance(acceptance, quote)`.
    /// @return output Atoms of `makerToken` the recipient got.
    function fill(
        Quote calldata quote,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        bytes calldata takerSig
    ) external returns (uint256 output);

    /// @notice Take a quote as its taker, at once; possible up to and including second `expiry`.
    /// @param quote     The maker's quote; `quote.taker` is the sender.
    /// @param makerSig  65 bytes r, s, v of `quote.signer` over `hashQuote(quote)`.
    /// @param recipient Receiver of `makerToken`.
    /// @param minOutput The least the recipient must get.
    /// @return output Atoms of `makerToken` the recipient got.
    function take(Quote calldata quote, bytes calldata makerSig, address recipient, uint256 minOutput)
        external
        returns (uint256 output);

    /// @notice Burn nonces of the sender's own: bit `b` of `mask` is nonce `256 * word + b`.
    function cancel(uint256 word, uint256 mask) external;

    /// @notice Delegate to a hot key, or revoke it; both work from the next transaction on.
    function setSigner(address signer, bool allowed) external;

    /// @notice Used nonces of a maker, cancelled ones included, 256 to a word. Never cleared.
    function usedNonces(address maker, uint256 word) external view returns (uint256 bits);

    /// @notice The part of `usedNonces` that was cancelled and thus never filled. Never cleared.
    function cancelledNonces(address maker, uint256 word) external view returns (uint256 bits);

    /// @notice Whether a maker has delegated to a key.
    function isSigner(address maker, address signer) external view returns (bool);

    /// @notice The longest time, in seconds, a quote may still have to run when it is settled.
    function lifetimeMax() external view returns (uint256);

    /// @notice The EIP-712 digest a maker signs.
    function hashQuote(Quote calldata quote) external view returns (bytes32);

    /// @notice The EIP-712 digest a taker signs.
    function hashAcceptance(Acceptance calldata acceptance, Quote calldata quote) external view returns (bytes32);
}
