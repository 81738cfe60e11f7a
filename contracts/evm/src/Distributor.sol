// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {IDistributor} from "./interfaces/IDistributor.sol";

/// @title Cumulative Merkle claims of one token; see IDistributor
contract Distributor is IDistributor {
    using SafeERC20 for IERC20;

    uint256 private constant CHALLENGE_S_MAX = 30 days;

    address public immutable authority;
    IERC20 public immutable token;
    uint256 public immutable challengeS;
    address public guardian;
    bool public paused;
    uint256 public budget;
    uint256 public claimedTotal;
    mapping(address holder => uint256) public claimedBy;

    /// @dev The last version that was proposed, and the one before it. The last one is the current one
    ///      once it is ready; until then the one before it is.
    uint256 private _lastNumber;
    Version private _last;
    Version private _before;

    modifier onlyAuthority() {
        if (msg.sender != authority) revert NotAuthority(msg.sender);
        _;
    }

    modifier onlyGuardian() {
        if (msg.sender != guardian) revert NotGuardian(msg.sender);
        _;
    }

    /// @param challengeS_ Seconds a version is challenged before it can be claimed.
    constructor(address authority_, address guardian_, IERC20 token_, uint256 challengeS_) {
        if (authority_ == address(0) || address(token_) == address(0)) revert ZeroAddress();
        if (challengeS_ > CHALLENGE_S_MAX) revert ChallengeTooLong(challengeS_);
        authority = authority_;
        token = token_;
        challengeS = challengeS_;
        _setGuardian(guardian_);
    }

    function propose(uint256 version, bytes32 root, uint256 total, uint64 endsAt) external onlyAuthority {
        if (_isChallenged()) revert StillChallenged(_last.readyAt, block.timestamp);
        if (version != _lastNumber + 1) revert WrongVersion(version, _lastNumber);
        if (root == bytes32(0)) revert ZeroRoot();
        // Once the last version has ended, what nobody claimed of it is allocated no longer.
        uint256 before = block.timestamp > _last.endsAt ? claimedTotal : _last.total;
        if (total < before) revert TotalFell(total, before);
        if (total - before > budget) revert BudgetExceeded(total - before, budget);
        uint256 unpaid = total - claimedTotal;
        uint256 held = token.balanceOf(address(this));
        if (unpaid > held) revert NotFunded(unpaid, held);
        uint64 readyAt = uint64(block.timestamp + challengeS);
        if (endsAt < readyAt) revert Ended(endsAt, readyAt);
        _lastNumber = version;
        _before = _last;
        _last = Version({root: root, total: total, readyAt: readyAt, endsAt: endsAt});
        emit Proposed(version, root, total, readyAt, endsAt);
    }

    function veto(uint256 version) external onlyGuardian {
        if (version != _lastNumber || version == 0) revert WrongVersion(version, _lastNumber);
        if (!_isChallenged()) revert ChallengeOver(_last.readyAt, block.timestamp);
        _lastNumber = version - 1;
        _last = _before;
        emit Vetoed(version);
    }

    function claim(uint256 version, address holder, uint256 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 amount)
    {
        if (paused) revert Paused();
        (uint256 number, Version storage content) = _current();
        if (version == _lastNumber && number != version) revert NotReady(_last.readyAt, block.timestamp);
        if (version != number || number == 0) revert WrongVersion(version, number);
        if (block.timestamp > content.endsAt) revert Ended(content.endsAt, block.timestamp);
        bytes32 leaf = keccak256(
            bytes.concat(keccak256(abi.encode(block.chainid, address(this), address(token), holder, cumulative)))
        );
        if (!MerkleProof.verifyCalldata(proof, content.root, leaf)) revert WrongProof(holder, cumulative);
        uint256 before = claimedBy[holder];
        if (cumulative <= before) revert NothingToClaim(holder, before);
        amount = cumulative - before;
        uint256 left = content.total - claimedTotal;
        if (amount > left) revert BudgetExceeded(amount, left);
        claimedBy[holder] = cumulative;
        claimedTotal += amount;
        token.safeTransfer(holder, amount);
        emit Claimed(version, holder, amount, cumulative);
    }

    function clawback(address to, uint256 amount) external onlyAuthority {
        if (to == address(0)) revert ZeroAddress();
        uint256 most = free();
        if (amount == 0 || amount > most) revert NothingToTake(amount, most);
        token.safeTransfer(to, amount);
        emit ClawedBack(to, amount);
    }

    function setBudget(uint256 budget_) external onlyAuthority {
        _setBudget(budget_);
    }

    function lowerBudget(uint256 budget_) external onlyGuardian {
        if (budget_ >= budget) revert BudgetNotLower(budget_, budget);
        _setBudget(budget_);
    }

    function setGuardian(address guardian_) external onlyAuthority {
        _setGuardian(guardian_);
    }

    function pause() external onlyGuardian {
        paused = true;
        emit PausedSet(true);
    }

    function unpause() external onlyAuthority {
        paused = false;
        emit PausedSet(false);
    }

    function current() external view returns (uint256 version, Version memory content) {
        return _current();
    }

    function challenged() external view returns (uint256 version, Version memory content) {
        if (_isChallenged()) return (_lastNumber, _last);
    }

    function free() public view returns (uint256) {
        uint256 held = token.balanceOf(address(this));
        if (_lastNumber == 0 || block.timestamp > _last.endsAt) return held;
        uint256 unpaid = _last.total - claimedTotal;
        return held > unpaid ? held - unpaid : 0;
    }

    function _isChallenged() private view returns (bool) {
        return block.timestamp < _last.readyAt;
    }

    function _current() private view returns (uint256 version, Version storage content) {
        return _isChallenged() ? (_lastNumber - 1, _before) : (_lastNumber, _last);
    }

    function _setBudget(uint256 budget_) private {
        budget = budget_;
        emit BudgetSet(budget_);
    }

    function _setGuardian(address guardian_) private {
        if (guardian_ == address(0)) revert ZeroAddress();
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }
}
