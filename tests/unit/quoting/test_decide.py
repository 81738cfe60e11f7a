"""The pure decision: what is refused, what is cancelled, and the same bytes again."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from decision_values import BEST_ASK, decision_inputs, working_of
from trading_values import LINEAR, at_ms, policy

from dmm.market.instrument import Side
from dmm.quoting.decide import decide, decide_again
from dmm.quoting.decision import Decision
from dmm.quoting.decision_inputs import STILL, DecisionInputs, Working, decision_bytes
from dmm.risk.breaker import Posture
from dmm.risk.limits import Cap, CapScope
from dmm.units.amount import Lots, Ticks
from dmm.units.errors import InvariantBroken
from dmm.units.ids import canonical_json


def decided(inputs: DecisionInputs, **policy_changes: object) -> Decision:
    changed = replace(policy(), **policy_changes)  # type: ignore[arg-type]
    return decide(inputs, policy=changed, instrument=LINEAR)


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"estimated_sigma_microticks": 0}, ("sigma_not_positive",)),
        ({"estimated_kappa_nano": 0}, ("kappa_not_positive",)),
        (
            {"estimated_sigma_microticks": 0, "estimated_kappa_nano": 0},
            ("sigma_not_positive", "kappa_not_positive"),
        ),
        ({"online_sigma_microticks": STILL}, ("book_stands_still",)),
    ],
)
def test_what_nobody_measured_is_cancelled_and_held_with_its_reason(
    changes: dict[str, int], reasons: tuple[str, ...]
) -> None:
    decision = decided(decision_inputs(working=(RESTING,), **changes))
    assert decision.cancel == (RESTING.client_id,)
    assert decision.quotes == ()
    assert decision.refused == reasons
    assert decision.posture is Posture.QUOTING
    again = decide_again(decision.canonical_bytes, policy=policy(), instrument=LINEAR)
    assert again == decision.canonical_bytes


RESTING = Working(
    client_id="00000001-0",
    side=Side.BUY,
    price=Ticks(617_990),
    remaining=Lots(4),
    placed_at_ns=at_ms(9_000),
)


@pytest.mark.parametrize(
    ("changes", "posture", "signal"),
    [
        ({"killed": True}, Posture.KILLED, "killed"),
        ({"drawdown_atoms": 10**9 + 1}, Posture.HALTED, "drawdown_exceeded"),
        ({"books_disagree": True}, Posture.CANCEL_ONLY, "books_disagree"),
        ({"unknown_orders": 1}, Posture.CANCEL_ONLY, "order_state_unknown"),
        ({"depegged": True}, Posture.PAUSED, "depegged"),
        ({"clock_offset_ns": None}, Posture.PAUSED, "clock_off"),
        ({"clock_offset_ns": -250_000_001}, Posture.PAUSED, "clock_off"),
        ({"fill_deviation_ubps": 10**9 + 1}, Posture.PAUSED, "fills_off_reference"),
        ({"reference_microticks": 700_000_000_000}, Posture.PAUSED, "venues_disagree"),
        ({"received_at_ns": at_ms(6_999)}, Posture.PAUSED, None),
        ({"feed_is_fresh": False}, Posture.PAUSED, None),
        ({"best_bid": 0}, Posture.PAUSED, None),
        ({"best_bid": BEST_ASK}, Posture.PAUSED, None),
    ],
)
def test_what_must_not_quote_cancels_everything_and_says_why(
    changes: dict[str, object], posture: Posture, signal: str | None
) -> None:
    stopped = decided(decision_inputs(working=(RESTING,), **changes))
    assert stopped.posture is posture
    assert stopped.cancel == (RESTING.client_id,)
    assert (stopped.keep, stopped.place) == ((), ())
    assert signal is None or signal in stopped.signals


def test_a_market_never_seen_prices_nothing_and_cancels() -> None:
    blind = decided(decision_inputs(mid=0, best_bid=0, best_ask=0, working=(RESTING,)))
    assert blind.cancel == (RESTING.client_id,)
    assert blind.refused == ("mid_not_positive",)
    assert blind.fair_microticks == blind.gamma_nano == 0


def test_parameters_in_the_wrong_unit_are_refused_by_name_and_pull_what_rests() -> None:
    wrong = decided(
        decision_inputs(working=(RESTING,)),
        kappa_nano_per_bp_min=100_000,
        kappa_nano_per_bp_max=100_000,
    )
    assert wrong.refused == ("half_spread_beyond_guard",)
    assert wrong.cancel == (RESTING.client_id,)


def test_a_signal_that_was_on_stays_on_until_it_clears_its_room() -> None:
    ceiling = 677_000_000  # the top of the σ band at this mid is 676,988,000
    at_the_edge = decision_inputs(online_sigma_microticks=650_000_000)
    assert decided(at_the_edge).posture is Posture.QUOTING
    before = replace(at_the_edge, signals_before=("volatility_above_band",))
    assert decided(before).posture is Posture.WIDENED
    above = decided(decision_inputs(online_sigma_microticks=ceiling))
    assert above.posture is Posture.WIDENED
    assert above.signals == ("volatility_above_band",)


def test_volatility_far_above_its_band_pauses_instead_of_widening() -> None:
    wild = decision_inputs(online_sigma_microticks=3 * 677_000_000)
    assert decided(wild, spike_pause_bps=30_000).posture is Posture.PAUSED


def test_a_spike_widens_by_the_policys_factor() -> None:
    calm = decided(decision_inputs())
    spike = decided(decision_inputs(online_sigma_microticks=700_000_000), spike_widening_bps=25_000)
    assert spike.half_spread_microticks == pytest.approx(2.5 * calm.half_spread_microticks)


def test_orders_carry_ids_of_the_decision_and_are_counted_as_they_are_accepted() -> None:
    # Room for 8 of 10 lots: the last tier of the bids finds none left.
    tight = decided(decision_inputs(inventory=45, outstanding_buy=17), inventory_hard_lots=70)
    assert [order.client_id for order in tight.place] == [
        "00000007-0",
        "00000007-1",
        "00000007-3",
        "00000007-4",
        "00000007-5",
    ]
    assert tight.refused == ("hard_inventory",)


def test_caps_and_the_rate_budget_stop_what_they_have_no_room_for() -> None:
    cap = Cap(scope=CapScope.VAULT, name="v", room_buy=Lots(3), room_sell=Lots(0))
    capped = decided(decision_inputs(caps=(cap,)))
    assert [(order.side, order.size) for order in capped.place] == [(Side.BUY, 3)]
    assert set(capped.refused) == {"vault_inventory"}
    poor = decided(decision_inputs(rate_weight_left=5, order_weight=2))
    assert len(poor.place) == 2
    assert set(poor.refused) == {"rate_budget"}


def test_a_short_desk_at_its_own_hard_limit_only_buys() -> None:
    lopsided = {"inventory_soft_short_bps": 4_000, "inventory_hard_short_bps": 2_500}
    short = decided(decision_inputs(inventory=-25), **lopsided)
    assert short.posture is Posture.ONE_SIDED
    assert {order.side for order in short.place} == {Side.BUY}
    assert decided(decision_inputs(inventory=25), **lopsided).posture is Posture.QUOTING


def test_what_rests_where_it_should_is_kept_and_nothing_is_sent() -> None:
    first = decided(decision_inputs())
    second = decided(decision_inputs(working=working_of(first), seq=8))
    assert (second.cancel, second.place) == ((), ())
    assert sorted(second.quotes, key=repr) == sorted(first.quotes, key=repr)


def test_an_order_older_than_fills_take_is_pulled_and_placed_anew() -> None:
    first = decided(decision_inputs())
    later = decision_inputs(
        working=working_of(first), seq=8, decided_at_ns=at_ms(13_000), received_at_ns=at_ms(13_000)
    )
    assert decided(replace(later, order_age_ns_max=3_000_000_000)).cancel == ()
    pulled = decided(replace(later, order_age_ns_max=2_999_999_999))
    assert set(pulled.cancel) == {order.client_id for order in first.place}
    assert len(pulled.place) == len(first.place)


def test_a_spread_that_is_not_realised_halves_the_size() -> None:
    full, cut = decided(decision_inputs()), decided(decision_inputs(realised_spread_bps=4_999))
    for side in Side:
        sizes = [
            sum(order.size for order in decision.place if order.side is side)
            for decision in (full, cut)
        ]
        assert sizes == [10, 5]


@pytest.mark.parametrize(
    ("method", "changes", "fair"),
    [
        ("mid", {}, 618_002_500_000),
        ("micro", {}, 618_002_454_545),
        ("stoikov", {"micro_adjust_microticks": -120_000}, 618_002_380_000),
        ("vwap", {"vwap_microticks": 618_001_000_000}, 618_001_000_000),
        ("twap", {"twap_microticks": 618_004_000_000}, 618_004_000_000),
        (
            "depth",
            {
                "depth_bid_microticks": 618_000_000_000,
                "depth_bid_lots": 30,
                "depth_ask_microticks": 618_008_000_000,
                "depth_ask_lots": 10,
            },
            618_006_000_000,
        ),
    ],
)
def test_the_quote_is_centred_on_the_policys_fair_value(
    method: str, changes: dict[str, int], fair: int
) -> None:
    centred = decided(decision_inputs(**changes), fair_value=method)
    assert centred.fair_microticks == fair
    assert centred.confidence_bps == 10_000
    assert centred.reservation_microticks == fair


@pytest.mark.parametrize("method", ["vwap", "twap", "depth"])
def test_a_method_without_its_measurement_gives_the_mid_and_no_confidence(method: str) -> None:
    doubtful = decided(decision_inputs(), fair_value=method, fair_doubt_bps=5_000)
    assert doubtful.fair_microticks == 618_002_500_000
    assert doubtful.confidence_bps == 0
    sure = decided(decision_inputs())
    assert doubtful.half_spread_microticks == pytest.approx(1.5 * sure.half_spread_microticks)


def test_a_blend_leans_to_the_reference_by_the_depth_behind_it() -> None:
    blended = decided(
        decision_inputs(
            reference_microticks=618_012_500_000, reference_lots=Lots(300), venue_lots=Lots(100)
        ),
        fair_value="blend",
        fair_mid_bps=5_000,
        fair_reference_bps=5_000,
    )
    assert blended.fair_microticks == 618_002_500_000 + 7_500_000
    assert blended.confidence_bps > 9_900


def test_the_glft_model_needs_arrivals_and_leans_away_from_the_side_hit_more() -> None:
    assert decided(decision_inputs(), model="glft").refused == ("arrivals_unknown",)
    even = decided(decision_inputs(a_bid_micro=900_000, a_ask_micro=900_000), model="glft")
    hit = decided(decision_inputs(a_bid_micro=1_800_000, a_ask_micro=450_000), model="glft")
    assert even.reservation_microticks == even.fair_microticks
    # ln(4)/(2·0.097) ticks lower, the spread the same: the geometric mean of the rates is.
    assert even.reservation_microticks - hit.reservation_microticks == pytest.approx(
        1e6 * 1.3862943611 / 0.194, abs=2
    )
    assert hit.half_spread_microticks == even.half_spread_microticks


def test_a_journalled_decision_is_decided_again_byte_for_byte() -> None:
    cap = Cap(scope=CapScope.TOTAL, name="desk/α", room_buy=Lots(70), room_sell=Lots(70))
    inputs = decision_inputs(
        working=(RESTING,), inventory=-13, caps=(cap,), signals_before=("depegged",)
    )
    body = decided(inputs).canonical_bytes
    assert decide_again(body, policy=policy(), instrument=LINEAR) == body
    assert DecisionInputs.from_body(json.loads(body)) == inputs


def test_a_changed_input_gives_other_bytes() -> None:
    body = decided(decision_inputs(inventory=-13)).canonical_bytes
    changed = body.replace(b'"inventory":-13', b'"inventory":-14')
    assert decide_again(changed, policy=policy(), instrument=LINEAR) != changed


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (b'"seq":7', b'"seq":7.0', "seq"),
        (b'"seq":7', b'"qes":7', "seq"),
        (b'"killed":false', b'"killed":0', "killed"),
        (b'"run_id":"run"', b'"run_id":3', "run_id"),
        (b'"inventory":0', b'"inventory":null', "inventory"),
        (b'"working":[]', b'"working":[["a","buy",1,2]]', "rows of 5"),
        (b'"working":[]', b'"working":[["a","buy",1,2,"x"]]', "no integer"),
        (b'"caps":[]', b'"caps":{}', "no list"),
        (b'"posture_before":"quoting"', b'"posture_before":"bold"', "bold"),
        (b"{", b"[", "not JSON"),
    ],
)
def test_inputs_that_are_not_what_was_written_are_refused(
    old: bytes, new: bytes, what: str
) -> None:
    body = decided(decision_inputs()).canonical_bytes
    assert old in body
    with pytest.raises(InvariantBroken, match=what):
        decide_again(body.replace(old, new, 1), policy=policy(), instrument=LINEAR)


def test_both_encoders_write_the_same_bytes_and_big_integers_pass() -> None:
    body = decided(decision_inputs(run_id='a"\\\n\u0001ü€', working=(RESTING,)))
    fields = body.inputs.body | body.outputs
    assert body.canonical_bytes == canonical_json(fields)
    assert decision_bytes({"drawdown_atoms": 10**30}) == b'{"drawdown_atoms":%d}' % 10**30


def test_the_journal_says_what_rests_after_the_decision() -> None:
    first = decided(decision_inputs())
    kept = decided(decision_inputs(working=working_of(first)[:2], seq=8))
    fields = json.loads(kept.canonical_bytes)
    wanted = [[order.side.value, order.price, order.size] for order in first.place]
    assert sorted(fields["quotes"]) == sorted(wanted)
    assert (len(fields["keep"]), len(fields["place"])) == (2, 4)
