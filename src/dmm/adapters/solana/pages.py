"""Pages of a maker's quote nonces: made ahead, because the program makes none while it settles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from solders.instruction import Instruction
from solders.pubkey import Pubkey

from dmm.adapters.solana.abi import program_abi
from dmm.adapters.solana.calls import NONCES_PER_PAGE
from dmm.adapters.solana.codec import SYSTEM, account
from dmm.adapters.solana.finalized import held_many
from dmm.adapters.solana.hand import Hand
from dmm.adapters.solana.node import Node
from dmm.adapters.solana.terms import page_address

PAGES_LOOKED_MAX = 64
"""Pages that are looked at, and made, from the present one on."""


def init_page(program: Pubkey, *, payer: Pubkey, maker: Pubkey, word: int) -> Instruction:
    """Return what makes a page of a maker's nonces; anybody may pay for it."""
    accounts = {
        "payer": payer,
        "maker": maker,
        "page": page_address(program, maker, word),
        "system_program": SYSTEM,
    }
    return program_abi().instruction(program, "init_page", accounts, word=word)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """What there is of a maker's next pages.

    `missing` are pages looked for and not there; `nonces_left` counts quotes for which pages are
    there without a gap, as far as was looked.
    """

    next_nonce: int
    nonces_left: int
    missing: tuple[int, ...]


def look_at_pages(node: Node, *, program: str, maker: str, next_nonce: int, pages: int) -> PageView:
    """Look at a maker's next pages, the one of the next nonce counted first.

    Parameters
    ----------
    next_nonce : the first nonce that no quote of the maker has
    pages : how many to look at, in [1, `PAGES_LOOKED_MAX`]

    Raises
    ------
    NoAnswer, NodeRefused
        If the node does not tell.
    """
    owner, of = account(program, what="settlement"), account(maker, what="the maker")
    first = next_nonce // NONCES_PER_PAGE
    words = range(first, first + min(pages, PAGES_LOOKED_MAX))
    addresses = [str(page_address(owner, of, word)) for word in words]
    found = held_many(node, addresses, slot_min=0, commitment="confirmed")
    # Lamports that anybody may send ahead make an account of the system's, and no page.
    missing = [word for word, one in zip(words, found, strict=True) if one.owner != owner]
    end = min(missing, default=words.stop)
    return PageView(
        next_nonce=next_nonce,
        nonces_left=max(0, end * NONCES_PER_PAGE - next_nonce),
        missing=tuple(missing),
    )


def make_pages(hand: Hand, *, program: str, maker: str, words: Sequence[int]) -> None:
    """Make pages of a maker's nonces; the hand pays for them."""
    owner, of = account(program, what="settlement"), account(maker, what="the maker")
    payer = hand.key.public
    hand.run_all([[init_page(owner, payer=payer, maker=of, word=word)] for word in words])
