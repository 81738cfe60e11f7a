// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";

/// @title What makers keep here: used nonces and delegated keys; see ISettlement
abstract contract MakerBook is ISettlement, EIP712 {
    uint256 private constant BPS_ONE = 10_000;
    uint256 private constant FEE_BPS_MAX = 500;

    uint256 public immutable lifetimeMax;
    mapping(address maker => mapping(uint256 word => uint256 bits)) public usedNonces;
    mapping(address maker => mapping(uint256 word => uint256 bits)) public cancelledNonces;
    mapping(address maker => mapping(address signer => bool allowed)) public isSigner;

    constructor(uint256 lifetimeMax_) EIP712("DMM Settlement", "1") {
        lifetimeMax = lifetimeMax_;
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
        _setSigner(signer, allowed);
    }

    function rotateSigner(address revoked, address signer) external {
        if (!isSigner[msg.sender][revoked]) revert SignerNotAllowed(revoked);
        _setSigner(revoked, false);
        _setSigner(signer, true);
    }

    function _setSigner(address signer, bool allowed) private {
        if (signer == address(0)) revert ZeroAddress();
        isSigner[msg.sender][signer] = allowed;
        emit SignerSet(msg.sender, signer, allowed);
    }

    function _useNonce(address maker, uint256 nonce) internal {
        mapping(uint256 word => uint256 bits) storage words = usedNonces[maker];
        uint256 bit = 1 << (nonce & 255);
        uint256 used = words[nonce >> 8];
        if (used & bit != 0) revert NonceUsed(nonce);
        words[nonce >> 8] = used | bit;
    }

    function _requireDelegate(address maker, address signer) internal view {
        if (signer != maker && !isSigner[maker][signer]) revert SignerNotAllowed(signer);
    }

    function _requireAlive(uint64 last) internal view {
        if (block.timestamp > last) revert QuoteExpired(last, block.timestamp);
        unchecked {
            if (last - block.timestamp > lifetimeMax) {
                revert LifetimeTooLong(last, block.timestamp + lifetimeMax);
            }
        }
    }

    /// @dev What the maker gives for `amount`, and the fee in it. The whole always passes, a part from the
    ///      least the maker fills on. A part is rounded down, in favour of the maker who gives it.
    function _split(Quote memory quote, uint256 amount) internal pure returns (uint256 gross, uint256 fee) {
        gross = quote.makerAmount;
        if (amount != quote.takerAmount) {
            if (amount < quote.minFill || amount > quote.takerAmount) revert WrongAmount(amount);
            gross = Math.mulDiv(gross, amount, quote.takerAmount);
        }
        if (amount == 0 || gross == 0) revert ZeroAmount();
        uint256 bps = quote.feeBps;
        if (bps == 0) return (gross, 0);
        if (bps > FEE_BPS_MAX) revert FeeTooHigh(quote.feeBps);
        fee = _feeOf(gross, bps);
    }

    /// @dev ceil(amount * bps / 10 000): rounded up like any cost, without overflow.
    function _feeOf(uint256 amount, uint256 bps) private pure returns (uint256) {
        uint256 rest = (amount % BPS_ONE) * bps;
        return (amount / BPS_ONE) * bps + (rest + BPS_ONE - 1) / BPS_ONE;
    }
}
