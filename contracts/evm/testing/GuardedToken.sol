// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title A token whose issuer can stop all transfers, or those of one account
contract GuardedToken is TestToken {
    bool public stopped;
    mapping(address account => bool) public blocked;

    error Stopped();
    error Blocked(address account);

    constructor() TestToken("GUARDED", 18) {}

    function stop(bool stopped_) external {
        stopped = stopped_;
    }

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (stopped) revert Stopped();
        if (blocked[from]) revert Blocked(from);
        if (blocked[to]) revert Blocked(to);
        super._update(from, to, amount);
    }
}
