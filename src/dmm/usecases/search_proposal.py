"""From a search's conclusion to a proposal for governance, or the reason why there is none."""

from __future__ import annotations

from dmm.governance.candidate import Candidate, changes_between
from dmm.simulation.experiment.conclusion import Conclusion
from dmm.simulation.experiment.verdict import Standing
from dmm.usecases.search_spec import SearchSpec


def candidate_of(
    search_id: str, spec: SearchSpec, found: Conclusion
) -> tuple[Candidate | None, str]:
    """Return the proposal, or why there is none."""
    if found.standing is not Standing.PROMOTABLE:
        return None, f"no proposal: {found.standing.value}"
    if not spec.is_in_force:
        return None, "no proposal: the search did not start from the policy in force"
    policy = spec.grid.sets[found.chosen].policy
    effect = found.counterfactual
    return (
        Candidate(
            search_id=search_id,
            symbol=str(spec.instrument["symbol"]),
            policy=policy,
            replaces=spec.base.policy_hash,
            changes=changes_between(spec.base, policy),
            standing=found.standing.value,
            reasons=found.reasons,
            effect=effect.text if effect else "",
            figures={
                one.name: [repr(one.change), repr(one.low), repr(one.high), one.unit]
                for one in (effect.effects if effect else ())
            },
        ),
        "proposed to governance: nothing changes until the multisig executes it",
    )
