"""What the two signers answer, on any chain: rules first, then the register, then the key."""

from __future__ import annotations

from collections.abc import Sequence

from dmm import observe
from dmm.adapters.signers.chain_signing import ChainSigning
from dmm.adapters.signers.guard import (
    check_burn,
    check_quote,
    check_settlement,
    check_statement,
)
from dmm.adapters.signers.latch import Latches
from dmm.adapters.signers.outflow import outflows
from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.signers.quote_register import QuoteRegister
from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.spending import DAY_S, Spend
from dmm.adapters.signers.wire import intent_from_json, request_from_json, signed_to_json
from dmm.ports import Clock
from dmm.rfq.protocol import FirmQuote
from dmm.settlement.intent import Purpose
from dmm.units.errors import Fault, Permanent
from dmm.units.ids import Json
from dmm.units.time import NS_PER_S


class SettlementSigner:
    """Answers the driver: its address, and one signature per slot and bump."""

    def __init__(
        self,
        *,
        chain: ChainSigning,
        policy: SignerPolicy,
        register: Register,
        latches: Latches,
        clock: Clock,
    ) -> None:
        self._chain, self._policy, self._register = chain, policy, register
        self._latches, self._clock = latches, clock
        self._day_caps = {asset: cap.day_atoms for asset, cap in policy.caps.items()}

    def answer(self, body: dict[str, Json]) -> Json:
        """Answer one request; a `Fault` refuses."""
        match body:
            case {"op": "address", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._chain.address
            case {"op": "sign", "request": request}:
                return self._sign(request)
            case _:
                raise Permanent(f"a settlement signer knows no such request: {body.get('op')!r}")

    def answer_all(self, bodies: Sequence[dict[str, Json]]) -> list[Json | Fault]:
        """Answer requests that came meanwhile, all under one write of the register.

        Each has its own answer or refusal; when the write fails, nobody gets a signature.
        """
        answers: list[Json | Fault] = []
        try:
            with self._register.together():
                for body in bodies:
                    try:
                        answers.append(self.answer(body))
                    except Fault as fault:
                        answers.append(fault)
        except Fault as fault:
            return [fault] * len(bodies)
        return answers

    def _sign(self, body: Json) -> Json:
        request = request_from_json(body)
        if request.purpose is Purpose.BURN:
            check_burn(request, self._policy, gas_max=self._chain.burn_units_max)
        else:
            self._latches.require_not_killed()
            check_settlement(request, self._policy)
        entry = Entry(
            request=request,
            key=self._chain.address,
            day_atoms_max=self._day_caps,
            now_s=self._clock.now_ns() // NS_PER_S,
            flows=outflows(request.intent, canonical=self._chain.canonical),
            numeraire=self._policy.numeraire,
        )
        signed = self._register.sign_once(entry, lambda: self._chain.sign_settlement(request))
        observe.signed(
            kind=f"{request.intent.kind}:{request.purpose}", subject=request.intent.intent_id.hex()
        )
        return signed_to_json(signed)


class QuoteSigner:
    """Answers the RFQ desk: maker, signer, next nonce, firm quotes and statements of them."""

    def __init__(
        self,
        *,
        chain: ChainSigning,
        policy: SignerPolicy,
        register: QuoteRegister,
        latches: Latches,
        clock: Clock,
    ) -> None:
        self._chain, self._policy, self._register = chain, policy, register
        self._latches, self._clock = latches, clock
        self._day_caps = {asset: cap.day_atoms for asset, cap in policy.caps.items()}

    def answer(self, body: dict[str, Json]) -> Json:
        """Answer one request; a `Fault` refuses."""
        match body:
            case {"op": "maker", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._policy.maker
            case {"op": "signer", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._chain.address
            case {"op": "next_nonce", "chain": str(chain)}:
                require_chain(chain, self._policy)
                return self._register.next_nonce(self._chain.canonical(self._policy.maker))
            case {"op": "sign_quote", "quote": dict(quote)}:
                return self._sign(quote)
            case {"op": "sign_statement", "statement": statement}:
                return self._sign_statement(statement)
            case _:
                raise Permanent(f"a quote signer knows no such request: {body.get('op')!r}")

    def _sign(self, body: dict[str, Json]) -> Json:
        try:
            quote = FirmQuote.from_json(body)
        except TypeError as error:
            raise Permanent(f"unreadable quote: {error}") from error
        self._latches.require_not_halted()
        check_quote(
            quote,
            self._policy,
            signer=self._chain.address,
            now_s=self._clock.now_ns() // NS_PER_S,
            canonical=self._chain.canonical,
        )
        signature = self._register.sign_quote_once(
            maker=self._chain.canonical(quote.maker),
            nonce=quote.nonce,
            quote_id=quote.quote_id,
            sign=lambda: self._chain.sign_quote(quote),
        )
        observe.signed(kind="firm_quote", subject=quote.quote_id.hex())
        return signature.hex()

    def _sign_statement(self, body: Json) -> Json:
        statement = intent_from_json(body)
        # A halt stops new quotes alone; a statement settles what is owed.
        self._latches.require_not_killed()
        now_s = self._clock.now_ns() // NS_PER_S
        check_statement(
            statement,
            self._policy,
            signer=self._chain.address,
            now_s=now_s,
            canonical=self._chain.canonical,
        )
        spend = Spend(
            flows=outflows(statement, canonical=self._chain.canonical),
            day=now_s // DAY_S,
            day_atoms_max=self._day_caps,
            numeraire=self._policy.numeraire,
        )
        signature = self._register.sign_statement_once(
            statement, spend=spend, sign=lambda: self._chain.sign_statement(statement)
        )
        observe.signed(kind="statement", subject=statement.intent_id.hex())
        return signature.hex()


def require_chain(chain: str, policy: SignerPolicy) -> None:
    """Refuse a chain that this signer does not serve."""
    if chain != policy.chain:
        raise Permanent(f"chain {chain!r} is not allowed, only {policy.chain!r}")
