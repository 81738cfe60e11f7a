"""Polled quotes of many prediction markets in parquet: scale, not a market to replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from dmm.adapters.feeds.files import name_of
from dmm.adapters.feeds.findings import Findings
from dmm.adapters.feeds.parquet import arrow, arrow_batches
from dmm.market.series import Polls

COLUMNS = ("ts", "slug", "bid", "ask")
NS_PER_US = 1_000


def open_polls(path: Path) -> Iterator[Polls]:
    """Yield a file's quotes in pieces of bounded size.

    Raises
    ------
    TapeFault
        If a column is missing or of another kind, or the file is damaged.
    UsageFault
        If it cannot be read.
    """
    compute = arrow().compute
    findings = Findings(allow_gaps=False)
    findings.open_file(name_of(path), unit="row")
    for batch in arrow_batches(path, COLUMNS, findings):
        try:
            times = batch.column("ts").cast("timestamp[us]").cast("int64")
            slugs = compute.dictionary_encode(batch.column("slug"))
            sides = [batch.column(name).cast("float64") for name in ("bid", "ask")]
        except (ValueError, TypeError, NotImplementedError) as error:
            raise findings.fault(f"columns of another kind ({error})") from error
        if times.null_count or slugs.null_count:
            raise findings.fault("rows without a time or a market: fetch the file again")
        bid, ask = (side.to_numpy(zero_copy_only=False) for side in sides)
        yield Polls(
            slugs=tuple(slugs.dictionary.to_pylist()),
            market=slugs.indices.to_numpy(zero_copy_only=False).astype(np.int64),
            at_ns=times.to_numpy(zero_copy_only=False) * NS_PER_US,
            bid=bid,
            ask=ask,
        )
        findings.position += batch.num_rows
