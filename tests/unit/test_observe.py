"""Log lines: JSON for machines, to stderr or a file; words for people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dmm import observe

TELL = """
from pathlib import Path
from dmm import observe
observe.configure_logging("WARNING", path=Path({path!r}) if {path!r} else None)
observe.posture_changed(posture="defensive", severity=2, signals=("drift",))
observe.service(name="x", state="started")
"""


@pytest.mark.parametrize("to_file", [False, True])
def test_lines_go_to_stderr_or_to_the_file_and_never_to_both(tmp_path: Path, to_file: bool) -> None:
    path = tmp_path / "desk.log"
    code = TELL.format(path=str(path) if to_file else "")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    written = path.read_text(encoding="utf-8") if to_file else done.stderr
    assert done.stdout == ""
    assert (done.stderr == "") is to_file
    (line,) = written.splitlines()
    told = json.loads(line)
    assert (told["event"], told["posture"]) == ("posture", "defensive")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            '{"records": 7, "event": "journal_stalled", "level": "error", "timestamp": "2026"}',
            "journal stalled: records 7",
        ),
        ('{"event": "killed", "note": ""}', "killed"),
        ("dmm worker: the tape has gaps", "dmm worker: the tape has gaps"),
        ('{"level": "error"}', '{"level": "error"}'),
        ("[1]", "[1]"),
        ("5", "5"),
        ("", ""),
    ],
)
def test_a_log_line_reads_as_words_and_anything_else_stays(line: str, words: str) -> None:
    assert observe.plain(line) == words
