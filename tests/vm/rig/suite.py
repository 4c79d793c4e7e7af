"""Groups of scenarios on machines, one line of output for each."""

import time
import traceback

from rig.machine import MachineError

# What ends a scenario and no other one.
FAILURES = (AssertionError, MachineError, OSError, LookupError, TypeError, ValueError)


class Group:
    """Scenarios that share machines, in the order in which they stand: `test_` methods
    whose documentation's first line is what is printed. A group may need what the
    earlier ones of it did: after a failure the rest runs all the same and tells more.
    """

    name = ""

    def __init__(self, rig):
        self.rig = rig
        self.hosts = []

    def prepare(self):
        """Starts what all scenarios of the group need."""

    def scenarios(self):
        return [getattr(self, name) for name in vars(type(self)) if name.startswith("test_")]


class Report:
    """Prints a line for each scenario and counts."""

    def __init__(self, only=""):
        self._only = only
        self.passed = self.failed = 0

    def run(self, group):
        chosen = [one for one in group.scenarios() if self._only in f"{group.name}: {_title(one)}"]
        if not chosen:
            return
        try:
            group.prepare()
        except FAILURES as error:
            self._fail(f"{group.name}: the machines are prepared", group, error)
            return
        for scenario in chosen:
            self._run_one(group, scenario)

    def _run_one(self, group, scenario):
        title = f"{group.name}: {_title(scenario)}"
        began = time.monotonic()
        try:
            scenario()
        except FAILURES as error:
            self._fail(title, group, error)
        else:
            self.passed += 1
            print(f"ok      {title} ({time.monotonic() - began:.0f} s)", flush=True)

    def _fail(self, title, group, error):
        self.failed += 1
        print(f"FAILED  {title}")
        if isinstance(error, MachineError):
            print(error)
        else:
            traceback.print_exception(error)
        for host in group.hosts:
            try:
                print(host.logs(), flush=True)
            except MachineError as silent:
                print(f"    {host.machine.name}| {silent}", flush=True)

    def closing_line(self):
        return f"{self.passed} passed, {self.failed} failed, 0 skipped\n"


def _title(scenario):
    return scenario.__doc__.splitlines()[0].rstrip(".")


def check(condition, what):
    """An assertion with words."""
    if not condition:
        raise AssertionError(what)


def same(got, wanted, what):
    check(got == wanted, f"{what}: {got!r} instead of {wanted!r}")


def holds(text, words, what):
    """Every one of the words stands in the text."""
    for word in words:
        check(word in text, f"{what} does not tell {word!r}: {text}")
