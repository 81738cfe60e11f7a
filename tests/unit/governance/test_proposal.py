"""Orders: only canonical and sound bodies pass; the chain of orders has no gap."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from desk_memory import POLICY

from dmm.governance.proposal import Link, Release, broken_link, read_order
from dmm.units.errors import Permanent
from dmm.units.ids import Hash32, canonical_json


def test_a_policy_reads_back_as_it_was_signed() -> None:
    assert read_order(family="policy", body=POLICY.canonical_bytes) == POLICY


def test_a_release_names_its_kill() -> None:
    assert read_order(family="release", body=b'{"kill_id":7}') == Release(kill_id=7)


@pytest.mark.parametrize(
    ("family", "body", "what"),
    [
        ("policy", b"{", "not JSON"),
        ("policy", b"[1]", "must be an object"),
        ("policy", b'{"preset":"x"}', "policy fields differ"),
        ("release", b'{"kill_id":7,"also":1}', "holds kill_id alone"),
        ("release", b'{"kill_id":-7}', "must be an integer >= 0"),
        ("release", b'{"kill_id":true}', "must be an integer >= 0"),
        ("release", b'{"kill_id": 7}', "canonical"),
        ("upgrade", b'{"kill_id":7}', "family"),
        ("policy", b" " * 4_097, "at most 4096"),
    ],
)
def test_a_body_that_is_not_an_order_is_refused_by_name(
    family: str, body: bytes, what: str
) -> None:
    with pytest.raises(Permanent, match=what):
        read_order(family=family, body=body)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"gamma_nano_per_bp": 0}, "gamma"),
        ({"kappa_nano_per_bp_min": 10**12}, "kappa_nano_per_bp_min"),
        ({"sigma_ubps_1s_min": 10**12}, "sigma_ubps_1s_min"),
        ({"inventory_soft_lots": 81}, "inventory_soft_lots"),
        ({"buyback_share_bps": 10_001}, "buyback_share_bps"),
        ({"horizon_s": 0}, "horizon_s"),
        ({"refresh_ms": 0}, "refresh_ms"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(changes: dict[str, int], what: str) -> None:
    body = replace(POLICY, **changes).canonical_bytes  # type: ignore[arg-type]
    with pytest.raises(Permanent, match=what):
        read_order(family="policy", body=body)


def test_a_fraction_never_passes() -> None:
    fields = json.loads(POLICY.canonical_bytes) | {"refresh_ms": 0.5}
    with pytest.raises(Permanent, match="refresh_ms"):
        read_order(family="policy", body=json.dumps(fields).encode())
    assert canonical_json({"kill_id": 7}) == Release(kill_id=7).canonical_bytes


def link(sequence: int, before: int, after: int) -> Link:
    return Link(
        sequence=sequence,
        previous_head=Hash32(bytes([before]) * 32),
        head=Hash32(bytes([after]) * 32),
    )


def test_a_gapless_chain_is_whole_whatever_it_began_with() -> None:
    assert broken_link([]) is None
    assert broken_link([link(1, 9, 3), link(2, 3, 4), link(3, 4, 8)]) is None


@pytest.mark.parametrize(
    ("links", "why"),
    [
        ([link(2, 9, 3)], "order 1 is missing"),
        ([link(1, 9, 3), link(3, 3, 4)], "order 2 is missing"),
        ([link(1, 9, 3), link(2, 5, 4)], "does not extend the head of order 1"),
        ([link(1, 9, 9)], "leaves the head as it was"),
    ],
)
def test_a_broken_chain_is_named(links: list[Link], why: str) -> None:
    found = broken_link(links)
    assert found is not None
    assert why in found
