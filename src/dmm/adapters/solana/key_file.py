"""Key files of Solana's own tools: 64 numbers, the secret and then the public half.

For people's keys that pay for accounts and deploy programs; the desk's signers have keystores.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from pathlib import Path

from dmm.adapters.solana.sign import SECRET_BYTES, Key
from dmm.units.errors import UsageFault

KEY_BYTES = 64


def load_key(path: Path) -> Key:
    """Return the key of a file.

    Raises
    ------
    UsageFault
        If there is none, others may read it, or it holds no key.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageFault(f"key file {path} cannot be read: {type(error).__name__}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageFault(f"key file {path} may be read by others: run `chmod 600 {path}`")
    try:
        content = bytes(json.loads(text))
    except (ValueError, TypeError):
        content = b""
    key = Key(content[:SECRET_BYTES]) if len(content) == KEY_BYTES else None
    if key is None or bytes(key.public) != content[SECRET_BYTES:]:
        # Nothing of the content: part of it may be a secret.
        raise UsageFault(f"key file {path} holds no key of {KEY_BYTES} numbers")
    return key


def load_or_make_key(path: Path) -> Key:
    """Return the key of a file; a file that is not there is made, readable by its owner alone."""
    if path.exists():
        return load_key(path)
    key = Key(secrets.token_bytes(SECRET_BYTES))
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(list(bytes(key.keypair)), file)
    except OSError as error:
        raise UsageFault(f"key file {path} cannot be made: {error.strerror}") from error
    return key
