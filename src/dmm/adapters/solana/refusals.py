"""What a node says about a transaction that failed, by the program's own errors."""

from __future__ import annotations

from typing import Any

from dmm.adapters.solana.abi import Abi, program_abi
from dmm.units.errors import Permanent


class ProgramRefused(Permanent):
    """The program refused a transaction; `code` and `name` are those of its IDL."""

    def __init__(self, code: int, name: str, text: str) -> None:
        super().__init__(f"the program refuses it: {code} {name}, {text}")
        self.code = code
        self.name = name


def refusal_of(error: Any, *, abi: Abi | None = None) -> ProgramRefused | None:
    """Return the program's refusal in a transaction's error; None when it is none of ours.

    Parameters
    ----------
    error : as a node tells it: ``{"InstructionError": [index, {"Custom": number}]}``
    abi : the interface whose errors are meant; the committed program's when None
    """
    known = abi or program_abi()
    code = custom_code(error)
    if code is None or code not in known.errors:
        return None
    return ProgramRefused(code, known.errors[code], known.error_texts[code])


def custom_code(error: Any) -> int | None:
    """Return the number that a program failed with; None when it failed otherwise."""
    match error:
        case {"InstructionError": [_, {"Custom": int(code)}]}:
            return code
        case _:
            return None
