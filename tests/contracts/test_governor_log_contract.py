"""Governor log and the DEMO multisig above it: what counts as an executed order."""

from __future__ import annotations

from typing import Any

import pytest

from dmm.adapters.evm.codec import calldata, order_head
from dmm.adapters.evm.sign import Key

EXECUTE = "execute(bytes32,uint256,bytes32,bytes,uint64)"
POLICY = b"policy".ljust(32, b"\0")
GENESIS = bytes(32)
STRANGER = Key(b"\x11" * 32)


def order(world: Any, **change: Any) -> list[object]:
    terms = {
        "family": POLICY,
        "sequence": 1,
        "previous": GENESIS,
        "body": b'{"gamma":2}',
        "expiry": world.now_s() + 60,
    } | change
    return list(terms.values())


def refused(world: Any, values: list[object], **at: int) -> Any:
    data = world.governed(world.at("governor"), EXECUTE, *values)
    return world.refusal(world.actors.deployer, world.at("multisig"), data, **at)


def test_an_order_goes_into_the_event_and_moves_the_head(world: Any) -> None:
    values = order(world)
    receipt = world.govern(world.at("governor"), EXECUTE, *values)
    event = world.log(receipt, "GovernorLog", "OrderExecuted")
    wanted = order_head(
        chain_id=31_337,
        contract=world.at("governor"),
        sequence=1,
        family=POLICY,
        previous_head=GENESIS,
        body=b'{"gamma":2}',
        expiry_s=int(str(values[4])),
    )
    assert (event["body"], event["head"]) == (b'{"gamma":2}', wanted)
    assert world.read(world.at("governor"), "head()").to_bytes(32, "big") == wanted
    assert world.read(world.at("governor"), "sequence()") == 1
    assert world.read(world.at("governor"), "blockOf(uint256)", 1) == int(
        receipt["blockNumber"], 16
    )
    following = order(world, sequence=2, previous=wanted, family=b"release".ljust(32, b"\0"))
    assert world.govern(world.at("governor"), EXECUTE, *following)


@pytest.mark.parametrize("sequence", [0, 2, 2**256 - 1])
def test_a_wrong_sequence_is_refused(world: Any, sequence: int) -> None:
    refusal = refused(world, order(world, sequence=sequence))
    assert (refusal.name, refusal.values) == ("WrongSequence", (sequence, 1))


def test_an_order_is_executed_once(world: Any) -> None:
    world.govern(world.at("governor"), EXECUTE, *order(world))
    assert refused(world, order(world)).name == "WrongSequence"


def test_an_order_on_another_history_is_refused(world: Any) -> None:
    refusal = refused(world, order(world, previous=b"\x09" * 32))
    assert (refusal.name, refusal.values) == ("WrongHead", (b"\x09" * 32, GENESIS))


def test_an_expired_order_is_refused(world: Any) -> None:
    expiry = world.now_s() + 10
    refusal = refused(world, order(world, expiry=expiry), at_s=expiry + 1)
    assert (refusal.name, refusal.values) == ("OrderExpired", (expiry, expiry + 1))


def test_a_body_has_1_to_4096_bytes(world: Any) -> None:
    assert refused(world, order(world, body=b"")).name == "BodyEmpty"
    refusal = refused(world, order(world, body=b"x" * 4_097))
    assert (refusal.name, refusal.values) == ("BodyTooLong", (4_097,))
    assert world.govern(world.at("governor"), EXECUTE, *order(world, body=b"x" * 4_096))


def test_only_the_authority_executes_orders(world: Any) -> None:
    data = calldata(EXECUTE, *order(world))
    for caller in (world.actors.owners[0], world.actors.guardian, world.actors.deployer):
        refusal = world.refusal(caller, world.at("governor"), data)
        assert (refusal.name, refusal.values) == ("NotAuthority", (caller.address.lower(),))


def signed(world: Any, **change: Any) -> bytes:
    data: bytes = world.governed(world.at("governor"), EXECUTE, *order(world), **change)
    return data


def multisig_refuses(world: Any, data: bytes, **at: int) -> Any:
    return world.refusal(world.actors.deployer, world.at("multisig"), data, **at)


def test_one_owner_of_three_is_not_enough(world: Any) -> None:
    refusal = multisig_refuses(world, signed(world, owners=world.actors.owners[:1]))
    assert (refusal.name, refusal.values) == ("TooFewSignatures", (1,))


def test_one_owner_twice_is_one_owner(world: Any) -> None:
    owner = world.actors.owners[1]
    refusal = multisig_refuses(world, signed(world, owners=[owner, owner]))
    assert (refusal.name, refusal.values) == ("NotSorted", (owner.address.lower(),))


def test_a_stranger_is_no_owner(world: Any) -> None:
    refusal = multisig_refuses(world, signed(world, owners=[world.actors.owners[0], STRANGER]))
    assert (refusal.name, refusal.values) == ("NotAnOwner", (STRANGER.address.lower(),))


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_any_two_owners_are_enough_and_three_are_too(world: Any, pair: tuple[int, ...]) -> None:
    data = signed(world, owners=[world.actors.owners[index] for index in pair])
    receipt = world.send(world.actors.takers[0], world.at("multisig"), data)
    assert int(receipt["status"], 16) == 1


def test_a_signed_call_happens_once_in_its_turn_and_in_time(world: Any) -> None:
    data = signed(world)
    world.send(world.actors.deployer, world.at("multisig"), data)
    refusal = multisig_refuses(world, data)
    assert refusal.name == "WrongNonce"
    late = world.now_s() + 5
    refusal = multisig_refuses(world, signed(world, deadline_s=late), at_s=late + 1)
    assert (refusal.name, refusal.values) == ("DeadlinePassed", (late, late + 1))


def test_signatures_for_one_call_do_not_carry_another(world: Any) -> None:
    data = signed(world)
    altered = data.replace(b'{"gamma":2}', b'{"gamma":9}')
    assert altered != data
    assert multisig_refuses(world, altered).name == "NotAnOwner"


def test_a_call_of_an_account_without_code_is_refused(world: Any) -> None:
    data = world.governed(STRANGER.address, EXECUTE, *order(world))
    assert multisig_refuses(world, data).name == "NoCode"


@pytest.mark.parametrize(
    ("owners", "threshold", "error"),
    [(3, 0, "WrongThreshold"), (3, 4, "WrongThreshold"), (17, 2, "WrongThreshold")],
)
def test_a_multisig_needs_a_reachable_threshold(
    world: Any, owners: int, threshold: int, error: str
) -> None:
    people = [f"0x{index + 1:040x}" for index in range(owners)]
    assert _creation(world, people, threshold) == error


def test_a_multisig_has_no_owner_twice_and_no_zero_owner(world: Any) -> None:
    assert _creation(world, [STRANGER.address] * 2, 1) == "WrongOwner"
    assert _creation(world, ["0x" + "00" * 20], 1) == "WrongOwner"


def _creation(world: Any, owners: list[str], threshold: int) -> str:
    code = world.code("Multisig", ["address[]", "uint256"], [owners, threshold])
    name: str = world.refusal(world.actors.deployer, None, code).name
    return name
