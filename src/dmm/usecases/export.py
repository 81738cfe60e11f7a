"""The audit's export: one file from which an outsider proves every intent against the chain.

Canonical JSON lines (sorted keys, no spaces, integers only). The first line is the ``header``, then
come ``intent``, ``quote``, ``finding``, ``posting`` and ``balance`` lines in this order, and an
``end`` line with the count and the SHA-256 of all lines before it, newlines included. A signed
export's end line holds ``signer`` and ``signature`` besides: over `SIGNED`, then that digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Protocol

from dmm.ports import Books, Deployment, IntentView, Store
from dmm.settlement.batch import effect
from dmm.settlement.carrier import is_carrier
from dmm.settlement.chain_event import TOKEN_PREFIX
from dmm.settlement.explain import Cause
from dmm.units.chain import on_chain
from dmm.units.ids import Hash32, Json, canonical_json
from dmm.usecases.audit import Audited
from dmm.usecases.follow import FUNDING, VAULT_PREFIX

FORMAT = "dmm/audit-export/1"
SIGNED = FORMAT.encode() + b"\n"
"""What stands before the digest in the signed message."""

CONTRACTS = ("settlement", "treasury", "distributor", "governor")


class ExportKey(Protocol):
    """The auditor's key."""

    @property
    def public(self) -> bytes:
        """Return the public key."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        ...


def export_lines(
    *, store: Store, audited: Audited, chain_id: int, key: ExportKey | None = None
) -> Iterator[bytes]:
    """Yield the export's lines, each with its newline.

    Parameters
    ----------
    audited : an audit with the books it was made from: the export tells of the same instant
    chain_id : what the chain's nodes answer
    key : signs the whole; None leaves it unsigned
    """
    digest, count = hashlib.sha256(), 0
    for body in _bodies(store, audited, chain_id):
        line = canonical_json(body) + b"\n"
        digest.update(line)
        count += 1
        yield line
    end: dict[str, Json] = {"type": "end", "lines": count, "sha256": digest.hexdigest()}
    if key is not None:
        end["signer"] = key.public.hex()
        end["signature"] = key.sign(SIGNED + digest.digest()).hex()
    yield canonical_json(end) + b"\n"


def _bodies(store: Store, audited: Audited, chain_id: int) -> Iterator[dict[str, Json]]:
    yield _header(audited, chain_id)
    attempts = _attempts(audited.books)
    for view in audited.books.intents:
        yield _intent(
            view,
            audited.result.paid,
            attempts.get(view.intent.intent_id, []),
            at_height=audited.result.checked_at_block,
        )
    yield from _quotes(store, audited)
    for finding in audited.result.findings:
        if finding.cause not in (Cause.INTENT, Cause.DIRECT_FILL):
            yield {
                "type": "finding",
                "cause": finding.cause.value,
                "tx_id": finding.tx_id,
                "height": finding.height,
                "changes": [[v, a, atoms] for (v, a), atoms in sorted(finding.changes.items())],
            }
    for posting in audited.books.postings:
        yield {
            "type": "posting",
            "source": posting.source_id,
            "vault": posting.debit.vault,
            "asset": posting.debit.asset,
            "debit": posting.debit.kind.value,
            "credit": posting.credit.kind.value,
            "amount": posting.amount,
        }
    for line in audited.result.lines:
        yield {
            "type": "balance",
            "vault": line.vault,
            "asset": line.asset,
            "chain_atoms": line.chain_atoms,
            "ledger_atoms": line.ledger_atoms,
            "difference": line.difference,
            "unexplained": line.unexplained,
            "class": line.recon_class.value,
        }


def _header(audited: Audited, chain_id: int) -> dict[str, Json]:
    deployed, result = audited.deployed, audited.result
    funding = deployed.get(FUNDING)
    return {
        "type": "header",
        "format": FORMAT,
        "chain": result.chain,
        "chain_id": chain_id,
        "height": result.checked_at_block,
        "block_hash": result.block_hash,
        "first_height": min(d.height for d in deployed.values()),
        "funding_height": -1 if funding is None else funding.height,
        "contracts": {name: deployed[name].address for name in CONTRACTS if name in deployed},
        "tokens": _by_prefix(deployed, TOKEN_PREFIX),
        "vaults": {
            on_chain(vault, result.chain): address
            for vault, address in _by_prefix(deployed, VAULT_PREFIX).items()
        },
    }


def _by_prefix(deployed: dict[str, Deployment], prefix: str) -> dict[str, Json]:
    return {
        name.removeprefix(prefix): d.address
        for name, d in deployed.items()
        if name.startswith(prefix)
    }


def _attempts(books: Books) -> dict[Hash32, list[Json]]:
    found: dict[Hash32, list[Json]] = {}
    for attempt in books.attempts:
        found.setdefault(attempt.intent_id, []).append(
            {
                "tx_id": attempt.tx_id,
                "signer": attempt.signer,
                "slot": attempt.slot,
                "generation": attempt.generation,
                "bump": attempt.bump,
                "state": attempt.state,
            }
        )
    return found


def _intent(
    view: IntentView,
    paid: dict[Hash32, tuple[str, int]],
    attempts: list[Json],
    *,
    at_height: int,
) -> dict[str, Json]:
    intent = view.intent
    place = paid.get(intent.intent_id)
    if is_carrier(intent) and view.final_tx_id and (view.closed_height or 0) <= at_height:
        # No event names a carrier: its transaction is the one that settled its members.
        place = (view.final_tx_id, view.closed_height or 0)
    return {
        "type": "intent",
        "intent_id": intent.intent_id.hex(),
        "content_hash": intent.content_hash.hex(),
        "kind": intent.kind.value,
        "chain": intent.chain,
        "contract": intent.contract,
        "vault": intent.vault,
        "scope": intent.scope,
        "epoch": intent.epoch,
        "ordinal": intent.ordinal,
        "asset": intent.asset,
        "recipient": intent.recipient,
        "amount": intent.amount,
        "deadline_s": intent.deadline_s,
        "inputs": intent.inputs,
        "supersedes": None if intent.supersedes is None else intent.supersedes.hex(),
        "state": view.state.value,
        "closed_height": view.closed_height,
        "proof": view.proof,
        "paid": None if place is None else {"tx_id": place[0], "height": place[1]},
        "attempts": attempts,
    }


def _quotes(store: Store, audited: Audited) -> Iterator[dict[str, Json]]:
    """Yield quotes that their takers settled and that no intent tells of."""
    direct = [
        finding
        for finding in audited.result.findings
        if finding.cause is Cause.DIRECT_FILL and finding.act is not None
    ]
    acts = {finding.act.ordinal: finding for finding in direct if finding.act is not None}
    nonces = [(f.act.scope, f.act.ordinal) for f in direct if f.act is not None]
    for trade in store.rfq_issued(quote_ids=[], nonces=nonces):
        finding = acts[trade.quote.nonce]
        if finding.act is None:
            continue
        yield {
            "type": "quote",
            "intent_id": finding.act.intent_id.hex(),
            "quote_id": trade.quote.quote_id.hex(),
            "epoch": trade.epoch,
            "vault": finding.act.vault,
            "quote": trade.quote.to_json(),
            "maker_signature": "0x" + trade.maker_signature.hex(),
            "taken": effect(finding.act)[finding.act.vault, trade.quote.taker_asset],
            "paid": {"tx_id": finding.tx_id, "height": finding.height},
        }
