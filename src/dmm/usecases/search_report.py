"""A parameter search in words: the page of its flow run."""

from __future__ import annotations

from dmm.units.ids import Json
from dmm.usecases.search_values import Concluded, Opened

BEST_ROWS = 10
"""Sets shown, those with the best score."""


def summary_of(opened: Opened, concluded: Concluded | None) -> dict[str, Json]:
    """Return what a search came to as plain values."""
    body: dict[str, Json] = {
        "search_id": opened.search_id,
        "pieces": opened.pieces,
        "pieces_run": len(opened.todo),
        "sets": opened.sets,
        "notes": list(opened.notes),
    }
    if concluded is None:
        return body
    found = concluded.conclusion
    params = found.results[found.chosen]["params"]
    return body | {
        "standing": found.standing.value,
        "reasons": list(found.reasons),
        "chosen": found.chosen,
        "params": {k: str(v) for k, v in params.items()} if isinstance(params, dict) else {},
        "effect": found.counterfactual.text if found.counterfactual else "",
        "candidate_id": concluded.candidate.candidate_id.hex() if concluded.candidate else "",
        "note": concluded.note,
    }


def markdown_of(opened: Opened, concluded: Concluded | None) -> str:
    """Return the search as markdown: standing, effect, proposal, best sets, checks, data."""
    if concluded is None:
        return "## Nothing to search\n\n" + _list(opened.notes)
    found = concluded.conclusion
    effect = found.counterfactual.text if found.counterfactual else "It is what is in force."
    parts = [
        f"## {found.standing.value.replace('_', ' ').capitalize()}",
        _list(found.reasons),
        f"{opened.sets} sets, chosen: set {found.chosen}. {effect}",
        f"**{concluded.note[:1].upper()}{concluded.note[1:]}.**",
    ]
    if concluded.candidate is not None:
        parts += ["### Proposal", _proposal(concluded)]
    parts += ["### Best sets", _best(concluded)]
    checks = found.verdict.checks
    parts += ["### Checks", _list([f"{'✔' if one.passed else '✘'} {one.text}" for one in checks])]
    if opened.notes:
        parts += ["### Data", _list(opened.notes)]
    return "\n\n".join(parts) + f"\n\nSearch `{opened.search_id}`\n"


def _proposal(concluded: Concluded) -> str:
    candidate = concluded.candidate
    if candidate is None:
        return ""
    rows = [[name, str(old), str(new)] for name, (old, new) in candidate.changes.items()]
    return (
        _table(["field", "in force", "proposed"], rows)
        + f"\n\nProposal `{candidate.candidate_id.hex()}`; the order's body to execute:\n\n"
        + f"```json\n{candidate.policy.canonical_bytes.decode()}\n```"
    )


def _best(concluded: Concluded) -> str:
    found = concluded.conclusion
    order = (-found.scores).argsort(kind="stable")[:BEST_ROWS].tolist()
    names = [name for name in found.results[0] if name != "params"]
    rows = []
    for at in order:
        row = found.results[at]
        told = row["params"]
        params = told.items() if isinstance(told, dict) else ()
        mark = " (in force)" if at == found.in_force else " (chosen)" if at == found.chosen else ""
        figures = [f"{float(str(row[name])):.5g}" for name in names]
        text = ", ".join(f"{k} {'online' if v is None else v}" for k, v in params)
        rows.append([f"{at}{mark}", text, f"{found.scores[at]:.3f}", *figures])
    return _table(["set", "parameters", "score", *names], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _list(lines: list[str] | tuple[str, ...]) -> str:
    return "\n".join(f"- {line}" for line in lines)
