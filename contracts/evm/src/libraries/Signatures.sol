// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @title Who signed a digest: a key by ECDSA first, an account with code by ERC-1271 otherwise
/// @notice The key comes first because an account may have code and a key at once (EIP-7702).
library Signatures {
    /// @dev Half the order of secp256k1: above it a second form of every signature would pass.
    uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
    bytes32 private constant S_MASK = bytes32(type(uint256).max >> 1);

    /// @notice No signature of `recovered`'s is one of whom was asked for; zero when nobody's at all.
    error WrongSignature(address recovered);

    /// @notice Return `claimed` when it signed, or else the key that did.
    /// @dev    Reverts when nobody signed, so that zero is never returned and never matches.
    function signerOf(address claimed, bytes32 digest, bytes calldata sig) internal view returns (address signer) {
        signer = recover(digest, sig);
        if (signer == claimed && claimed != address(0)) return signer;
        if (claimed.code.length != 0 && _isValid(claimed, digest, sig)) return claimed;
        if (signer == address(0)) revert WrongSignature(signer);
    }

    /// @notice Return the key that signed, zero for what is no signature.
    function recover(bytes32 digest, bytes calldata sig) internal view returns (address) {
        if (sig.length == 64) return recover(digest, bytes32(sig[:32]), bytes32(sig[32:]));
        if (sig.length != 65) return address(0);
        return _recover(digest, uint8(sig[64]), bytes32(sig[:32]), bytes32(sig[32:64]));
    }

    /// @notice Return the key that signed in EIP-2098 form, zero for what is no signature.
    function recover(bytes32 digest, bytes32 r, bytes32 vs) internal view returns (address) {
        return _recover(digest, (uint256(vs) >> 255) + 27, r, vs & S_MASK);
    }

    /// @dev The precompile answers nothing for what is no signature.
    function _recover(bytes32 digest, uint256 v, bytes32 r, bytes32 s) private view returns (address signer) {
        if (uint256(s) > HALF_ORDER) return address(0);
        assembly ("memory-safe") {
            let input := mload(0x40)
            mstore(input, digest)
            mstore(add(input, 0x20), v)
            mstore(add(input, 0x40), r)
            mstore(add(input, 0x60), s)
            mstore(0x00, 0)
            pop(staticcall(gas(), 0x01, input, 0x80, 0x00, 0x20))
            signer := mload(0x00)
        }
    }

    /// @dev An account that reverts or answers anything but the magic value did not sign.
    function _isValid(address account, bytes32 digest, bytes calldata sig) private view returns (bool) {
        (bool done, bytes memory answer) =
            account.staticcall(abi.encodeCall(IERC1271.isValidSignature, (digest, sig)));
        return done && answer.length >= 32 && bytes32(answer) == bytes32(IERC1271.isValidSignature.selector);
    }
}
