// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title The log of executed orders: the only thing that loosens the desk's limits
/// @notice Each order is written into an event, under the next sequence number and on top of the
///         previous head, by the authority alone. An order is thereby valid for one chain, one
///         contract, one sequence number and one history. There is nothing to amend: a rollback is a
///         new order.
interface IGovernorLog {
    /// @notice An executed order.
    /// @param sequence     Counts from 1 without gaps.
    /// @param family       What the body is, ASCII padded with zeros, such as "policy" or "release".
    /// @param previousHead The head this order stands on.
    /// @param head         sha256(previousHead, sha256(abi.encode(chain id, contract, sequence, family, expiry, body))).
    /// @param body         The order's canonical bytes.
    /// @param expiry       Last second in which the order could be executed.
    event OrderExecuted(
        uint256 indexed sequence,
        bytes32 indexed family,
        bytes32 previousHead,
        bytes32 head,
        bytes body,
        uint64 expiry
    );

    error NotAuthority(address sender);
    error WrongSequence(uint256 sequence, uint256 next);
    error WrongHead(bytes32 previousHead, bytes32 head);
    error BodyTooLong(uint256 length);
    error BodyEmpty();
    error OrderExpired(uint64 expiry, uint256 time);
    error ZeroAddress();

    /// @notice Execute an order. Authority only.
    /// @param family       Not checked here: readers ignore families they do not know.
    /// @param sequence     The present sequence number plus one.
    /// @param previousHead The present head.
    /// @param body         1 to 4096 bytes.
    /// @param expiry       Last second in which this may happen.
    function execute(bytes32 family, uint256 sequence, bytes32 previousHead, bytes calldata body, uint64 expiry)
        external;

    /// @notice The sequence number of the last order; zero before the first.
    function sequence() external view returns (uint256);

    /// @notice The head of the chain of orders; before the first order what the deployment began with.
    function head() external view returns (bytes32);

    /// @notice The block in which an order was executed, so that readers find its event at once.
    function blockOf(uint256 sequence) external view returns (uint256);
}
