// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title A constant-product pool to compare quotes with, on local chains only
/// @notice Fee of 30 bps on what comes in, as in Uniswap v2. No shares: whoever sends tokens in gives them away.
contract Pool {
    using SafeERC20 for IERC20;

    uint256 private constant FEE_BPS = 30;
    uint256 private constant BPS_ONE = 10_000;

    IERC20 public immutable base;
    IERC20 public immutable cash;

    event Swapped(address indexed sender, address indexed tokenIn, uint256 amountIn, uint256 amountOut);

    error NoSuchToken(address token);
    error ZeroAmount();
    error OutputTooLow(uint256 output);

    constructor(IERC20 base_, IERC20 cash_) {
        base = base_;
        cash = cash_;
    }

    /// @notice Sell exactly `amountIn` of one token for the other.
    function swap(IERC20 tokenIn, uint256 amountIn, uint256 minOutput) external returns (uint256 output) {
        IERC20 tokenOut = _other(tokenIn);
        output = amountOut(amountIn, tokenIn.balanceOf(address(this)), tokenOut.balanceOf(address(this)));
        if (output < minOutput) revert OutputTooLow(output);
        tokenIn.safeTransferFrom(msg.sender, address(this), amountIn);
        tokenOut.safeTransfer(msg.sender, output);
        emit Swapped(msg.sender, address(tokenIn), amountIn, output);
    }

    /// @notice What a pool with these reserves gives: floor(out * in' / (reserveIn + in')), in' after the fee.
    function amountOut(uint256 amountIn, uint256 reserveIn, uint256 reserveOut) public pure returns (uint256) {
        if (amountIn == 0 || reserveIn == 0 || reserveOut == 0) revert ZeroAmount();
        uint256 kept = amountIn * (BPS_ONE - FEE_BPS);
        return kept * reserveOut / (reserveIn * BPS_ONE + kept);
    }

    function _other(IERC20 token) private view returns (IERC20) {
        if (address(token) == address(base)) return cash;
        if (address(token) == address(cash)) return base;
        revert NoSuchToken(address(token));
    }
}
