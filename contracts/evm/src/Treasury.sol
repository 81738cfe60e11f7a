// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ISettlement} from "./interfaces/ISettlement.sol";
import {ITreasury} from "./interfaces/ITreasury.sol";

interface IBurnable {
    function burn(uint256 amount) external;
}

/// @title The desk's vault for payouts and buybacks; see ITreasury
contract Treasury is ITreasury {
    using SafeERC20 for IERC20;

    uint256 private constant PAYMENTS_MAX = 64;
    uint256 private constant PAYMENT_GAS = 200_000;

    address public immutable authority;
    ISettlement public immutable settlement;
    address public operator;
    bool public paused;
    address public guardian;
    mapping(bytes32 key => bool) public settled;
    mapping(address token => uint256) public capPerDay;
    mapping(address token => mapping(uint256 day => uint256)) public spentOn;
    mapping(address token => bool) public buyable;

    modifier onlyAuthority() {
        if (msg.sender != authority) revert NotAuthority(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    modifier onlyOperator() {
        if (msg.sender != operator) revert NotOperator(msg.sender);
        if (paused) revert Paused();
        _;
    }

    /// @dev Marks the key before any token is called, so that a token which calls back finds it used.
    modifier once(bytes32 key, uint256 deadline) {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
        if (settled[key]) revert KeyUsed(key);
        settled[key] = true;
        _;
    }

    constructor(address authority_, address operator_, address guardian_, ISettlement settlement_) {
        if (authority_ == address(0) || address(settlement_) == address(0)) revert ZeroAddress();
        authority = authority_;
        settlement = settlement_;
        _setOperator(operator_);
        _setGuardian(guardian_);
    }

    function pay(bytes32 key, address token, address to, uint256 amount, uint256 deadline)
        external
        onlyOperator
        once(key, deadline)
    {
        _pay(key, token, to, amount);
    }

    function payMany(Payment[] calldata payments) external onlyOperator returns (uint256 paid) {
        if (payments.length == 0) revert EmptyBatch();
        if (payments.length > PAYMENTS_MAX) revert BatchTooLong(payments.length);
        for (uint256 i = 0; i < payments.length; ++i) {
            // A payment must fail for its own reasons, never for want of gas.
            if (gasleft() < PAYMENT_GAS + PAYMENT_GAS / 32) revert TooLittleGas(gasleft());
            (bool done, bytes4 reason) = _try(abi.encodeCall(this.payOne, (payments[i])));
            if (done) ++paid;
            else emit Skipped(payments[i].key, reason);
        }
    }

    function payOne(Payment calldata payment) external once(payment.key, payment.deadline) {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        _pay(payment.key, payment.token, payment.to, payment.amount);
    }

    function buyback(
        bytes32 key,
        ISettlement.Quote calldata quote,
        bytes calldata makerSig,
        uint256 deadline,
        uint256 minOutput,
        bool burn
    ) external onlyOperator once(key, deadline) {
        if (!buyable[quote.makerToken]) revert NotBuyable(quote.makerToken);
        _spend(quote.takerToken, quote.takerAmount);
        IERC20 bought = IERC20(quote.makerToken);
        uint256 before = bought.balanceOf(address(this));
        IERC20(quote.takerToken).forceApprove(address(settlement), quote.takerAmount);
        settlement.take(quote, makerSig, quote.takerAmount, address(this), minOutput);
        uint256 output = bought.balanceOf(address(this)) - before;
        if (output < minOutput) revert OutputTooLow(output);
        if (burn) IBurnable(address(bought)).burn(output);
        emit BoughtBack(key, quote.quoteId, quote.takerToken, quote.takerAmount, address(bought), output, burn);
    }

    function setOperator(address operator_) external onlyAuthority {
        _setOperator(operator_);
    }

    function setGuardian(address guardian_) external onlyAuthority {
        _setGuardian(guardian_);
    }

    function setCap(address token, uint256 amountPerDay) external onlyAuthority {
        _setCap(token, amountPerDay);
    }

    function lowerCap(address token, uint256 amountPerDay) external onlyGuardian {
        uint256 present = capPerDay[token];
        if (amountPerDay >= present) revert CapNotLower(amountPerDay, present);
        _setCap(token, amountPerDay);
    }

    function setBuyable(address token, bool allowed) external onlyAuthority {
        buyable[token] = allowed;
        emit BuyableSet(token, allowed);
    }

    function pause() external onlyGuardian {
        paused = true;
        emit PausedSet(true);
    }

    function unpause() external onlyAuthority {
        paused = false;
        emit PausedSet(false);
    }

    function _pay(bytes32 key, address token, address to, uint256 amount) private {
        if (to == address(0)) revert ZeroAddress();
        _spend(token, amount);
        IERC20(token).safeTransfer(to, amount);
        emit Paid(key, token, to, amount);
    }

    /// @dev Call this contract with bounded gas; of what comes back only the first four bytes are read.
    function _try(bytes memory data) private returns (bool done, bytes4 reason) {
        assembly ("memory-safe") {
            mstore(0x00, 0)
            done := call(PAYMENT_GAS, address(), 0, add(data, 0x20), mload(data), 0x00, 0x04)
            reason := mload(0x00)
        }
    }

    function _spend(address token, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        uint256 day = block.timestamp / 1 days;
        uint256 cap = capPerDay[token];
        uint256 spent = spentOn[token][day];
        uint256 left = cap > spent ? cap - spent : 0;
        if (amount > left) revert CapExceeded(token, amount, left);
        spentOn[token][day] = spent + amount;
    }

    function _setCap(address token, uint256 amountPerDay) private {
        capPerDay[token] = amountPerDay;
        emit CapSet(token, amountPerDay);
    }

    function _setOperator(address operator_) private {
        if (operator_ == address(0)) revert ZeroAddress();
        operator = operator_;
        emit OperatorSet(operator_);
    }

    function _setGuardian(address guardian_) private {
        if (guardian_ == address(0)) revert ZeroAddress();
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }
}
