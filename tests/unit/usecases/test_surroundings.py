"""Gas, peg and firm quotes, looked at once a second from outside the market."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dmm.risk.depeg import PPM_ONE
from dmm.risk.inventory import OpenLots
from dmm.units.amount import BPS_ONE, Lots
from dmm.units.errors import Retryable
from dmm.units.time import NS_PER_S, Nanos
from dmm.usecases.surroundings import USUAL, GasBaseline, Surroundings, SurroundingsWatch


class Turned:
    """A clock that a test turns, a gas meter and a ticker that it sets; None: nobody answers."""

    def __init__(self) -> None:
        self.now = 1_800_000_000 * NS_PER_S
        self.gas: int | None = 10**9
        self.coin_ppm: int | None = PPM_ONE
        self.coin_at_ns: Nanos | None = None
        self.asked = 0

    def now_ns(self) -> Nanos:
        return Nanos(self.now)

    def sleep_s(self, seconds: float) -> None:
        raise AssertionError(f"nobody waits {seconds} s here")

    def gas_price(self) -> int:
        self.asked += 1
        if self.gas is None:
            raise Retryable("nobody tells the gas price")
        return self.gas

    def price_ppm(self) -> tuple[int, Nanos]:
        if self.coin_ppm is None:
            raise Retryable("nobody tells the coin's price")
        return self.coin_ppm, self.now_ns() if self.coin_at_ns is None else self.coin_at_ns

    def looks(self, watch: SurroundingsWatch, count: int = 1) -> Surroundings:
        found = USUAL
        for _ in range(count):
            self.now += NS_PER_S
            found = watch.look()
        return found


def watched(world: Turned) -> SurroundingsWatch:
    return SurroundingsWatch(gas=world, peg=world, clock=world)


def test_nobody_to_ask_is_the_usual() -> None:
    world = Turned()
    watch = SurroundingsWatch(gas=None, peg=None, clock=world)
    assert world.looks(watch, 100) == USUAL


def test_firm_quotes_are_asked_for_with_the_rest_and_keep_their_lots_without_an_answer() -> None:
    world, answers = Turned(), [OpenLots(buy=Lots(3)), None, OpenLots(sell=Lots(4))]
    asked = iter(answers)

    def quoted() -> OpenLots:
        answer = next(asked)
        if answer is None:
            raise Retryable("the database does not answer")
        return answer

    watch = SurroundingsWatch(gas=None, peg=None, clock=world, quoted=quoted)
    assert world.looks(watch).promised == OpenLots(buy=Lots(3))
    assert watch.look().promised == OpenLots(buy=Lots(3))  # not asked again within the second
    assert world.looks(watch).promised == OpenLots(buy=Lots(3))
    assert world.looks(watch).promised == OpenLots(sell=Lots(4))


def test_gas_is_dear_against_the_median_of_the_last_hour_once_there_is_one() -> None:
    world = Turned()
    watch = watched(world)
    world.looks(watch, 30)
    world.gas = 3 * 10**9
    assert world.looks(watch).gas_ratio_bps == BPS_ONE
    world.gas = 10**9
    world.looks(watch, 60)
    world.gas = 25 * 10**8
    assert world.looks(watch).gas_ratio_bps == 25_000


def test_a_spike_that_stays_becomes_the_baseline_within_the_hour() -> None:
    world = Turned()
    watch = watched(world)
    world.looks(watch, 3_600)
    world.gas = 4 * 10**9
    assert world.looks(watch).gas_ratio_bps == 40_000
    assert world.looks(watch, 1_900).gas_ratio_bps == BPS_ONE


def test_a_node_that_does_not_answer_leaves_the_last_ratio() -> None:
    world = Turned()
    watch = watched(world)
    world.looks(watch, 60)
    world.gas = 2 * 10**9
    assert world.looks(watch).gas_ratio_bps == 20_000
    world.gas = None
    assert world.looks(watch, 10).gas_ratio_bps == 20_000


def test_asking_more_often_than_once_a_second_asks_nobody() -> None:
    world = Turned()
    watch = watched(world)
    world.looks(watch)
    for _ in range(5):
        world.now += NS_PER_S // 10
        watch.look()
    assert world.asked == 1


def test_a_coin_off_par_trips_at_once_and_clears_after_ten_calm_minutes() -> None:
    world = Turned()
    watch = watched(world)
    assert not world.looks(watch).depegged
    world.coin_ppm = 994_000
    assert world.looks(watch).depegged
    world.coin_ppm = 999_000
    assert world.looks(watch, 600).depegged
    assert not world.looks(watch, 2).depegged


def test_a_coin_whose_price_nobody_gives_or_that_is_old_is_off_its_peg() -> None:
    world = Turned()
    watch = watched(world)
    world.looks(watch)
    world.coin_ppm = None
    assert world.looks(watch).depegged
    world = Turned()
    watch = watched(world)
    world.coin_at_ns = Nanos(world.now - 61 * NS_PER_S)
    assert world.looks(watch).depegged


@given(st.lists(st.integers(1, 10**15), min_size=61, max_size=200))
def test_the_ratio_is_never_negative_and_a_constant_price_is_par(prices: list[int]) -> None:
    baseline = GasBaseline(looks_max=100, looks_min=60)
    ratios = [baseline.ratio_bps(price) for price in prices]
    assert all(ratio >= 0 for ratio in ratios)
    steady = GasBaseline(looks_max=100, looks_min=60)
    assert {steady.ratio_bps(prices[0]) for _ in prices} == {BPS_ONE}
