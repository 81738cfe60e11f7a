// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";

/// @title Settlement of maker-signed firm quotes; see ISettlement
contract Settlement is ISettlement, EIP712 {
    using SafeERC20 for IERC20;

    uint256 private constant BPS_ONE = 10_000;
    uint256 private constant FEE_BPS_MAX = 500;
    bytes32 private constant QUOTE_TYPEHASH = keccak256(
        "Quote(address maker,address signer,address taker,address makerToken,address takerToken,uint256 makerAmount,uint256 takerAmount,uint16 feeBps,address feeRecipient,uint64 expiry,uint64 settleBy,uint256 nonce,bytes32 quoteId)"
    );
    bytes32 private constant ACCEPTANCE_TYPEHASH =
        keccak256("Acceptance(bytes32 quoteId,bytes32 quoteHash,uint256 amount,address recipient)");

    uint256 public immutable lifetimeMax;
    mapping(address maker => mapping(uint256 word => uint256 bits)) public usedNonces;
    mapping(address maker => mapping(uint256 word => uint256 bits)) public cancelledNonces;
    mapping(address maker => mapping(address signer => bool allowed)) public isSigner;

    /// @param lifetimeMax_ See `lifetimeMax`.
    constructor(uint256 lifetimeMax_) EIP712("DMM Settlement", "1") {
        lifetimeMax = lifetimeMax_;
    }

    function fill(
        Quote calldata quote,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        bytes calldata takerSig
    ) external returns (uint256 output) {
        _requireAlive(quote.settleBy);
        if (acceptance.quoteId != quote.quoteId) revert WrongAcceptance(acceptance.quoteId);
        if (acceptance.amount != quote.takerAmount) revert WrongAmount(acceptance.amount);
        bytes32 quoteHash = _structHash(quote);
        address taker = ECDSA.recover(_acceptanceDigest(acceptance, quoteHash), takerSig);
        if (taker != quote.taker) revert WrongTaker(taker);
        output = _settle(quote, quoteHash, makerSig, acceptance.recipient, 0);
    }

    function take(Quote calldata quote, bytes calldata makerSig, address recipient, uint256 minOutput)
        external
        returns (uint256 output)
    {
        _requireAlive(quote.expiry);
        if (msg.sender != quote.taker) revert WrongTaker(msg.sender);
        output = _settle(quote, _structHash(quote), makerSig, recipient, minOutput);
    }

    function cancel(uint256 word, uint256 mask) external {
        uint256 used = usedNonces[msg.sender][word];
        // A filled nonce stays filled in the eyes of whoever asks whether it was paid.
        uint256 burnt = mask & ~used;
        usedNonces[msg.sender][word] = used | burnt;
        cancelledNonces[msg.sender][word] |= burnt;
        emit Cancelled(msg.sender, word, burnt);
    }

    function setSigner(address signer, bool allowed) external {
        if (signer == address(0)) revert ZeroAddress();
        isSigner[msg.sender][signer] = allowed;
        emit SignerSet(msg.sender, signer, allowed);
    }

    function hashQuote(Quote calldata quote) external view returns (bytes32) {
        return _hashTypedDataV4(_structHash(quote));
    }

    function hashAcceptance(Acceptance calldata acceptance, Quote calldata quote) external view returns (bytes32) {
        return _acceptanceDigest(acceptance, _structHash(quote));
    }

    function _settle(
        Quote calldata quote,
        bytes32 quoteHash,
        bytes calldata makerSig,
        address recipient,
        uint256 minOutput
    ) private returns (uint256 output) {
        _requireSane(quote, recipient);
        address recovered = ECDSA.recover(_hashTypedDataV4(quoteHash), makerSig);
        if (recovered != quote.signer) revert WrongSignature(recovered);
        if (recovered != quote.maker && !isSigner[quote.maker][recovered]) revert SignerNotAllowed(recovered);
        _useNonce(quote.maker, quote.nonce);

        uint256 fee = _feeOf(quote.makerAmount, quote.feeBps);
        output = quote.makerAmount - fee;
        if (output < minOutput) revert OutputTooLow(output);

        IERC20(quote.takerToken).safeTransferFrom(quote.taker, quote.maker, quote.takerAmount);
        IERC20(quote.makerToken).safeTransferFrom(quote.maker, recipient, output);
        if (fee != 0) IERC20(quote.makerToken).safeTransferFrom(quote.maker, quote.feeRecipient, fee);
        _announce(quote, recipient, fee);
    }

    /// @dev ceil(amount * bps / 10 000) for every amount: rounded up like any cost, without overflow.
    function _feeOf(uint256 amount, uint256 bps) private pure returns (uint256) {
        uint256 rest = (amount % BPS_ONE) * bps;
        return (amount / BPS_ONE) * bps + (rest + BPS_ONE - 1) / BPS_ONE;
    }

    function _announce(Quote calldata quote, address recipient, uint256 fee) private {
        emit Filled(
            quote.quoteId,
            quote.maker,
            quote.taker,
            quote.nonce,
            recipient,
            quote.makerToken,
            quote.takerToken,
            quote.makerAmount,
            quote.takerAmount,
            fee
        );
    }

    function _requireAlive(uint64 last) private view {
        if (block.timestamp > last) revert QuoteExpired(last, block.timestamp);
        if (last - block.timestamp > lifetimeMax) revert LifetimeTooLong(last, block.timestamp + lifetimeMax);
    }

    function _requireSane(Quote calldata quote, address recipient) private pure {
        if (quote.feeBps > FEE_BPS_MAX) revert FeeTooHigh(quote.feeBps);
        if (quote.makerAmount == 0 || quote.takerAmount == 0) revert ZeroAmount();
        if (quote.makerToken == quote.takerToken) revert SameToken(quote.makerToken);
        if (recipient == address(0)) revert ZeroAddress();
    }

    function _useNonce(address maker, uint256 nonce) private {
        uint256 bit = 1 << (nonce & 255);
        uint256 used = usedNonces[maker][nonce >> 8];
        if (used & bit != 0) revert NonceUsed(nonce);
        usedNonces[maker][nonce >> 8] = used | bit;
    }

    function _structHash(Quote calldata quote) private pure returns (bytes32) {
        return keccak256(abi.encode(QUOTE_TYPEHASH, quote));
    }

    function _acceptanceDigest(Acceptance calldata acceptance, bytes32 quoteHash) private view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(ACCEPTANCE_TYPEHASH, acceptance.quoteId, quoteHash, acceptance.amount, acceptance.recipient)
            )
        );
    }
}
