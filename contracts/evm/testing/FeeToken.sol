// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TestToken} from "./TestToken.sol";

/// @title A token that keeps a hundredth of every transfer
contract FeeToken is TestToken {
    constructor() TestToken("TAXED", 18) {}

    function _update(address from, address to, uint256 amount) internal override {
        uint256 tax = from == address(0) || to == address(0) ? 0 : amount / 100;
        super._update(from, to, amount - tax);
        if (tax != 0) super._update(from, minter, tax);
    }
}
