// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {INetting} from "../interfaces/INetting.sol";
import {Batches} from "../libraries/Batches.sol";
import {Quotes} from "../libraries/Quotes.sol";
import {Signatures} from "../libraries/Signatures.sol";
import {Tokens} from "../libraries/Tokens.sol";
import {MakerBook} from "./MakerBook.sol";

/// @title Many quotes of one maker and one taker at once; see INetting
abstract contract Netting is INetting, MakerBook {
    using Batches for Statement;

    uint256 private constant QUOTES_MAX = 256;
    uint256 private constant LEGS_MAX = 16;
    uint256 private constant WORDS_MAX = 64;
    /// @dev Sums of at most 256 amounts below this, two to a quote, stay within int256.
    uint256 private constant AMOUNT_END = 2 ** 240;

    /// @dev Where a `net` stands: what the maker gave and got, the fees in it, and the word of nonces
    ///      under way, which is written when the next quote is in another word.
    struct Tally {
        bytes32 domain;
        address base;
        address cash;
        address recipient;
        uint256 baseGiven;
        uint256 baseTaken;
        uint256 baseFee;
        uint256 cashGiven;
        uint256 cashTaken;
        uint256 cashFee;
        uint256 word;
        uint256 used;
    }

    function net(NetTerms calldata terms, NetQuote[] calldata quotes)
        external
        returns (int256 baseToTaker, int256 cashToTaker)
    {
        if (quotes.length == 0) revert EmptyBatch();
        if (quotes.length > QUOTES_MAX) revert BatchTooLong(quotes.length);
        _requireAlive(terms.settleBy);
        if (terms.base == terms.cash) revert SameToken(terms.base);
        if (terms.recipient == address(0) || terms.signer == address(0) || terms.taker == address(0)) {
            revert ZeroAddress();
        }
        _requireDelegate(terms.maker, terms.signer);
        Tally memory tally;
        tally.domain = _domainSeparatorV4();
        tally.base = terms.base;
        tally.cash = terms.cash;
        tally.recipient = terms.recipient;
        tally.word = quotes[0].nonce >> 8;
        tally.used = usedNonces[terms.maker][tally.word];
        Quote memory quote = Batches.common(terms);
        for (uint256 i = 0; i < quotes.length; ++i) _net(quotes[i], quote, tally);
        usedNonces[terms.maker][tally.word] = tally.used;
        baseToTaker = _transferNet(terms, terms.base, tally.baseGiven, tally.baseTaken, tally.baseFee);
        cashToTaker = _transferNet(terms, terms.cash, tally.cashGiven, tally.cashTaken, tally.cashFee);
    }

    function settleStatement(Statement calldata statement, bytes calldata makerSig, bytes calldata takerSig)
        external
    {
        _requireAlive(statement.settleBy);
        if (statement.recipient == address(0)) revert ZeroAddress();
        if (statement.legs.length > LEGS_MAX) revert BatchTooLong(statement.legs.length);
        bytes32 digest = _hashTypedDataV4(statement.hash());
        address signer = Signatures.signerOf(statement.signer, digest, makerSig);
        if (signer != statement.signer) revert Signatures.WrongSignature(signer);
        address taker = Signatures.signerOf(statement.taker, digest, takerSig);
        if (taker != statement.taker) revert WrongTaker(taker);
        _requireDelegate(statement.maker, signer);
        _useWords(statement.maker, statement.count, statement.words);
        _transferLegs(statement);
        emit StatementSettled(
            statement.batchRoot, statement.maker, taker, statement.count, statement.words
        );
    }

    function hashStatement(Statement calldata statement) external view returns (bytes32) {
        return _hashTypedDataV4(statement.hash());
    }

    /// @dev One quote, completed in `quote`. No token is called before all quotes are through.
    function _net(NetQuote calldata own, Quote memory quote, Tally memory tally) private {
        bool sellsBase = own.sellsBase;
        bytes32 quoteHash = sellsBase
            ? Batches.complete(quote, tally.base, tally.cash, own)
            : Batches.complete(quote, tally.cash, tally.base, own);
        uint256 amount = own.amount;
        _requireAlive(quote.settleBy);
        if ((quote.makerAmount | quote.takerAmount) >= AMOUNT_END) revert WrongAmount(quote.makerAmount);
        if (msg.sender != quote.maker) {
            address signer = Signatures.recover(
                MessageHashUtils.toTypedDataHash(tally.domain, quoteHash), own.makerR, own.makerVS
            );
            if (signer != quote.signer) revert Signatures.WrongSignature(signer);
        }
        if (msg.sender != quote.taker) {
            bytes32 accepted = Quotes.hashAcceptance(quote.quoteId, quoteHash, amount, tally.recipient);
            address taker = Signatures.recover(
                MessageHashUtils.toTypedDataHash(tally.domain, accepted), own.takerR, own.takerVS
            );
            if (taker != quote.taker) revert WrongTaker(taker);
        }
        _tallyNonce(quote.maker, quote.nonce, tally);
        _tallyAmounts(sellsBase, quote, amount, tally);
        emit Filled(quote.quoteId, quote.maker, quote.nonce, amount);
    }

    function _tallyNonce(address maker, uint256 nonce, Tally memory tally) private {
        uint256 word = nonce >> 8;
        if (word != tally.word) {
            usedNonces[maker][tally.word] = tally.used;
            tally.word = word;
            tally.used = usedNonces[maker][word];
        }
        uint256 bit = 1 << (nonce & 255);
        if (tally.used & bit != 0) revert NonceUsed(nonce);
        tally.used |= bit;
    }

    function _tallyAmounts(bool sellsBase, Quote memory quote, uint256 amount, Tally memory tally) private pure {
        (uint256 gross, uint256 fee) = _split(quote, amount);
        unchecked {
            // Below 2^240 each, at most 256 of them.
            if (sellsBase) {
                tally.baseGiven += gross - fee;
                tally.baseFee += fee;
                tally.cashTaken += amount;
            } else {
                tally.cashGiven += gross - fee;
                tally.cashFee += fee;
                tally.baseTaken += amount;
            }
        }
    }

    function _transferNet(NetTerms calldata terms, address token, uint256 given, uint256 taken, uint256 fee)
        private
        returns (int256 toTaker)
    {
        toTaker = int256(given) - int256(taken);
        _transfer(token, terms.maker, terms.taker, terms.recipient, toTaker);
        _transferFee(token, terms.maker, terms.feeRecipient, fee);
    }

    function _transfer(address token, address maker, address taker, address recipient, int256 toTaker) private {
        if (toTaker > 0) Tokens.pull(token, maker, recipient, uint256(toTaker));
        else if (toTaker < 0) Tokens.pull(token, taker, maker, uint256(-toTaker));
    }

    function _transferFee(address token, address maker, address feeRecipient, uint256 fee) private {
        if (fee == 0) return;
        if (feeRecipient == address(0)) revert ZeroAddress();
        Tokens.pull(token, maker, feeRecipient, fee);
    }

    function _transferLegs(Statement calldata statement) private {
        address last = address(0);
        for (uint256 i = 0; i < statement.legs.length; ++i) {
            Leg calldata leg = statement.legs[i];
            if (leg.token <= last) revert NotAscending(i);
            if (leg.toTaker == 0 && leg.fee == 0) revert ZeroLeg(i);
            last = leg.token;
            _transfer(leg.token, statement.maker, statement.taker, statement.recipient, leg.toTaker);
            _transferFee(leg.token, statement.maker, statement.feeRecipient, leg.fee);
        }
    }

    /// @dev Without a nonce to use up, a statement could be settled again: there is always one.
    function _useWords(address maker, uint256 count, NonceWord[] calldata words) private {
        if (words.length == 0) revert EmptyBatch();
        if (words.length > WORDS_MAX) revert BatchTooLong(words.length);
        uint256 nonces = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            uint256 word = words[i].word;
            uint256 mask = words[i].mask;
            if (mask == 0 || (i != 0 && word <= words[i - 1].word)) revert NotAscending(i);
            uint256 used = usedNonces[maker][word];
            if (used & mask != 0) revert NonceUsed((word << 8) | _lowestBit(used & mask));
            usedNonces[maker][word] = used | mask;
            nonces += _bitsIn(mask);
        }
        if (nonces != count) revert WrongCount(count, nonces);
    }

    function _bitsIn(uint256 mask) private pure returns (uint256 bits) {
        // Each round clears the lowest bit: at most 256.
        for (; mask != 0; ++bits) mask &= mask - 1;
    }

    function _lowestBit(uint256 mask) private pure returns (uint256 bit) {
        while (mask & (1 << bit) == 0) ++bit;
    }
}
