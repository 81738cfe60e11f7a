"""The quote signer's word about net statements: what it rebuilds, checks and refuses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from dmm.adapters.evm.codec import Book
from dmm.adapters.evm.sign import sign_statement
from dmm.adapters.evm.verify import statement_is_signed
from dmm.adapters.signers.answers import QuoteSigner
from dmm.adapters.signers.guard import CLOCK_SLACK_S
from dmm.adapters.signers.latch import Latches
from dmm.adapters.signers.numeraire import Numeraire, Rate
from dmm.adapters.signers.policy import Cap, SignerPolicy
from dmm.adapters.signers.quote_register import QuoteRegister
from dmm.adapters.signers.wire import intent_from_json, intent_to_json, pack, unpack
from dmm.entrypoints.signer_chains import signing_chain
from dmm.ports import Controls, Deployment, HaltLatch, Latch
from dmm.rfq.netting import carrier_intent
from dmm.rfq.protocol import FirmQuote, RfqTrade
from dmm.sandbox.evm.actors import Actors, accept
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable
from dmm.units.time import NS_PER_S, Nanos

ACTORS = Actors(bytes(range(32)))
NOW_S = 1_900_000_000
CONTRACTS = {
    "settlement": "0x" + "5e" * 20,
    "token:BTC": "0x" + "bc" * 20,
    "token:USDT": "0x" + "05" * 20,
}
BOOK = Book(
    chain_id=31_337,
    deployments={
        name: Deployment(chain="evm", name=name, address=address, height=1, decimals=8)
        for name, address in CONTRACTS.items()
    },
)
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker=ACTORS.desk.address,
    contracts=CONTRACTS,
    caps={
        "BTC": Cap(each_atoms=1_000, day_atoms=1_900),
        "USDT": Cap(each_atoms=90_000, day_atoms=900_000),
    },
    unit_fee_max=1,
    gas_max=1,
    ttl_s_max=60,
    settle_s_max=600,
    numeraire=Numeraire(
        name="cent",
        each_max=30_000,
        day_max=10**9,
        recipient_day_max=10**9,
        rates={"BTC": Rate(atoms=1, worth=30), "USDT": Rate(atoms=3, worth=1)},
    ),
)


@dataclass
class House:
    """A quote signer over a real key and register, and a world around it that can be set."""

    folder: Path
    policy: SignerPolicy = POLICY
    now_s: int = NOW_S
    kill: str = ""
    halt: str = ""
    answer: Callable[[dict[str, Any]], Any] = field(init=False)

    def __post_init__(self) -> None:
        key = signing_chain("evm").make_key(ACTORS.secret("quote-signer"), self.policy)
        self.answer = QuoteSigner(
            chain=key,
            policy=self.policy,
            register=QuoteRegister(self.folder / "register.sqlite"),
            latches=Latches(file=None, store=self, clock=self),  # type: ignore[arg-type]
            clock=self,  # type: ignore[arg-type]
        ).answer

    def now_ns(self) -> Nanos:
        return Nanos(self.now_s * NS_PER_S)

    def controls(self) -> Controls:
        at_ns = self.now_ns()
        kill = Latch(kill_id=1, killed=bool(self.kill), reason=self.kill, operator="o", at_ns=at_ns)
        halt = HaltLatch(
            halt_id=1,
            run_id="r",
            halted=bool(self.halt),
            reason=self.halt,
            operator="o",
            at_ns=at_ns,
        )
        return Controls(kill=kill, halt=halt, database_at_ns=at_ns)

    def sign_quote(self, quote: FirmQuote) -> bytes:
        answer = self.answer({"op": "sign_quote", "quote": quote.to_json()})
        return bytes.fromhex(str(answer))

    def sign_statement(self, statement: Intent) -> bytes:
        line = pack({"op": "sign_statement", "statement": intent_to_json(statement)})
        return bytes.fromhex(str(self.answer(unpack(line))))


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def quote(nonce: int, **change: Any) -> FirmQuote:
    terms: dict[str, Any] = {
        "chain": "evm",
        "contract": CONTRACTS["settlement"],
        "maker": ACTORS.desk.address,
        "signer": ACTORS.quote_signer.address,
        "taker": ACTORS.takers[0].address,
        "maker_asset": "BTC",
        "taker_asset": "USDT",
        "maker_amount": Atoms(300 + nonce),
        "taker_amount": Atoms(70_000),
        "fee_bps": 0,
        "fee_recipient": ACTORS.desk.address,
        "expiry_s": NOW_S + 30,
        "settle_by_s": NOW_S + 500,
        "nonce": nonce,
    }
    return FirmQuote(**(terms | change))


def trade(of: FirmQuote, makers: bytes) -> RfqTrade:
    acceptance, takers = accept(of, actors=ACTORS, book=BOOK)
    return RfqTrade(
        run_id="r",
        epoch=4,
        quote=of,
        maker_signature=makers,
        fair_half_ticks=1,
        issued_at_ns=1,
        acceptance=acceptance,
        taker_signature=takers,
        accepted_at_ns=2,
    )


def statement(trades: list[RfqTrade], *, deadline_s: int = NOW_S + 400) -> Intent:
    return carrier_intent(IntentKind.STATEMENT, trades, deadline_s=deadline_s, inputs={})


def batch(house: House, *nonces: int, **change: Any) -> list[RfqTrade]:
    quotes = [quote(nonce, **change) for nonce in nonces]
    return [trade(one, house.sign_quote(one)) for one in quotes]


def test_it_signs_what_its_own_quotes_come_to(house: House) -> None:
    bare = statement(batch(house, 1, 2, 3))
    makers = house.sign_statement(bare)
    takers = sign_statement(bare, key=ACTORS.takers[0], book=BOOK)
    texts = {"maker_signature": "0x" + makers.hex(), "taker_signature": "0x" + takers.hex()}
    assert statement_is_signed(replace(bare, inputs=bare.inputs | texts), book=BOOK)


def test_a_statement_survives_the_wire() -> None:
    bare = statement([trade(quote(1), b"\x01" * 65), trade(quote(2), b"\x02" * 65)])
    got = intent_from_json(unpack(pack(intent_to_json(bare))))
    assert (got.intent_id, got.content_hash) == (bare.intent_id, bare.content_hash)


def test_a_quote_that_the_key_did_not_sign_is_refused_and_so_is_another_s_signature(
    house: House,
) -> None:
    first, second = batch(house, 1, 2)
    forged = replace(second, maker_signature=first.maker_signature)
    with pytest.raises(Permanent, match="was not signed by"):
        house.sign_statement(statement([first, forged]))
    # Nothing of it was kept: the true one passes.
    house.sign_statement(statement([first, second]))


def test_a_quote_twice_is_refused(house: House) -> None:
    (one,) = batch(house, 1)
    with pytest.raises(Permanent, match="carries a quote twice"):
        house.sign_statement(statement([one, one]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": IntentKind.NET}, "signs no net intent, only statements"),
        ({"kind": IntentKind.REWARD}, "signs no reward intent"),
        ({"chain": "solana"}, "chain 'solana' is not allowed"),
        ({"contract": "treasury"}, "contract 'treasury' is not allowed for a statement"),
        ({"inputs": {}}, "carries no trades"),
        ({"inputs": {"trades": [{"quote": 5}]}}, "no readable quote"),
        ({"deadline_s": NOW_S + 601 + CLOCK_SLACK_S}, "settles until .* 600 s are allowed"),
        ({"deadline_s": NOW_S + 501}, "its earliest quote"),
        ({"amount": Atoms(1)}, "differ in amount"),
        ({"recipient": ACTORS.deployer.address}, "differ in recipient"),
    ],
)
def test_a_statement_outside_the_policy_is_refused(
    house: House, change: dict[str, Any], words: str
) -> None:
    bare = statement(batch(house, 1, 2))
    with pytest.raises(Permanent, match=words):
        house.sign_statement(replace(bare, **change))
    house.sign_statement(bare)


@pytest.mark.parametrize("name", ["maker", "signer", "contract"])
def test_quotes_of_somebody_else_are_refused(house: House, name: str) -> None:
    own, second = batch(house, 1, 2)
    others = replace(second, quote=replace(second.quote, **{name: ACTORS.deployer.address}))
    with pytest.raises(Permanent, match=f"{name} .* is not allowed"):
        house.sign_statement(statement([own, others]))


def test_the_gross_amounts_of_a_batch_are_capped(house: House) -> None:
    # 301 + … + 304 atoms pass the 1,000 of one signature, though each quote alone is within it.
    with pytest.raises(Permanent, match=r"1210 atoms of BTC are outside \[1, 1000\]"):
        house.sign_statement(statement(batch(house, 1, 2, 3, 4)))


def test_the_batch_is_capped_over_all_assets_together(house: House) -> None:
    # 20,001 for USDT; 9,150 for 305 BTC; 9,180 for 306.
    usdt: dict[str, Any] = {
        "maker_asset": "USDT",
        "taker_asset": "BTC",
        "maker_amount": Atoms(60_003),
        "taker_amount": Atoms(700),
    }
    trades = batch(house, 5) + batch(house, 7, **usdt)
    house.sign_statement(statement(trades))
    with pytest.raises(Permanent, match="count for 38931 cent, more than 30000 in one signature"):
        house.sign_statement(statement(batch(house, 15, 16) + batch(house, 8, **usdt)))


def test_a_day_has_a_cap_and_the_next_one_of_its_own(house: House) -> None:
    # 301 + 302 + 303, then 304 + 305 + 306, then 307 + …: the cap of a day is 1,900 atoms.
    house.sign_statement(statement(batch(house, 1, 2, 3)))
    house.sign_statement(statement(batch(house, 4, 5, 6)))
    with pytest.raises(Permanent, match="307 atoms of BTC exceed the day's cap: 79 are left"):
        house.sign_statement(statement(batch(house, 7)))
    house.now_s += 86_400
    later = {"expiry_s": house.now_s + 30, "settle_by_s": house.now_s + 500}
    house.sign_statement(statement(batch(house, 8, 9, **later), deadline_s=house.now_s + 400))


def test_a_kill_stops_statements_and_a_halt_does_not_because_they_settle_what_is_owed(
    house: House,
) -> None:
    bare = statement(batch(house, 1, 2))
    house.kill = "drill"
    with pytest.raises(Retryable, match="the kill switch holds"):
        house.sign_statement(bare)
    house.kill, house.halt = "", "drawdown"
    with pytest.raises(Retryable, match="the desk is halted"):
        house.sign_quote(quote(3))
    house.sign_statement(bare)


@pytest.mark.parametrize("body", [{}, {"statement": None}, {"statement": {"kind": "statement"}}])
def test_a_statement_that_cannot_be_read_is_refused(house: House, body: dict[str, Any]) -> None:
    with pytest.raises(Permanent):
        house.answer({"op": "sign_statement", **body})


@pytest.mark.parametrize("chain", ["solana", "ton"])
def test_a_chain_without_statements_says_so(chain: str) -> None:
    policy = replace(POLICY, chain=chain, contracts={}, chain_id=5)
    key = signing_chain(chain).make_key(bytes(range(1, 33)), policy)
    with pytest.raises(Permanent, match="has no net statements"):
        key.sign_statement(replace(statement([trade(quote(1), b"\x01" * 65)]), chain=chain))
