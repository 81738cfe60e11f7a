"""Whose turn a buyback is: each epoch buys on one chain, and the chains take turns.

The chains whose treasury can buy are offered an epoch in the order of `turns`, which follows from
the epoch's number alone. One that has no cash passes the turn on, and that it passed is recorded;
one that cannot be reached keeps its turn until it can. So a repeat takes the same way, and an epoch
buys once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dmm.ports import Deployment, EpochStore
from dmm.settlement.epoch import EpochClaim, Job, JobOutcome
from dmm.units.chain import on_chain
from dmm.usecases.buyback import BOUGHT_ASSET, PROGRAM, VAULT, no_cash_note
from dmm.usecases.each_chain import EPOCHS_BACK_MAX, Part, merged, on_each_chain, rows_of
from dmm.usecases.epoch import scope_of, waiting

Buy = Callable[[str, int], JobOutcome]
"""`settle_buyback` on the chain and for the epoch it is given."""


def can_buy(deployed: Mapping[str, Deployment], cash_asset: str) -> bool:
    """Tell whether a chain has a treasury, the cash it pays with and the token it buys."""
    needed = {"treasury", f"vault:{VAULT}", f"token:{cash_asset}", f"token:{BOUGHT_ASSET}"}
    return needed <= set(deployed)


def turns(able: Sequence[str], epoch: int) -> list[str]:
    """Return chains in the order in which an epoch's buyback is offered to them.

    The first is number ``epoch mod n``; the others follow in their order, round once.
    """
    if not able:
        return []
    first = epoch % len(able)
    return [*able[first:], *able[:first]]


def settle_in_turn(
    buy: Buy,
    *,
    store: EpochStore,
    run_id: str,
    epoch: int,
    able: Sequence[str],
    cash_asset: str,
    program: str = PROGRAM,
) -> JobOutcome:
    """Buy back on the chain whose turn an epoch is, and for earlier epochs whose turn was missed.

    Parameters
    ----------
    able : chains whose treasury can buy, always in the same order

    Raises
    ------
    Retryable, OutcomeUnknown
        If the chain whose turn it is cannot be reached.
    """
    job = Job.BUYBACK_SETTLEMENT
    if not able:
        note = f"no buyback: no chain has a treasury with {cash_asset} and {BOUGHT_ASSET}"
        return waiting(run_id=run_id, job=job, subject=program, epoch=epoch, note=note)
    scopes = {scope_of(run_id, on_chain(program, name)): name for name in able}
    known = _Known(
        claims=[
            (scopes[claim.scope], claim)
            for claim in store.epoch_claims(run_id)
            if claim.job is job and claim.scope in scopes and claim.plan_hash is not None
        ],
        cash_asset=cash_asset,
    )
    earlier = [
        part
        for past in range(max(0, epoch - EPOCHS_BACK_MAX), epoch)
        if not known.took(past)
        for part in _offer(buy, known, turns(able, past), past).values()
    ]
    order = known.took(epoch) or turns(able, epoch)
    parts = _offer(buy, known, order, epoch)
    outcome = merged(parts, job=job, run_id=run_id, subject=program, epoch=epoch)
    done = [part for part in earlier if isinstance(part, JobOutcome)]
    return replace(outcome, rows=rows_of([*done, outcome]))


def _offer(buy: Buy, known: _Known, order: Iterable[str], epoch: int) -> dict[str, Part]:
    """Offer an epoch to chains in turn until one does not pass it on."""
    parts: dict[str, Part] = {}
    for name in order:
        parts |= on_each_chain(lambda chain: buy(chain, epoch), chains=(name,))
        part = parts[name]
        if not isinstance(part, JobOutcome) or not known.passed(name, part.note):
            break
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """The recorded claims of the program, with their chains."""

    claims: list[tuple[str, EpochClaim]]
    cash_asset: str

    def passed(self, name: str, note: str) -> bool:
        """Tell whether a chain's plan with this note passed the turn on."""
        return note == no_cash_note(on_chain(VAULT, name), self.cash_asset)

    def took(self, epoch: int) -> list[str]:
        """Return the chain that took an epoch's turn, also when the turns were others then."""
        return [
            name
            for name, claim in self.claims
            if claim.epoch == epoch and not self.passed(name, claim.note)
        ]
