// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Settlement of maker-signed firm quotes, both legs or none
/// @notice The contract holds no funds and has no owner. A maker's inventory is an allowance to this
///         contract; what a maker can lose to a stolen hot key is bounded by that allowance, by the
///         longest lifetime of a quote, and by how fast the maker revokes the key.
///         Signatures are EIP-712, of a key (65 bytes r, s, v or 64 bytes EIP-2098, s in the lower
///         half) or, where the key does not fit and the account has code, of the account by ERC-1271.
///         Plain ERC-20 tokens only: what a token keeps for itself on the way is not noticed here.
interface ISettlement {
    /// @notice A firm quote as its maker, or the maker's delegate, signs it by EIP-712.
    /// @param maker       Owner of the inventory; gives `makerAmount` of `makerToken`.
    /// @param signer      The maker itself, or a hot key the maker has delegated to.
    /// @param taker       The only account the quote binds; never zero.
    /// @param makerToken  What the taker's recipient gets.
    /// @param takerToken  What the maker gets.
    /// @param makerAmount Atoms of `makerToken`, fee included, greater than zero.
    /// @param takerAmount Atoms of `takerToken`, greater than zero.
    /// @param minFill     Least atoms of `takerToken` that may be filled; `takerAmount` means all or nothing.
    /// @param feeBps      Share of what the maker gives that goes to `feeRecipient`, at most 500.
    /// @param feeRecipient Receiver of the fee; not read when `feeBps` is zero.
    /// @param expiry      Last second in which the quote may be accepted.
    /// @param settleBy    Last second in which an accepted quote may be settled.
    /// @param nonce       Single use per maker, any order; a partial fill uses it up too.
    /// @param quoteId     The desk's own id of the quote.
    struct Quote {
        address maker;
        address signer;
        address taker;
        address makerToken;
        address takerToken;
        uint256 makerAmount;
        uint256 takerAmount;
        uint256 minFill;
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
    /// @param amount    Atoms of `takerToken` the taker gives, from `minFill` to `takerAmount`.
    /// @param recipient Receiver of `makerToken`, chosen by the taker; never zero.
    struct Acceptance {
        bytes32 quoteId;
        uint256 amount;
        address recipient;
    }

    /// @notice A taker's signed transfer by Permit2, with the acceptance as its witness.
    /// @param nonce    Single use per taker at Permit2, not at this contract.
    /// @param deadline Last second in which Permit2 takes the signature.
    /// @param sig      The taker's signature over the transfer and its witness.
    struct Permit {
        uint256 nonce;
        uint256 deadline;
        bytes sig;
    }

    /// @notice One settled quote, filled for `amount` of its taker token. What the maker gave and the
    ///         fee in it follow from the quote and the amount; the transfers beside this event show them.
    event Filled(bytes32 indexed quoteId, address indexed maker, uint256 nonce, uint256 amount);
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
    error NonceUsed(uint256 nonce);
    error OutputTooLow(uint256 output);
    error NoPermit2();

    /// @notice Settle an accepted quote. Anyone may relay it; nothing depends on the sender.
    /// @dev    Reverts after `settleBy`; that the acceptance came before `expiry` is the maker's duty.
    /// @param quote      The maker's quote.
    /// @param makerSig   Signature of `quote.signer` over `hashQuote(quote)`.
    /// @param acceptance The taker's acceptance of the whole quote or a part of it.
    /// @param takerSig   Signature of `quote.taker` over `hashAcceptance(acceptance, quote)`.
    /// @return output Atoms of `makerToken` the recipient got.
    function fill(
        Quote calldata quote,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        bytes calldata takerSig
    ) external returns (uint256 output);

    /// @notice Settle an accepted quote with the taker's tokens drawn by Permit2. Anyone may relay it.
    /// @param quote      The maker's quote.
    /// @param makerSig   Signature of `quote.signer` over `hashQuote(quote)`.
    /// @param acceptance The taker's acceptance; its hash is the witness of the permit.
    /// @param permit     The taker's permit to transfer `acceptance.amount` of `quote.takerToken`.
    /// @return output Atoms of `makerToken` the recipient got.
    function fillWithPermit(
        Quote calldata quote,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        Permit calldata permit
    ) external returns (uint256 output);

    /// @notice Take a quote as its taker, at once; possible up to and including second `expiry`.
    /// @param quote     The maker's quote; `quote.taker` is the sender.
    /// @param makerSig  Signature of `quote.signer` over `hashQuote(quote)`.
    /// @param amount    Atoms of `takerToken` the sender gives, from `minFill` to `takerAmount`.
    /// @param recipient Receiver of `makerToken`, never zero.
    /// @param minOutput The least the recipient must get.
    /// @return output Atoms of `makerToken` the recipient got.
    function take(
        Quote calldata quote,
        bytes calldata makerSig,
        uint256 amount,
        address recipient,
        uint256 minOutput
    ) external returns (uint256 output);

    /// @notice `take` of a quote that a key signed, for the whole amount, to the sender itself: the
    ///         cheapest way. What arrives follows from the signed quote alone.
    /// @param quote The maker's quote; `quote.taker` is the sender.
    /// @param r     Signature of `quote.signer` over `hashQuote(quote)` in EIP-2098 form, with `vs`.
    /// @return output Atoms of `makerToken` the sender got.
    function takeWhole(Quote calldata quote, bytes32 r, bytes32 vs) external returns (uint256 output);

    /// @notice Burn nonces of the sender's own: bit `b` of `mask` is nonce `256 * word + b`.
    function cancel(uint256 word, uint256 mask) external;

    /// @notice Delegate to a hot key, or revoke it; both work from the next transaction on.
    function setSigner(address signer, bool allowed) external;

    /// @notice Revoke a key and delegate to another in one step.
    function rotateSigner(address revoked, address signer) external;

    /// @notice Used nonces of a maker, cancelled ones included, 256 to a word. Never cleared.
    function usedNonces(address maker, uint256 word) external view returns (uint256 bits);

    /// @notice The part of `usedNonces` that was cancelled and thus never filled. Never cleared.
    function cancelledNonces(address maker, uint256 word) external view returns (uint256 bits);

    /// @notice Whether a maker has delegated to a key.
    function isSigner(address maker, address signer) external view returns (bool);

    /// @notice The longest time, in seconds, a quote may still have to run when it is settled.
    function lifetimeMax() external view returns (uint256);

    /// @notice The Permit2 contract; zero where there is none.
    function permit2() external view returns (address);

    /// @notice The EIP-712 digest a maker signs.
    function hashQuote(Quote calldata quote) external view returns (bytes32);

    /// @notice The EIP-712 digest a taker signs.
    function hashAcceptance(Acceptance calldata acceptance, Quote calldata quote) external view returns (bytes32);
}
