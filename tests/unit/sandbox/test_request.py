from __future__ import annotations

from pathlib import Path

import pytest

from dmm.quoting.presets import Preset
from dmm.sandbox.request import REQUEST_FILE, Request, resumed
from dmm.units.errors import UsageFault

ASKED = Request(tape=(), epochs=2, seed=7, allow_gaps=False)
BOLD = '{"tape": [], "epochs": 2, "seed": 7, "allow_gaps": false, "preset": "bold"}'


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"tape": []', '{"tape": [], "more": 1}', BOLD]
)
def test_a_recorded_request_that_cannot_be_read_is_refused_by_name(
    content: str, tmp_path: Path
) -> None:
    (tmp_path / REQUEST_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(UsageFault, match=REQUEST_FILE):
        resumed(ASKED, tmp_path)


def test_what_was_asked_first_is_resumed(tmp_path: Path) -> None:
    recorded = Request(tape=("/tapes/a.gz",), epochs=5, seed=3, allow_gaps=True)
    recorded.save(tmp_path)
    assert resumed(ASKED, tmp_path) == recorded


def test_a_run_is_resumed_with_its_own_preset_and_no_other(tmp_path: Path) -> None:
    recorded = Request(tape=(), epochs=5, seed=3, allow_gaps=False, preset=Preset.DEFENSIVE)
    recorded.save(tmp_path)
    for named in (None, Preset.DEFENSIVE):
        assert resumed(ASKED, tmp_path, preset=named) == recorded
    with pytest.raises(UsageFault, match="began with defensive; leave out --preset"):
        resumed(ASKED, tmp_path, preset=Preset.STEADY)
