"""Laws of the reward split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dmm.treasury.rewards import split_budget
from dmm.units.amount import Atoms

scores = st.dictionaries(
    st.text("0123456789abcdef", min_size=1, max_size=4),
    st.integers(0, 10**24),
    min_size=1,
    max_size=12,
)
budgets = st.integers(0, 10**21)


@given(budgets, scores)
def test_the_sum_is_the_budget_whenever_any_score_is_positive(
    budget: int, table: dict[str, int]
) -> None:
    amounts = split_budget(Atoms(budget), table)
    assert sum(amounts.values()) == (budget if any(table.values()) else 0)
    assert all(amount > 0 for amount in amounts.values())


@given(budgets, scores, st.randoms(use_true_random=False))
def test_the_order_of_the_scores_does_not_matter(
    budget: int, table: dict[str, int], shuffler: object
) -> None:
    items = list(table.items())
    shuffler.shuffle(items)  # type: ignore[attr-defined]
    assert list(split_budget(Atoms(budget), dict(items)).items()) == list(
        split_budget(Atoms(budget), table).items()
    )


@given(budgets, scores, st.integers(1, 10**24))
def test_a_share_never_falls_when_its_own_score_rises(
    budget: int, table: dict[str, int], more: int
) -> None:
    who = min(table)
    before = split_budget(Atoms(budget), table).get(who, 0)
    after = split_budget(Atoms(budget), {**table, who: table[who] + more}).get(who, 0)
    assert after >= before


@given(budgets, scores)
def test_nobody_gets_more_than_its_quota_rounded_up(budget: int, table: dict[str, int]) -> None:
    total = sum(table.values())
    for who, amount in split_budget(Atoms(budget), table).items():
        assert budget * table[who] // total <= amount <= -(-budget * table[who] // total)
