"""A signer process starts with all it needs, or says in one line what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dmm.adapters.signers.register import Entry, Register
from dmm.adapters.signers.witness import Witness
from dmm.entrypoints import keystore as keystore_entrypoint
from dmm.entrypoints import signer as signer_entrypoint
from dmm.ports import Deployment, SignedTx, SignRequest
from dmm.sandbox.evm.signers import demo_policy
from dmm.sandbox.signers import signer_command
from dmm.settlement.intent import Intent, IntentKind
from dmm.units.amount import Atoms

SECRET = bytes(range(7, 39))
PASSWORD = "twenty-four characters ok"


@pytest.fixture(autouse=True)
def _not_secluded(monkeypatch: pytest.MonkeyPatch) -> None:
    # It would close the memory of the test process, for good.
    monkeypatch.setattr(signer_entrypoint, "seclude", lambda: None)
    monkeypatch.setattr(signer_entrypoint.observe, "configure_logging", lambda: None)
    monkeypatch.setattr(keystore_entrypoint, "seclude", lambda: None)
    monkeypatch.setattr(keystore_entrypoint, "CEREMONY_WORK", 2)


def words(folder: Path, role: str = "settlement") -> list[str]:
    deployments = {
        name: Deployment(chain="evm", name=name, address=f"0x{at + 1:040x}", height=1, decimals=9)
        for at, name in enumerate(("settlement", "treasury", "token:DCT", "vault:desk"))
    }
    return signer_command(
        role,
        folder=folder,
        socket=folder / "s",
        secret=SECRET,
        policy=demo_policy(deployments),
        latch=folder / "latch",
    )[3:]


def without(command: list[str], *options: str) -> list[str]:
    left = list(command)
    for option in options:
        at = left.index(option)
        del left[at : at + 2]
    return left


def start(command: list[str]) -> Result:
    return CliRunner().invoke(signer_entrypoint.app, command)


def test_without_a_kill_switch_it_does_not_start(tmp_path: Path) -> None:
    done = start(without(words(tmp_path), "--latch"))
    assert done.exit_code == 2
    assert "give --latch or --database-url-file" in done.stderr


def test_without_caps_over_all_assets_a_settlement_signer_does_not_start(tmp_path: Path) -> None:
    command = words(tmp_path)
    policy = tmp_path / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8").partition("[numeraire]")[0])
    done = start(command)
    assert done.exit_code == 2
    assert "has no [numeraire]" in done.stderr


REMOTE = ["--remote-url", "https://127.0.0.1:1"]


@pytest.mark.parametrize(
    ("role", "left_out", "more", "reason"),
    [
        ("quote", [], REMOTE, "is for a settlement signer"),
        ("settlement", [], REMOTE, "without a keystore"),
        ("settlement", ["--password-file"], [], "give --keystore and --password-file"),
        ("settlement", ["--keystore", "--password-file"], [], "or --remote-url"),
        ("settlement", ["--keystore"], REMOTE, "needs --remote-address"),
        (
            "settlement",
            ["--keystore"],
            ["--remote-url", "http://signer.example", "--remote-address", "0x01"],
            "it needs https",
        ),
    ],
)
def test_a_key_that_is_not_told_or_does_not_belong_there_is_refused(
    tmp_path: Path, role: str, left_out: list[str], more: list[str], reason: str
) -> None:
    done = start(without(words(tmp_path, role), *left_out) + more)
    assert done.exit_code == 2
    assert reason in done.stderr


@pytest.mark.parametrize("name", ["keystore.json", "password"])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, name: str) -> None:
    command = words(tmp_path)
    (tmp_path / name).chmod(0o640)
    done = start(command)
    assert done.exit_code == 1
    assert f"{name} can be read by other accounts: chmod 600 it" in done.stderr


def test_a_chain_that_no_signer_serves_is_named(tmp_path: Path) -> None:
    command = words(tmp_path)
    policy = tmp_path / "policy.toml"
    text = policy.read_text(encoding="utf-8").replace('chain = "evm"', 'chain = "cosmos"')
    policy.write_text(text, encoding="utf-8")
    done = start(command)
    assert done.exit_code == 2
    assert "no signer serves chain 'cosmos'" in done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("burn", "a signer is for settlement or quote, got 'burn'"),
        ("settlement-solana", "has a policy of chain 'evm': it is another's"),
    ],
)
def test_a_signer_of_another_name_than_its_policy_does_not_start(
    tmp_path: Path, name: str, reason: str
) -> None:
    done = start([name, *words(tmp_path)[1:]])
    assert done.exit_code == 2
    assert reason in done.stderr


def a_signature(register: Register, ordinal: int) -> None:
    intent = Intent(
        kind=IntentKind.REWARD,
        chain="evm",
        contract="treasury",
        vault="treasury",
        scope="s",
        epoch=0,
        ordinal=ordinal,
        asset="DCT",
        recipient="0x" + "b1" * 20,
        amount=Atoms(3),
        deadline_s=1_900_000_000,
        inputs={},
    )
    request = SignRequest(
        intent=intent, generation=0, bump=0, slot=ordinal, unit_fee_max=1, unit_tip=0, gas_max=1
    )
    signed = SignedTx(tx_id="0x", raw=b"x", signer="0xk", fee_atoms_max=Atoms(1))
    register.sign_once(Entry(request=request, key="0xk", day_atoms_max=9, now_s=9), lambda: signed)


@pytest.mark.parametrize("lost", ["some", "all"])
def test_with_a_register_from_a_backup_it_does_not_start(tmp_path: Path, lost: str) -> None:
    command = words(tmp_path)
    path, backup = tmp_path / "register.sqlite", tmp_path / "backup"
    register = Register(path, Witness(tmp_path / "witness"))
    a_signature(register, 1)
    shutil.copy(path, backup)
    a_signature(register, 2)
    register.close()
    path.unlink()
    if lost == "some":
        shutil.copy(backup, path)
    done = start(command)
    assert done.exit_code == 1
    assert f"saw epoch 2, the register is at {1 if lost == 'some' else 0}" in done.stderr
    assert "rotate the key" in done.stderr


# -- ceremony --------------------------------------------------------------------------------------


def ceremony(folder: Path, verb: str, *, chain: str = "evm", password: str = PASSWORD) -> Result:
    secret = folder / "password"
    secret.write_text(password, encoding="utf-8")
    secret.chmod(0o600)
    options = ["--chain", chain, "--keystore", str(folder / "k.json")]
    return CliRunner().invoke(
        keystore_entrypoint.app, [verb, *options, "--password-file", str(secret)]
    )


def test_a_new_key_is_encrypted_and_its_address_is_all_that_is_shown(tmp_path: Path) -> None:
    made = ceremony(tmp_path, "new")
    assert made.exit_code == 0, made.stderr
    assert made.stdout.startswith("0x")
    assert len(made.stdout) == 43
    assert ceremony(tmp_path, "address").stdout == made.stdout
    assert (tmp_path / "k.json").stat().st_mode & 0o777 == 0o600


def test_a_keystore_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "k.json").write_text("mine", encoding="utf-8")
    done = ceremony(tmp_path, "new")
    assert done.exit_code == 2
    assert (tmp_path / "k.json").read_text(encoding="utf-8") == "mine"


def test_a_short_password_is_refused_before_a_key_is_drawn(tmp_path: Path) -> None:
    done = ceremony(tmp_path, "new", password="nineteen characters")
    assert done.exit_code == 2
    assert "fewer than 20 characters" in done.stderr
    assert not (tmp_path / "k.json").exists()
