// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPermit2} from "./interfaces/IPermit2.sol";
import {Quotes} from "./libraries/Quotes.sol";
import {Signatures} from "./libraries/Signatures.sol";
import {Tokens} from "./libraries/Tokens.sol";
import {MakerBook} from "./parts/MakerBook.sol";
import {Netting} from "./parts/Netting.sol";

/// @title Settlement of maker-signed firm quotes; see ISettlement and INetting
contract Settlement is Netting {
    string private constant WITNESS =
        "Acceptance witness)Acceptance(bytes32 quoteId,bytes32 quoteHash,uint256 amount,address recipient)TokenPermissions(address token,uint256 amount)";

    address public immutable permit2;

    /// @param lifetimeMax_ See `lifetimeMax`.
    /// @param permit2_     See `permit2`.
    constructor(uint256 lifetimeMax_, address permit2_) MakerBook(lifetimeMax_) {
        permit2 = permit2_;
    }

    function fill(
        Quote calldata quote_,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        bytes calldata takerSig
    ) external returns (uint256 output) {
        (Quote memory quote, bytes32 quoteHash) = Quotes.load(quote_);
        _requireAlive(quote.settleBy);
        if (acceptance.quoteId != quote.quoteId) revert WrongAcceptance(acceptance.quoteId);
        bytes32 accepted = _hashTypedDataV4(_acceptanceHash(acceptance, quoteHash));
        address taker = Signatures.signerOf(quote.taker, accepted, takerSig);
        if (taker != quote.taker) revert WrongTaker(taker);
        _requireSigned(quote, quoteHash, makerSig);
        uint256 fee;
        (output, fee) = _open(quote, acceptance.amount);
        Tokens.pull(quote.takerToken, taker, quote.maker, acceptance.amount);
        _give(quote, acceptance.amount, acceptance.recipient, output, fee);
    }

    function fillWithPermit(
        Quote calldata quote_,
        bytes calldata makerSig,
        Acceptance calldata acceptance,
        Permit calldata permit
    ) external returns (uint256 output) {
        if (permit2 == address(0)) revert NoPermit2();
        (Quote memory quote, bytes32 quoteHash) = Quotes.load(quote_);
        _requireAlive(quote.settleBy);
        if (acceptance.quoteId != quote.quoteId) revert WrongAcceptance(acceptance.quoteId);
        _requireSigned(quote, quoteHash, makerSig);
        uint256 fee;
        (output, fee) = _open(quote, acceptance.amount);
        // Permit2 checks that the taker signed the acceptance as the witness of this very transfer.
        IPermit2(permit2).permitWitnessTransferFrom(
            IPermit2.PermitTransferFrom({
                permitted: IPermit2.TokenPermissions({token: quote.takerToken, amount: acceptance.amount}),
                nonce: permit.nonce,
                deadline: permit.deadline
            }),
            IPermit2.SignatureTransferDetails({to: quote.maker, requestedAmount: acceptance.amount}),
            quote.taker,
            _acceptanceHash(acceptance, quoteHash),
            WITNESS,
            permit.sig
        );
        _give(quote, acceptance.amount, acceptance.recipient, output, fee);
    }

    function take(
        Quote calldata quote_,
        bytes calldata makerSig,
        uint256 amount,
        address recipient,
        uint256 minOutput
    ) external returns (uint256 output) {
        (Quote memory quote, bytes32 quoteHash) = Quotes.load(quote_);
        _requireAlive(quote.expiry);
        if (msg.sender != quote.taker) revert WrongTaker(msg.sender);
        _requireSigned(quote, quoteHash, makerSig);
        uint256 fee;
        (output, fee) = _open(quote, amount);
        if (output < minOutput) revert OutputTooLow(output);
        Tokens.pull(quote.takerToken, msg.sender, quote.maker, amount);
        _give(quote, amount, recipient, output, fee);
    }

    function takeWhole(Quote calldata quote_, bytes32 r, bytes32 vs) external returns (uint256 output) {
        (Quote memory quote, bytes32 quoteHash) = Quotes.load(quote_);
        _requireAlive(quote.expiry);
        if (msg.sender != quote.taker) revert WrongTaker(msg.sender);
        address signer = Signatures.recover(_hashTypedDataV4(quoteHash), r, vs);
        if (signer != quote.signer || signer == address(0)) revert Signatures.WrongSignature(signer);
        uint256 fee;
        uint256 amount = quote.takerAmount;
        (output, fee) = _open(quote, amount);
        Tokens.pull(quote.takerToken, msg.sender, quote.maker, amount);
        _give(quote, amount, msg.sender, output, fee);
    }

    function hashQuote(Quote calldata quote) external view returns (bytes32) {
        (, bytes32 quoteHash) = Quotes.load(quote);
        return _hashTypedDataV4(quoteHash);
    }

    function hashAcceptance(Acceptance calldata acceptance, Quote calldata quote) external view returns (bytes32) {
        (, bytes32 quoteHash) = Quotes.load(quote);
        return _hashTypedDataV4(_acceptanceHash(acceptance, quoteHash));
    }

    function _requireSigned(Quote memory quote, bytes32 quoteHash, bytes calldata makerSig) private view {
        address signer = Signatures.signerOf(quote.signer, _hashTypedDataV4(quoteHash), makerSig);
        if (signer != quote.signer) revert Signatures.WrongSignature(signer);
    }

    /// @dev What is checked of a signed quote before tokens move. The nonce is used up here, so that a
    ///      token which calls back finds it used.
    function _open(Quote memory quote, uint256 amount) private returns (uint256 output, uint256 fee) {
        if (quote.makerToken == quote.takerToken) revert SameToken(quote.makerToken);
        (output, fee) = _split(quote, amount);
        output -= fee;
        _requireDelegate(quote.maker, quote.signer);
        _useNonce(quote.maker, quote.nonce);
    }

    /// @dev The maker's leg, and the event. The taker's leg came before.
    function _give(Quote memory quote, uint256 amount, address recipient, uint256 output, uint256 fee) private {
        if (recipient == address(0)) revert ZeroAddress();
        Tokens.pull(quote.makerToken, quote.maker, recipient, output);
        if (fee != 0) {
            if (quote.feeRecipient == address(0)) revert ZeroAddress();
            Tokens.pull(quote.makerToken, quote.maker, quote.feeRecipient, fee);
        }
        emit Filled(quote.quoteId, quote.maker, quote.nonce, amount);
    }

    function _acceptanceHash(Acceptance calldata acceptance, bytes32 quoteHash) private pure returns (bytes32) {
        return Quotes.hashAcceptance(acceptance.quoteId, quoteHash, acceptance.amount, acceptance.recipient);
    }
}
