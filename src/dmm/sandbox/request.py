"""What was asked of a demo, kept so that a resumed run plays the same thing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from dmm.quoting.presets import Preset
from dmm.units.chain import HOME_CHAIN
from dmm.units.errors import UsageFault

REQUEST_FILE = "request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A demo as asked for; paths are absolute. `chains` are those it was begun on.

    `preset` is the first policy's; only an executed order changes it later.
    """

    tape: tuple[str, ...]
    epochs: int
    seed: int
    allow_gaps: bool
    chains: tuple[str, ...] = (HOME_CHAIN,)
    preset: Preset = Preset.STEADY

    @property
    def paths(self) -> tuple[Path, ...]:
        """Return the tape's files."""
        return tuple(Path(path) for path in self.tape)

    def save(self, run_folder: Path) -> None:
        """Write the request, whole or not at all."""
        draft = run_folder / f"{REQUEST_FILE}.tmp"
        draft.write_text(json.dumps(asdict(self)), encoding="utf-8")
        draft.replace(run_folder / REQUEST_FILE)

    @classmethod
    def load(cls, run_folder: Path) -> Request | None:
        """Read the request of the run in a folder, or None where none was made.

        Raises
        ------
        UsageFault
            If the file cannot be read.
        """
        path = run_folder / REQUEST_FILE
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            recorded = cls(**body)
            return replace(
                recorded,
                tape=tuple(recorded.tape),
                chains=tuple(recorded.chains),
                preset=Preset(recorded.preset),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise UsageFault(
                f"{path} cannot be read: leave out --resume, or name another --state"
            ) from error


def resumed(asked: Request, run_folder: Path, *, preset: Preset | None = None) -> Request:
    """Return the request to resume: the recorded one, which what is asked now must not contradict.

    Parameters
    ----------
    preset : the one named now; None where none is

    Raises
    ------
    UsageFault
        If nothing was started here, or another tape or preset is named than what was cut off.
    """
    recorded = Request.load(run_folder)
    if recorded is None:
        raise UsageFault(
            f"nothing to resume: no run was started in {run_folder.parent}; leave out --resume"
        )
    if asked.tape and asked.tape != recorded.tape:
        raise UsageFault(
            f"cannot resume on {', '.join(asked.tape)}: the run that was cut off plays "
            f"{', '.join(recorded.tape) or 'the simulated market'}; leave out --tape"
        )
    if preset not in (None, recorded.preset):
        raise UsageFault(
            f"cannot resume with preset {preset}: the run that was cut off began with "
            f"{recorded.preset}; leave out --preset"
        )
    return recorded
