"""How much of the desk's exposure sits in one place: the Herfindahl–Hirschman index."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from dmm.units.amount import BPS_ONE, ceil_div

PPM_ONE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Concentration:
    """Concentration of exposures by name.

    `hhi` lies in [1/n, 1] for n exposures that are not nought; `hhi_ppm` is it in millionths,
    rounded up. 1/`hhi` is the number of equal exposures that would be as concentrated.
    `largest_share_bps` is rounded up.
    """

    hhi: Fraction
    hhi_ppm: int
    largest: str
    largest_share_bps: int


def concentration(exposures_atoms: Mapping[str, int]) -> Concentration | None:
    """Return the concentration of exposures, or None when nothing is held.

    Long and short count alike: what matters is how much hangs on one name.

    Parameters
    ----------
    exposures_atoms : signed, all in one numéraire, by venue, vault, asset or counterparty

    References
    ----------
    Hirschman (1964), American Economic Review 54(5): Σ sᵢ² of shares sᵢ that sum to one.
    """
    sizes = {name: abs(atoms) for name, atoms in exposures_atoms.items() if atoms}
    total = sum(sizes.values())
    if not total:
        return None
    hhi = Fraction(sum(size * size for size in sizes.values()), total * total)
    largest = min(sizes, key=lambda name: (-sizes[name], name))
    return Concentration(
        hhi=hhi,
        hhi_ppm=ceil_div(hhi.numerator * PPM_ONE, hhi.denominator),
        largest=largest,
        largest_share_bps=ceil_div(sizes[largest] * BPS_ONE, total),
    )
