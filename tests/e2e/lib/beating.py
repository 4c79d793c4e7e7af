"""A pod whose process holds on to a mapping and tells what it can still do."""

import json

from lib.objects import DATA
from lib.wait import NotYet, until

# Stores a number through its mapping, again and again, and in each turn tries
# what a process may want of a volume. /tmp/told has, for each, how often it came
# out how: {"store": {"ok": 71}, "open": {"ok": 40, "ENOTCONN": 31}}.
_PROGRAM = """
import errno, json, mmap, os, sys, time
path, slot = sys.argv[1], int(sys.argv[2]) * 64
writable = os.open(path, os.O_RDWR)
readable = os.open(path, os.O_RDONLY)
memory = mmap.mmap(writable, 1 << 20)
told, number = {}, 0

def store():
    memory[slot:slot + 8] = number.to_bytes(8, 'little')
    assert memory[slot:slot + 8] == number.to_bytes(8, 'little')

def fault():
    with mmap.mmap(readable, 1 << 20, prot=mmap.PROT_READ) as fresh:
        assert fresh[slot:slot + 8] == number.to_bytes(8, 'little')

def read():
    assert os.pread(readable, 8, slot) == number.to_bytes(8, 'little')

def reopen():
    os.close(os.open(path, os.O_RDONLY))

while True:
    number += 1
    for name, act in ('store', store), ('map an open file', fault), ('read an open file', read), ('open', reopen):
        try:
            act()
            outcome = 'ok'
        except OSError as error:
            outcome = errno.errorcode[error.errno]
        told.setdefault(name, {}).setdefault(outcome, 0)
        told[name][outcome] += 1
    with open('/tmp/told.new', 'w') as file:
        json.dump(told, file)
    os.rename('/tmp/told.new', '/tmp/told')
    time.sleep(0.02)
"""

_SEE = """
import mmap, os, sys
slot = int(sys.argv[2]) * 64
memory = mmap.mmap(os.open(sys.argv[1], os.O_RDONLY), 4096, prot=mmap.PROT_READ)
print(int.from_bytes(memory[slot:slot + 8], 'little'))
"""


class BeatingPod:
    """`number` (1 to 63) is its place in the file: several can share a claim."""

    def __init__(self, workspace, name, claim, number, **options):
        self.workspace = workspace
        self.name = name
        self.number = number
        command = ("python3", "-c", _PROGRAM, DATA, str(number))
        workspace.pod(name, claim, command=command, **options)
        until(f"pod {name} beats", self._told_or_not_yet)

    def _told_or_not_yet(self):
        told = self.workspace.run(self.name, "sh", "-c", "cat /tmp/told 2>/dev/null || true")
        if not told:
            raise NotYet("nothing told")
        return json.loads(told)

    def told(self):
        """How often each thing came out how since the pod began."""
        return json.loads(self.workspace.run(self.name, "cat", "/tmp/told"))

    def since(self, before):
        """Waits for two turns after `before` (a told()) and returns what came
        out since: {"open": {"ENOTCONN": 2}}."""

        def probe():
            now = self.told()
            fresh = {
                what: {how: n - before[what].get(how, 0) for how, n in outcomes.items()}
                for what, outcomes in now.items()
            }
            fresh = {what: {how: n for how, n in outcomes.items() if n} for what, outcomes in fresh.items()}
            if any(sum(outcomes.values()) < 3 for outcomes in fresh.values()):
                raise NotYet(fresh)
            return fresh

        return until(f"pod {self.name} goes on beating", probe)

    def seen_from(self, pod):
        """The number that another pod of the claim sees through its mapping."""
        return int(self.workspace.run(pod, "python3", "-c", _SEE, DATA, str(self.number)))

    def is_seen_to_beat_from(self, pod):
        first = self.seen_from(pod)
        until(f"{pod} sees {self.name} go on", lambda: self.seen_from(pod) > first)
