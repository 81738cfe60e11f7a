// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title A token that calls back while it is transferred, and remembers whether the call went through
contract HostileToken is TestToken {
    address public target;
    bytes public data;
    bool public called;
    bool public succeeded;

    constructor() TestToken("HOSTILE", 18) {}

    /// @notice Call `target` with `data` once, in the next transfer between accounts.
    function arm(address target_, bytes calldata data_) external {
        target = target_;
        data = data_;
        called = false;
    }

    /// @notice Burn all gas there is.
    function spin() external pure {
        while (true) {}
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target != address(0) && from != address(0) && !called) {
            called = true;
            (succeeded,) = target.call(data);
        }
    }
}
