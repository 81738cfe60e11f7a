"""The tree of faults. The type, never the text, decides what happens next.

::

    Fault                     every fault of ours; its text is one line: what, which value, cure
    ├── InvariantBroken       stop: a law of money or state does not hold
    ├── Retryable             nothing was sent; the same call may succeed later
    │   └── JournalStalled    what waits for the journal has reached its bound
    ├── OutcomeUnknown        something may have been sent; look it up before anything else
    └── Permanent             the same call will never succeed
        ├── UsageFault        the caller asked for something that cannot be (exit code 2)
        ├── TapeFault         a recording's content is unusable
        └── ServiceFault      a service the desk needs is not there or not what it should be

An expected "no" is not a fault: it is a value.
"""

from __future__ import annotations


class Fault(Exception):
    """Base of every fault; the message is one line with cause and cure."""


class InvariantBroken(Fault):
    """A law of money or state does not hold; nothing may go on."""


class Retryable(Fault):
    """Nothing was sent; the same call may succeed later."""


class JournalStalled(Retryable):
    """What waits for the journal has reached its bound: nothing new may be decided meanwhile."""


class OutcomeUnknown(Fault):
    """Something may have been sent; only a look at the other side tells."""


class Permanent(Fault):
    """The same call will never succeed."""


class UsageFault(Permanent):
    """The caller asked for something that cannot be: a missing file, a bad option."""


class TapeFault(Permanent):
    """A recording's content is unusable; the message names file and position."""


class ServiceFault(Permanent):
    """A service the desk needs is not there, or not what it should be."""
