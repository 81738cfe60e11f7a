"""Laws of the desk's inventory: one room however it is reckoned, limits whatever fills."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from trading_values import LINEAR, order

from dmm.market.instrument import Side
from dmm.risk.breaker import Posture
from dmm.risk.gate import Accepted, Exposure, gate
from dmm.risk.inventory import Bands, Holding, OpenLots, Scoped, caps, consolidate, scoped_caps
from dmm.risk.limits import CapScope, Limits
from dmm.units.amount import Atoms, HalfTicks, Lots, Ticks

HELD = st.integers(-200, 200)
OPEN = st.builds(OpenLots, buy=st.integers(0, 90).map(Lots), sell=st.integers(0, 90).map(Lots))
HARD = st.integers(1, 150)


def holding(vault: str, venue: str, lots: int, open_lots: OpenLots) -> Holding:
    return Holding(
        vault=vault,
        instrument=replace(LINEAR, venue=venue),
        mid=HalfTicks(2_000),
        inventory=Lots(lots),
        outstanding_buy=open_lots.buy,
        outstanding_sell=open_lots.sell,
    )


@given(HELD, HELD, HELD, OPEN, OPEN, HARD, HARD)
def test_a_workers_caps_are_those_of_the_holdings_they_stand_for(
    own: int, hedged: int, quoted: int, here: OpenLots, there: OpenLots, long: int, short: int
) -> None:
    per_lot = LINEAR.position_atoms_per_lot
    bands = Bands(soft_long=1, hard_long=long * per_lot, soft_short=1, hard_short=short * per_lot)
    holdings = [
        holding("paper:run", "test", own, here),
        holding("paper:run", "paper-hedge", hedged, OpenLots()),
        holding("desk", "rfq", quoted, there),
    ]
    scopes = ((CapScope.VENUE, "test"), (CapScope.VAULT, "paper:run"), (CapScope.TOTAL, ""))
    assert scoped_caps(
        Scoped(venue=Lots(own), vault=Lots(own + hedged), total=Lots(own + hedged + quoted)),
        venue="test",
        vault="paper:run",
        own=here,
        others=there,
        hard_long=long,
        hard_short=short,
    ) == caps(
        consolidate(holdings),
        instrument=LINEAR,
        vault="paper:run",
        limits=dict.fromkeys(scopes, bands),
    )


@given(
    HELD, HELD, HELD, OPEN, HARD, HARD,
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 60)), max_size=12),
)  # fmt: skip
def test_no_order_the_gate_lets_pass_can_carry_a_scope_further_beyond_its_limit(
    own: int,
    hedged: int,
    quoted: int,
    there: OpenLots,
    long: int,
    short: int,
    asked: list[tuple[Side, int]],
) -> None:
    held = Scoped(venue=Lots(own), vault=Lots(own + hedged), total=Lots(own + hedged + quoted))
    exposure = Exposure(
        posture=Posture.QUOTING,
        feed_is_fresh=True,
        best_bid=Ticks(999),
        best_ask=Ticks(1_001),
        inventory=held.total,
        outstanding_buy=Lots(0),
        outstanding_sell=Lots(0),
        drawdown_atoms=Atoms(0),
        caps=scoped_caps(
            held,
            venue="test",
            vault="paper:run",
            own=OpenLots(),
            others=there,
            hard_long=long,
            hard_short=short,
        ),
    )
    limits = Limits(
        inventory_hard=Lots(10_000),
        order_size_max=Lots(100),
        outstanding_lots_max=Lots(10_000),
        price_band_bps=1_000,
        drawdown_atoms_max=0,
    )
    sent = dict.fromkeys(Side, 0)
    for side, size in asked:
        price = 999 if side is Side.BUY else 1_001
        one = order(side, price, size)
        if isinstance(gate(one, instrument=LINEAR, limits=limits, exposure=exposure), Accepted):
            exposure = exposure.after(one)
            sent[side] += size
    for lots, others in ((held.venue, OpenLots()), (held.vault, OpenLots()), (held.total, there)):
        # Everything of a side fills, here and elsewhere: within the limit, or nothing was added.
        assert not sent[Side.BUY] or lots + others.buy + sent[Side.BUY] <= long
        assert not sent[Side.SELL] or others.sell + sent[Side.SELL] - lots <= short
