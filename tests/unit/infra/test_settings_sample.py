"""The sample of the settings says exactly what the settings are."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pydantic import SecretStr

from dmm.settings import Settings

SAMPLE = Path(__file__).resolve().parents[3] / "infra" / "settings.sample.toml"

OF_THE_MACHINE = {"state_dir"}
"""Settings whose default depends on where the checkout lies."""


def text() -> str:
    return SAMPLE.read_text(encoding="utf-8")


def plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def test_the_sample_covers_exactly_the_settings() -> None:
    assert list(tomllib.loads(text())) == list(Settings.model_fields)


def test_the_sample_is_accepted_and_says_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The caller's environment would outrank the file.
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DMM_{name.upper()}", raising=False)
    monkeypatch.setenv("DMM_CONFIG", str(SAMPLE))
    read = Settings()
    for name, field in Settings.model_fields.items():
        if name not in OF_THE_MACHINE:
            assert plain(getattr(read, name)) == plain(field.default), name


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_stands_under_its_description(name: str) -> None:
    described = Settings.model_fields[name].description
    assert described, f"{name} has no description in dmm.settings"
    above = re.search(rf"((?:^#.*\n)+)^{name} = ", text(), re.MULTILINE)
    assert above, f"{name} has no comment above it"
    words = " ".join(line.lstrip("# ") for line in above[1].splitlines())
    assert words.startswith(" ".join(described.split()))


def test_the_sample_holds_no_secret() -> None:
    table = tomllib.loads(text())
    for name, field in Settings.model_fields.items():
        if field.annotation is SecretStr:
            assert "@" not in table[name], f"{name} holds a user or a password"
            assert not re.search(r"(?i)password|secret", table[name])
    assert not re.search(r"(?i)\b(0x)?[0-9a-f]{40,}\b", text()), "something like a key or a hash"


def test_a_name_that_is_no_setting_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("databse_url = 'postgresql://localhost/dmm'\n", encoding="utf-8")
    monkeypatch.setenv("DMM_CONFIG", str(file))
    with pytest.raises(ValueError, match="databse_url"):
        Settings()
