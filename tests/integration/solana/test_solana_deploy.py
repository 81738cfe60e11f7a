"""Deployments over RPC: cut and taken up again, upgraded, handed over; what others own stays.

The local node's runtime refuses the one instruction that makes a new program (SIMD-0167), so what
it leaves is written by hand here; `test_solana_loader.py` carries it out on the newer runtime.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from solders.pubkey import Pubkey

from dmm.adapters.clock import SystemClock
from dmm.adapters.solana import loader
from dmm.adapters.solana.deployer import Deployer, program_at
from dmm.adapters.solana.finalized import held
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.key_file import load_key, load_or_make_key
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.sign import Key
from dmm.entrypoints import deploy_solana
from dmm.sandbox.solana.chain import Pace
from dmm.sandbox.solana.node import PROGRAM, SolanaNode, local_programs
from dmm.units.errors import ServiceFault, UsageFault

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "contracts" / "solana" / "build"
CODE = (BUILD / "dmm.so").read_bytes()
SMALL = (BUILD / "multisig.so").read_bytes()


class Cut(BaseException):
    """Stands for a process that is gone."""


class ByHand(Hand):
    """A hand on a chain that makes no new programs: the last step of one is written."""

    local: SolanaNode

    def run(self, calls: Any, *signers: Key) -> str:
        last = calls[-1]
        if last.program_id != loader.LOADER or bytes(last.data)[:4] != b"\x02\0\0\0":
            return super().run(calls, *signers)
        _, data, program, buffer = (meta.pubkey for meta in last.accounts[:4])
        assert self.key.public in {meta.pubkey for meta in calls[0].accounts if meta.is_signer}
        assert program in {key.public for key in signers}
        room = struct.unpack_from("<Q", bytes(last.data), 4)[0]
        code = held(self._node, str(buffer), slot_min=0, commitment="confirmed").data[37:]
        if not code.startswith(b"\x7fELF\x02"):
            raise ServiceFault("the loader finds no program in the buffer")
        slot = int(self.local.call("getSlot"))
        head = struct.pack("<IQ", 3, slot) + b"\x01" + bytes(self.key.public)
        self._write(data, head + code.ljust(room, b"\0"))
        self._write(program, b"\x02\0\0\0" + bytes(data))
        self.local.call("dmm_advance", 2)
        return "written"

    def _write(self, address: Pubkey, content: bytes) -> None:
        body = {"lamports": self.rent(len(content)), "owner": str(loader.LOADER)}
        body["data"] = base64.b64encode(content).decode()
        self.local.call("dmm_setAccount", str(address), body)


class Site:
    """A chain, a key that holds lamports, and what deploys with it."""

    def __init__(self, node: SolanaNode, folder: Path) -> None:
        self.local, self.key_file = node, folder / "payer.json"
        self.genesis = str(node.call("getGenesisHash"))
        self.node = Node(node.url, genesis_hash=self.genesis)
        self.key = load_or_make_key(self.key_file)
        node.call("requestAirdrop", self.key.address, 10**12)
        ByHand.local = node
        self.hand = ByHand(self.node, self.key, clock=SystemClock())
        self.deployer = Deployer(self.node, self.hand)

    def other(self, number: int) -> Deployer:
        key = Key(bytes([number]) * 32)
        self.local.call("requestAirdrop", key.address, 10**11)
        return Deployer(self.node, ByHand(self.node, key, clock=SystemClock()))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("solana-deploy")
    pace = Pace(slot_ms=50)
    with SolanaNode(folder=folder / "node", programs=local_programs(ROOT), pace=pace) as node:
        yield Site(node, folder)


def test_the_committed_program_is_deployed_and_handed_over(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(deploy_solana, "Hand", ByHand)
    multisig = Key(b"\x77" * 32).address
    words = ["--url", site.local.url, "--genesis", site.genesis, "--key", str(site.key_file)]
    words += ["--program", str(tmp_path / "program.json")]
    deploy_solana.main(words)
    program = load_key(tmp_path / "program.json")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"program {program.address}: deployed"
    there = program_at(site.node, program.address)
    assert there is not None
    assert there.holds(CODE)
    assert not there.holds(SMALL)
    assert there.authority == site.key.address
    deploy_solana.main([*words, "--authority", multisig])
    assert capsys.readouterr().out.splitlines() == [
        f"program {program.address}: is there already",
        f"authority {multisig}",
    ]
    handed = program_at(site.node, program.address)
    assert handed is not None
    assert handed.authority == multisig
    with pytest.raises(UsageFault, match=f"is changed by {multisig}"):
        site.deployer.deploy(SMALL, program)
    with pytest.raises(UsageFault, match=f"is changed by {multisig}"):
        site.deployer.hand_over(program.address, new=None)


def test_a_deployment_that_was_cut_goes_on_with_what_is_missing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = Key(b"\x31" * 32)
    pieces = -(-len(SMALL) // loader.PIECE_BYTES)
    half = Deployer(site.node, site.hand)
    run_all = site.hand.run_all

    def half_sent(batches: Any, *signers: Key) -> list[str]:
        if len(batches) < 2:
            return run_all(batches, *signers)
        run_all(batches[: len(batches) // 2], *signers)
        raise Cut

    monkeypatch.setattr(site.hand, "run_all", half_sent)
    with pytest.raises(Cut):
        half.deploy(SMALL, program)
    monkeypatch.undo()
    done = site.deployer.deploy(SMALL, program)
    assert done.acts == ("deployed",)
    # A piece of zeros is what an empty buffer holds already.
    assert 0 < done.written <= pieces - pieces // 2
    again = site.deployer.deploy(SMALL, program)
    assert (again.written, again.acts) == (0, ())


def test_an_upgrade_may_be_longer_and_is_then_fixed_for_good(site: Site) -> None:
    program = Key(b"\x32" * 32)
    site.deployer.deploy(SMALL, program)
    site.local.call("dmm_advance", 5)
    done = site.deployer.deploy(CODE, program)
    assert done.acts == ("extended", "upgraded")
    there = program_at(site.node, program.address)
    assert there is not None
    assert there.holds(CODE)
    site.local.call("dmm_advance", 5)
    shorter = site.deployer.deploy(SMALL, program)
    assert shorter.acts == ("upgraded",)
    site.deployer.hand_over(program.address, new=None)
    site.deployer.hand_over(program.address, new=None)
    fixed = program_at(site.node, program.address)
    assert fixed is not None
    assert fixed.authority is None
    with pytest.raises(UsageFault, match="is changed by nobody"):
        site.deployer.deploy(CODE, program)


def test_what_others_own_is_left_alone(site: Site) -> None:
    program = Key(b"\x33" * 32)
    site.deployer.deploy(SMALL, program)
    stranger = site.other(0x41)
    with pytest.raises(UsageFault, match=f"is changed by {site.key.address}"):
        stranger.deploy(CODE, program)
    with pytest.raises(UsageFault, match="there is no program at"):
        stranger.hand_over(stranger._hand.key.address, new=None)


def test_what_is_no_program_is_refused_before_anything_is_paid(site: Site) -> None:
    before = site.hand.held()
    for code in (b"", b"\x7fELF" + bytes(11 * 2**20), b"#!/bin/sh"):
        with pytest.raises(UsageFault, match="are no program"):
            site.deployer.deploy(code, Key(b"\x34" * 32))
    assert site.hand.held() == before


def test_a_key_that_could_not_pay_to_the_end_begins_nothing(site: Site) -> None:
    poor = Key(b"\x43" * 32)
    site.local.call("requestAirdrop", poor.address, 10**9)
    deployer = Deployer(site.node, ByHand(site.node, poor, clock=SystemClock()))
    site.local.call("dmm_advance", 2)
    with pytest.raises(UsageFault, match="holds 1000000000 lamports, a new program needs 14"):
        deployer.deploy(CODE, Key(b"\x36" * 32))
    assert deployer._hand.held() == 10**9


def test_bytes_that_only_look_like_a_program_are_refused_by_the_loader(site: Site) -> None:
    program = Key(b"\x35" * 32)
    with pytest.raises(ServiceFault, match="no program in the buffer"):
        site.deployer.deploy(b"\x7fELF" + bytes(range(9, 200)), program)
    assert program_at(site.node, program.address) is None


def test_a_program_of_the_fixed_loader_has_no_authority(site: Site) -> None:
    there = program_at(site.node, str(PROGRAM))
    assert there is not None
    assert there.authority is None
    assert there.holds(CODE)
    assert program_at(site.node, site.key.address) is None


def test_a_wrong_call_is_told_in_one_line(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases: list[tuple[list[str], str]] = [
        ([], "give --url and --genesis"),
        (["--url", site.local.url, "--genesis", "x" * 44], "genesis hash"),
    ]
    for words, text in cases:
        with pytest.raises(SystemExit) as ended:
            deploy_solana.main(
                [*words, "--key", str(site.key_file), "--program", str(tmp_path / "p.json")]
            )
        assert ended.value.code in (1, 2)
        assert text in capsys.readouterr().err


def test_metas_of_the_loader_are_those_of_its_documentation() -> None:
    keys = [Key(bytes([n]) * 32).public for n in (1, 2, 3)]
    call = loader.upgrade(*keys)
    assert bytes(call.data) == b"\x03\x00\x00\x00"
    assert [meta.is_signer for meta in call.accounts] == [False] * 6 + [True]
    assert [meta.is_writable for meta in call.accounts] == [True] * 4 + [False] * 3
    handed = loader.set_authority(keys[0], present=keys[1], new=None)
    assert len(handed.accounts) == 2
    assert bytes(handed.data) == b"\x04\x00\x00\x00"
