"""Recorders: public market data of venues, written as it came."""

from dmm.adapters.recorders.limits import Limits
from dmm.adapters.recorders.recorder import Recorder
from dmm.adapters.recorders.tally import Recorded
from dmm.adapters.recorders.tape_file import TapeFile
from dmm.adapters.recorders.venues import VENUES, venue_of

__all__ = ["VENUES", "Limits", "Recorded", "Recorder", "TapeFile", "venue_of"]
