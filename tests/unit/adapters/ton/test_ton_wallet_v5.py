"""Wallet v5: its place, its bytes, and what a number of its proves about bytes that name it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import ton_values as make
from hypothesis import given
from hypothesis import strategies as st
from pytoniq.contract.wallets.wallet_v5 import WalletV5R1
from pytoniq_core import Cell
from pytoniq_core.tlb.custom.wallet import WalletMessage
from pytoniq_core.tlb.transaction import MessageAny

from dmm.adapters.ton import wallet_v5
from dmm.adapters.ton.cells import EMPTY, raw, state_init
from dmm.adapters.ton.sign import Key, SequencedKey, key_of, sign_settlement
from dmm.adapters.ton.slots import OWN_MESSAGES, VALID_S, Numbers, slots_of, valid_until_s
from dmm.adapters.ton.wallet import TIMEOUT_S, Wallet, outgoing, split_id
from dmm.ports import SignRequest, SlotOffer, SlotState, Snapshot
from dmm.settlement.intent import Intent, IntentKind, Slot
from dmm.settlement.lifecycle import GENERATION_MAX
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent

SECRET, GLOBAL_ID = b"\x33" * 32, -217
KEY = SequencedKey(SECRET, global_id=GLOBAL_ID)
DEADLINE_S = 1_900_000_600
MESSAGE = outgoing(to=0x77, nanoton=123_456_789, body=EMPTY)
V5_R1 = "20834b7b72b112147e1b2fb457b84e74d1a30f04f737d4f62a668e9552d2b72f"
"""Hash of the code, TON documentation, "Wallet V5"."""


def intent(kind: IntentKind = IntentKind.REWARD) -> Intent:
    return Intent(
        kind=kind,
        chain="ton",
        contract="treasury",
        vault="treasury@ton",
        scope="r1/liquidity",
        epoch=3,
        ordinal=5,
        asset="DCT",
        recipient=raw(0x55),
        amount=Atoms(7_001),
        deadline_s=DEADLINE_S,
        inputs={},
    )


def at(time_s: int) -> Snapshot:
    return Snapshot(
        chain="ton",
        head_height=9,
        head_time_s=time_s,
        finalized_height=9,
        finalized_hash="ab" * 32,
        finalized_time_s=time_s,
    )


def request(**change: object) -> SignRequest:
    asked = SignRequest(
        intent=intent(),
        generation=0,
        bump=0,
        slot=1_900_000_000,
        unit_fee_max=200_000_000,
        unit_tip=0,
        gas_max=1,
        expires=1_900_000_000 + VALID_S,
        anchor="12",
    )
    return replace(asked, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("global_id", "wanted"), [(-239, 0x7FFFFF11), (-3, 0x7FFFFFFD)])
def test_a_wallets_id_names_its_network(global_id: int, wanted: int) -> None:
    # The documentation's own: 2147483409 on mainnet, 2147483645 on testnet.
    assert wallet_v5.wallet_id(global_id) == wanted
    assert wallet_v5.wallet_id(global_id % 2**32) == wanted


@given(public_key=st.binary(min_size=32, max_size=32), global_id=st.sampled_from([-239, -3, -217]))
def test_a_wallet_lies_where_the_client_library_puts_it(public_key: bytes, global_id: int) -> None:
    account, init = wallet_v5.wallet_state(public_key, global_id=global_id)
    data = WalletV5R1.create_data_cell(public_key, network_global_id=global_id)
    assert init.code is not None
    assert init.code.hash.hex() == V5_R1
    assert state_init(init.code, data)[0] == account


@given(seqno=st.integers(1, 2**32 - 1), valid_until_s=st.integers(0, 2**32 - 1))
def test_the_signed_message_is_the_client_librarys_to_the_bit(
    seqno: int, valid_until_s: int
) -> None:
    tx_id, content = KEY.send_next(MESSAGE, seqno=seqno, valid_until_s=valid_until_s)
    message = MessageAny.deserialize(Cell.one_from_boc(content).begin_parse())
    sent = MessageAny.deserialize(MESSAGE.begin_parse())
    theirs = WalletV5R1.raw_create_transfer_msg(
        WalletV5R1.__new__(WalletV5R1),
        private_key=SECRET + KEY.public_key,
        seqno=seqno,
        wallet_id=wallet_v5.wallet_id(GLOBAL_ID),
        messages=[WalletMessage(send_mode=wallet_v5.SEND_MODE, message=sent)],
        valid_until=valid_until_s,
    )
    assert message.body.hash == theirs.hash
    assert split_id(tx_id) == (KEY.address, theirs.hash.hex())


@pytest.mark.parametrize("change", [{"seqno": -1}, {"seqno": 2**32}, {"valid_until_s": 2**32}])
def test_a_number_that_does_not_fit_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(Permanent, match="does not fit 32 bits"):
        KEY.send_next(MESSAGE, **({"seqno": 1, "valid_until_s": 5} | change))


# -- the signer ------------------------------------------------------------------------------------


def test_a_payment_names_the_wallets_number_and_ends_with_its_deadline() -> None:
    signed = sign_settlement(request(), key=KEY, book=make.book())
    body = MessageAny.deserialize(Cell.one_from_boc(signed.raw).begin_parse()).body.begin_parse()
    assert body.load_uint(32) == wallet_v5.OP_SIGNED_EXTERNAL
    assert body.load_uint(32) == wallet_v5.wallet_id(GLOBAL_ID)
    # The contract pays at the deadline itself; the wallet refuses at its own time.
    assert (body.load_uint(32), body.load_uint(32)) == (DEADLINE_S + 1, 12)
    assert signed.signer == KEY.address == signed.tx_id.partition("/")[0]


@pytest.mark.parametrize("anchor", ["", "-1", "x", "1.5", "²"])
def test_a_request_without_the_wallets_number_is_refused(anchor: str) -> None:
    with pytest.raises(Permanent, match="set DMM_TON_WALLET of the desk to v5"):
        sign_settlement(request(anchor=anchor), key=KEY, book=make.book())


def test_a_wallet_v5_signs_no_query_ids() -> None:
    with pytest.raises(Permanent, match="is no highload wallet"):
        KEY.send_on(MESSAGE, query_id=1, created_at_s=1_900_000_000)


def test_a_policy_names_the_wallet_and_an_unknown_one_is_refused() -> None:
    keys = [key_of(SECRET, wallet=wallet, chain_id=GLOBAL_ID) for wallet in ("", *Wallet)]
    assert [key.address for key in keys] == [Key(SECRET).address] * 2 + [KEY.address]
    assert KEY.address != SequencedKey(SECRET, global_id=-239).address
    with pytest.raises(Permanent, match="wallet must be one of highload-v3, v5, got 'v4'"):
        key_of(SECRET, wallet="v4", chain_id=GLOBAL_ID)


# -- what a number proves --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seqno", "time_s", "wanted"),
    [
        (12, 1_900_000_010, SlotState.OPEN),
        (12, DEADLINE_S, SlotState.OPEN),
        (12, DEADLINE_S + 1, SlotState.SPENT),
        (13, 1_900_000_010, SlotState.SPENT),
        (None, 1_900_000_010, SlotState.UNKNOWN),
        (None, DEADLINE_S + 1, SlotState.SPENT),
    ],
    ids=["free", "at the deadline", "past it", "passed", "unknown", "time alone proves it"],
)
def test_bytes_are_dead_once_their_number_or_their_time_has_passed(
    seqno: int | None, time_s: int, wanted: SlotState
) -> None:
    slots = Numbers(seqno=lambda _signer, _at: seqno)
    slot = Slot(
        signer=KEY.address, slot=5, generation=0, expires=1_900_000_000 + VALID_S, anchor="12"
    )
    assert slots.state(slot, intent(), at=at(time_s)) is wanted
    short = replace(slot, expires=1_900_000_010)
    assert slots.state(short, intent(), at=at(1_900_000_010)) is SlotState.SPENT


def test_a_takers_own_message_does_not_wait_for_our_wallets_number() -> None:
    slots = Numbers(seqno=lambda _signer, _at: 99)
    slot = Slot(signer=KEY.address, slot=5, generation=0, expires=1, anchor="12")
    quote = intent(IntentKind.QUOTE)
    assert slots.state(slot, quote, at=at(DEADLINE_S)) is SlotState.OPEN
    assert slots.state(slot, quote, at=at(DEADLINE_S + 1)) is SlotState.SPENT
    assert IntentKind.QUOTE not in slots.rules.sequenced == OWN_MESSAGES


def test_an_offer_is_the_wallets_next_number_for_a_bounded_time() -> None:
    slots = slots_of(Wallet.V5, seqno=lambda _signer, _at: 7)
    now_s = 1_900_000_000
    assert slots.offer(KEY.address, at=at(now_s)) == SlotOffer(
        floor=now_s, expires=now_s + VALID_S, anchor="7"
    )
    unknown = slots_of(Wallet.V5, seqno=lambda _signer, _at: None)
    assert unknown.offer(KEY.address, at=at(now_s)) is None
    ids = slots_of(Wallet.HIGHLOAD_V3, seqno=lambda _signer, _at: 7)
    assert ids.offer(KEY.address, at=at(now_s)) == SlotOffer(floor=now_s, expires=now_s + TIMEOUT_S)
    assert ids.rules.sequenced == frozenset()


def test_a_payment_has_slots_for_longer_than_a_day() -> None:
    assert GENERATION_MAX * VALID_S > 86_400
    assert valid_until_s(expires=100, deadline_s=50) == 51
    assert valid_until_s(expires=100, deadline_s=500) == 100
