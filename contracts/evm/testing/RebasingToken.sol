// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title A token whose balances grow and shrink without transfers: they are shares of a changing whole
contract RebasingToken {
    uint256 private constant ONE = 10_000;

    uint256 public scaleBps = ONE;
    mapping(address holder => uint256) public sharesOf;
    mapping(address holder => mapping(address spender => uint256)) public allowance;

    event Transfer(address indexed from, address indexed to, uint256 value);

    error NotEnough(address holder);

    /// @notice Make every balance this many ten-thousandths of its shares.
    function rebase(uint256 scaleBps_) external {
        scaleBps = scaleBps_;
    }

    function mint(address to, uint256 amount) external {
        sharesOf[to] += _sharesFor(amount);
        emit Transfer(address(0), to, amount);
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return _move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return _move(from, to, amount);
    }

    function balanceOf(address holder) external view returns (uint256) {
        return sharesOf[holder] * scaleBps / ONE;
    }

    function _move(address from, address to, uint256 amount) private returns (bool) {
        uint256 shares = _sharesFor(amount);
        if (sharesOf[from] < shares) revert NotEnough(from);
        sharesOf[from] -= shares;
        sharesOf[to] += shares;
        emit Transfer(from, to, amount);
        return true;
    }

    function _sharesFor(uint256 amount) private view returns (uint256) {
        return (amount * ONE + scaleBps - 1) / scaleBps;
    }
}
