"""A key with a remote signer: what comes back is believed only when it is what was asked for."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from eth_account import Account
from web3signer_fake import Web3SignerFake, serving

from dmm.adapters.evm.sign import Key
from dmm.adapters.signers.chain_signing import ChainSigning
from dmm.adapters.signers.policy import SignerPolicy
from dmm.adapters.signers.remote import RemoteMethod, Tls, Web3Signer
from dmm.entrypoints.signer_chains import signing_chain
from dmm.ports import SignRequest
from dmm.settlement.intent import Intent, IntentKind, Purpose
from dmm.units.amount import Atoms
from dmm.units.errors import Permanent, Retryable, ServiceFault, UsageFault
from dmm.units.time import Nanos

SECRET = bytes(range(3, 35))
KEY = Key(SECRET)
POLICY = SignerPolicy(
    chain="evm",
    chain_id=31_337,
    maker="0x" + "a1" * 20,
    contracts={
        "settlement": "0x" + "a3" * 20,
        "treasury": "0x" + "a4" * 20,
        "token:DCT": "0x" + "d0" * 20,
    },
    caps={},
    unit_fee_max=200,
    gas_max=400_000,
    ttl_s_max=60,
    settle_s_max=600,
)
METHODS = (RemoteMethod.TRANSACTION, RemoteMethod.DATA)


class Clock:
    """Counts pauses instead of making them."""

    def __init__(self) -> None:
        self.pauses = 0

    def now_ns(self) -> Nanos:
        return Nanos(time.monotonic_ns())

    def sleep_s(self, seconds: float) -> None:
        assert seconds > 0
        self.pauses += 1


def request(purpose: Purpose = Purpose.PAY) -> SignRequest:
    intent = Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="run/liquidity",
        epoch=3,
        ordinal=2,
        asset="DCT",
        recipient="0x" + "b1" * 20,
        amount=Atoms(600),
        deadline_s=1_900_000_500,
        inputs={},
    )
    return SignRequest(
        intent=intent,
        generation=0,
        bump=0,
        slot=7,
        unit_fee_max=150,
        unit_tip=3,
        gas_max=21_000,
        purpose=purpose,
    )


@pytest.fixture
def fake() -> Web3SignerFake:
    return Web3SignerFake(secret=SECRET, chain_id=31_337)


@pytest.fixture
def url(fake: Web3SignerFake) -> Iterator[str]:
    with serving(fake) as found:
        yield found


def remote(
    url: str, method: RemoteMethod = RemoteMethod.TRANSACTION, *, tls: Tls | None = None
) -> Web3Signer:
    return Web3Signer(url, tls=tls or Tls(), clock=Clock(), method=method)


def signing(of: Web3Signer, address: str = KEY.address) -> ChainSigning:
    make = signing_chain("evm").remote_key
    assert make is not None
    return make(of, address, POLICY)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_remote_key_signs_the_bytes_that_a_key_here_would_send(
    fake: Web3SignerFake, url: str, method: RemoteMethod, purpose: Purpose
) -> None:
    found = signing(remote(url, method), KEY.address.lower())
    assert found.address == fake.address == KEY.address
    signed = found.sign_settlement(request(purpose))
    here = signing_chain("evm").make_key(SECRET, POLICY).sign_settlement(request(purpose))
    # Both sign by RFC 6979, so equal transactions have equal signatures.
    assert signed == here
    assert Account.recover_transaction(signed.raw) == KEY.address


@pytest.mark.parametrize(
    ("method", "mood"),
    [
        (RemoteMethod.TRANSACTION, "other recipient"),
        (RemoteMethod.TRANSACTION, "more fee"),
        (RemoteMethod.TRANSACTION, "other chain"),
        (RemoteMethod.TRANSACTION, "other key"),
        (RemoteMethod.TRANSACTION, "nonsense"),
        (RemoteMethod.TRANSACTION, "endless"),
        (RemoteMethod.TRANSACTION, "redirects"),
        (RemoteMethod.DATA, "other key"),
        (RemoteMethod.DATA, "high s"),
        (RemoteMethod.DATA, "nonsense"),
        (RemoteMethod.DATA, "endless"),
        (RemoteMethod.DATA, "redirects"),
    ],
)
def test_what_is_not_this_transaction_by_this_key_is_not_used(
    fake: Web3SignerFake, url: str, method: RemoteMethod, mood: str
) -> None:
    found = signing(remote(url, method))
    fake.mood = mood
    asked = len(fake.asked)
    # A fault of its house: the driver is told "later", and no verdict on the intent.
    with pytest.raises(ServiceFault):
        found.sign_settlement(request())
    assert len(fake.asked) == asked + 1, "what cannot be used is not asked for again"


@pytest.mark.parametrize("method", METHODS)
def test_a_passing_failure_is_asked_again_and_a_lasting_one_ends(
    fake: Web3SignerFake, url: str, method: RemoteMethod
) -> None:
    found = signing(remote(url, method))
    fake.failures_left = 2
    found.sign_settlement(request())
    fake.failures_left = 10
    with pytest.raises(Retryable, match="status 500"):
        found.sign_settlement(request())
    assert fake.failures_left == 7


def test_an_answer_in_drops_ends(fake: Web3SignerFake, url: str) -> None:
    found = signing(remote(url))
    fake.mood = "drips"
    with pytest.raises(Retryable, match=r"takes longer than 1\.0 s"):
        found.sign_settlement(request())


def test_one_that_is_silent_or_gone_may_be_asked_later(fake: Web3SignerFake, url: str) -> None:
    found = signing(remote(url))
    fake.mood = "silent"
    with pytest.raises(Retryable, match="does not answer"):
        found.sign_settlement(request())
    with pytest.raises(Retryable, match="does not answer"):
        signing(remote("http://127.0.0.1:9"))


def test_a_key_it_does_not_hold_is_named(url: str) -> None:
    with pytest.raises(ServiceFault, match="holds no key of 0xa1"):
        signing(remote(url), POLICY.maker)


def test_its_refusal_is_told_with_its_reason(fake: Web3SignerFake, url: str) -> None:
    found = signing(remote(url))
    fake.secret = b"\x09" * 32
    with pytest.raises(ServiceFault, match="No unlocked account matches the Sender"):
        found.sign_settlement(request())


def test_what_the_intent_cannot_be_is_refused_before_it_is_asked(
    fake: Web3SignerFake, url: str
) -> None:
    found = signing(remote(url))
    asked = len(fake.asked)
    body = request()
    bad: Any = Intent(
        **{name: getattr(body.intent, name) for name in Intent.__dataclass_fields__}
        | {"recipient": "0x" + "00" * 20}
    )
    with pytest.raises(Permanent, match="is no EVM address"):
        found.sign_settlement(
            SignRequest(
                intent=bad,
                generation=0,
                bump=0,
                slot=7,
                unit_fee_max=1,
                unit_tip=0,
                gas_max=21_000,
            )
        )
    assert len(fake.asked) == asked


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ("http://signer.example:9000", "needs https"),
        ("http://10.0.0.7:9000", "needs https"),
        ("https://me:secret@signer.example", "nothing else"),
        ("ftp://127.0.0.1", "needs https"),
        ("https://signer.example/?key=1", "nothing else"),
        ("signer.example:9000", "nothing else"),
    ],
)
def test_an_address_that_would_show_the_traffic_is_refused(bad: str, words: str) -> None:
    with pytest.raises(UsageFault, match=words):
        remote(bad)


# -- TLS -------------------------------------------------------------------------------------------


class Authority:
    """A certificate authority of the test's own; not before 2020, not after 2060."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        own = self._certificate(self._name, self._key.public_key(), is_authority=True)
        self.path = folder / "authority.pem"
        self.path.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(subject, key.public_key(), is_authority=False)
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return paths

    def _certificate(
        self, subject: x509.Name, public: ec.EllipticCurvePublicKey, *, is_authority: bool
    ) -> x509.Certificate:
        utc = dt.UTC
        issuer = self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=utc))
            .not_valid_after(dt.datetime(2060, 1, 1, tzinfo=utc))
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
            )
            .add_extension(
                x509.KeyUsage(
                    digital_signature=True,
                    content_commitment=False,
                    key_encipherment=False,
                    data_encipherment=False,
                    key_agreement=False,
                    key_cert_sign=is_authority,
                    crl_sign=is_authority,
                    encipher_only=False,
                    decipher_only=False,
                ),
                critical=True,
            )
            .sign(self._key, hashes.SHA256())
        )


def test_over_tls_both_sides_show_who_they_are(fake: Web3SignerFake, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, (certificate, key) = authority.issue("server"), authority.issue("client")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*server)
    context.load_verify_locations(authority.path)
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(fake, tls=context) as url:
        known = Tls(authority=authority.path, certificate=certificate, key=key)
        assert signing(remote(url, tls=known)).sign_settlement(request()).signer == KEY.address
        for unknown in (Tls(), Tls(authority=authority.path)):
            with pytest.raises(Retryable, match="does not answer"):
                signing(remote(url, tls=unknown))


def test_a_tls_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServiceFault, match="TLS files"):
        remote("https://127.0.0.1:1", tls=Tls(authority=tmp_path / "none.pem"))
