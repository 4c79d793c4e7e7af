"""Waiting for something to be so, with a deadline and never by the clock alone."""

import time

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
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds:.0f} s still not so: {what}; seen last: {seen}")
        time.sleep(PAUSE)


def always(what, probe, seconds):
    """Fails as soon as `probe` returns something false within the time.

    For what must *not* happen, where there is no event to wait for.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = probe()
        assert seen, f"no longer so: {what}; seen: {seen}"
        time.sleep(PAUSE)
