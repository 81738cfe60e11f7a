// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IGovernorLog} from "./interfaces/IGovernorLog.sol";

/// @title The log of executed orders; see IGovernorLog
contract GovernorLog is IGovernorLog {
    uint256 private constant BODY_BYTES_MAX = 4_096;

    address public immutable authority;
    uint256 public sequence;
    bytes32 public head;
    mapping(uint256 sequence => uint256) public blockOf;

    /// @param authority_ Who executes orders, for ever.
    /// @param head_      The head before the first order: the id of what the desk starts with.
    constructor(address authority_, bytes32 head_) {
        if (authority_ == address(0)) revert ZeroAddress();
        authority = authority_;
        head = head_;
    }

    function execute(bytes32 family, uint256 sequence_, bytes32 previousHead, bytes calldata body, uint64 expiry)
        external
    {
        if (msg.sender != authority) revert NotAuthority(msg.sender);
        if (block.timestamp > expiry) revert OrderExpired(expiry, block.timestamp);
        if (sequence_ != sequence + 1) revert WrongSequence(sequence_, sequence + 1);
        if (previousHead != head) revert WrongHead(previousHead, head);
        if (body.length == 0) revert BodyEmpty();
        if (body.length > BODY_BYTES_MAX) revert BodyTooLong(body.length);
        bytes32 link = sha256(abi.encode(block.chainid, address(this), sequence_, family, expiry, body));
        bytes32 next = sha256(bytes.concat(previousHead, link));
        sequence = sequence_;
        head = next;
        blockOf[sequence_] = block.number;
        emit OrderExecuted(sequence_, family, previousHead, next, body, expiry);
    }
}
