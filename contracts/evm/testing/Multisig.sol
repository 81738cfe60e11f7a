// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

/// @title DEMO authority for local chains: m of n owners sign a call, anyone relays it
/// @notice Elsewhere the authority is a real multisig behind a time lock. This one has no time lock.
contract Multisig is EIP712 {
    uint256 private constant OWNERS_MAX = 16;
    bytes32 private constant CALL_TYPEHASH =
        keccak256("Call(address target,bytes data,uint256 nonce,uint256 deadline)");

    uint256 public immutable threshold;
    uint256 public nonce;
    mapping(address owner => bool) public isOwner;

    event Executed(uint256 indexed nonce, address indexed target);

    error WrongThreshold(uint256 threshold);
    error WrongOwner(address owner);
    error WrongNonce(uint256 nonce, uint256 next);
    error DeadlinePassed(uint256 deadline, uint256 time);
    error TooFewSignatures(uint256 count);
    error NotAnOwner(address recovered);
    error NotSorted(address recovered);
    error NoCode(address target);

    constructor(address[] memory owners, uint256 threshold_) EIP712("DMM Multisig", "1") {
        if (threshold_ == 0 || threshold_ > owners.length || owners.length > OWNERS_MAX) {
            revert WrongThreshold(threshold_);
        }
        threshold = threshold_;
        for (uint256 i = 0; i < owners.length; ++i) {
            if (owners[i] == address(0) || isOwner[owners[i]]) revert WrongOwner(owners[i]);
            isOwner[owners[i]] = true;
        }
    }

    /// @notice Call `target` with `data` if enough owners signed exactly this call.
    /// @param nonce_   The present nonce: calls happen in the order they were signed for.
    /// @param deadline Last second in which the call may happen.
    /// @param sigs     At least `threshold` signatures, ascending by signer's address.
    function exec(address target, bytes calldata data, uint256 nonce_, uint256 deadline, bytes[] calldata sigs)
        external
    {
        if (nonce_ != nonce) revert WrongNonce(nonce_, nonce);
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
        if (target.code.length == 0) revert NoCode(target);
        _requireSigned(hashCall(target, data, nonce_, deadline), sigs);
        nonce = nonce_ + 1;
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        emit Executed(nonce_, target);
    }

    function hashCall(address target, bytes calldata data, uint256 nonce_, uint256 deadline)
        public
        view
        returns (bytes32)
    {
        return _hashTypedDataV4(keccak256(abi.encode(CALL_TYPEHASH, target, keccak256(data), nonce_, deadline)));
    }

    /// @dev Ascending order makes one owner's second signature impossible. The list is bounded by the owners.
    function _requireSigned(bytes32 digest, bytes[] calldata sigs) private view {
        if (sigs.length < threshold || sigs.length > OWNERS_MAX) revert TooFewSignatures(sigs.length);
        address last = address(0);
        for (uint256 i = 0; i < sigs.length; ++i) {
            address owner = ECDSA.recover(digest, sigs[i]);
            if (!isOwner[owner]) revert NotAnOwner(owner);
            if (owner <= last) revert NotSorted(owner);
            last = owner;
        }
    }
}
