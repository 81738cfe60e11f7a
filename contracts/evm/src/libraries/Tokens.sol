// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title transferFrom of tokens that return true or nothing
library Tokens {
    error TransferFailed(address token);

    /// @notice Move `amount` from `from` to `to` under this contract's allowance, or revert.
    /// @dev    The token's own error is passed on. A token without code, or one that answers false, fails.
    function pull(address token, address from, address to, uint256 amount) internal {
        bool done;
        assembly ("memory-safe") {
            let call_ := mload(0x40)
            // transferFrom(address,address,uint256)
            mstore(call_, 0x23b872dd00000000000000000000000000000000000000000000000000000000)
            // Upper bits of an address are undefined here.
            mstore(add(call_, 0x04), shr(96, shl(96, from)))
            mstore(add(call_, 0x24), shr(96, shl(96, to)))
            mstore(add(call_, 0x44), amount)
            done := call(gas(), token, 0, call_, 0x64, 0x00, 0x20)
            switch done
            case 0 {
                if returndatasize() {
                    returndatacopy(call_, 0x00, returndatasize())
                    revert(call_, returndatasize())
                }
            }
            default {
                switch returndatasize()
                case 0 { done := gt(extcodesize(token), 0) }
                default { done := and(gt(returndatasize(), 0x1f), eq(mload(0x00), 1)) }
            }
        }
        if (!done) revert TransferFailed(token);
    }
}
