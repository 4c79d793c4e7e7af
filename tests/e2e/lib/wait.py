"""Waiting for something to be so, with a deadline and never by the clock alone."""

import time

from kubernetes.client.exceptions import ApiException

# What an API server says that has too much to do: 504 also of what it may have done.
OVERLOADED = (429, 500, 503, 504)

# Long enough for a machine that is ten times slower than the one at hand: a
# deadline that is met shows that something is wrong, not that it is slow.
PATIENCE = 180.0
PAUSE = 0.2


class NotYet(Exception):
    """Raised by a probe: what stands in the way, for the report."""


def until(what, probe, seconds=PATIENCE):
    """Calls `probe` until it returns something true, and returns that.

    A probe may raise NotYet or AssertionError to say what it saw. Past the
    deadline this fails with what was waited for and what was seen last.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = probe()
            if seen:
                return seen
        except (NotYet, AssertionError) as refusal:
            seen = refusal
        except ApiException as error:
            if error.status not in OVERLOADED:
                raise
            seen = error
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still not so: {what}; seen last: {seen}")
        time.sleep(PAUSE)


def until_lasting(what, probe, lasting, seconds=PATIENCE):
    """Waits until `probe` has been true for `lasting` seconds on end: for what
    may flap once, and must not flap for ever."""
    since = None

    def unbroken():
        nonlocal since
        try:
            seen = probe()
        except (NotYet, AssertionError):
            since = None
            raise
        if not seen:
            since = None
            raise NotYet(f"broken by {seen}")
        since = since or time.monotonic()
        return time.monotonic() - since >= lasting

    until(f"{what}, for {lasting} s on end", unbroken, seconds)
