// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

/// @title An account that is a contract: its owner signs for it, and its answers can be made wrong
contract SmartWallet is IERC1271 {
    address public immutable owner;
    bytes private _answer;

    error NotOwner(address sender);

    constructor(address owner_) {
        owner = owner_;
    }

    /// @notice Answer these bytes, whatever is asked; none means honest again.
    function rig(bytes calldata answer) external {
        _answer = answer;
    }

    function exec(address target, bytes calldata data) external returns (bytes memory) {
        if (msg.sender != owner) revert NotOwner(msg.sender);
        (bool done, bytes memory answer) = target.call(data);
        if (!done) {
            assembly ("memory-safe") {
                revert(add(answer, 0x20), mload(answer))
            }
        }
        return answer;
    }

    function isValidSignature(bytes32 digest, bytes calldata sig) external view returns (bytes4) {
        bytes memory answer = _answer;
        if (answer.length != 0) {
            assembly ("memory-safe") {
                return(add(answer, 0x20), mload(answer))
            }
        }
        (address signer,,) = ECDSA.tryRecover(digest, sig);
        return signer == owner ? IERC1271.isValidSignature.selector : bytes4(0xffffffff);
    }
}
