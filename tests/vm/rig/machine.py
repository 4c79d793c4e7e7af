"""One virtual machine: started, told what to do, killed."""

import base64
import contextlib
import itertools
import socket
import subprocess
import threading
import time
import uuid
from pathlib import Path

# How long a first start may take; machines that share two cores with a build
# took 45 s.
FIRST_START_S = 300
QUIET_START_S = 8
COMMAND_S = 60


class MachineError(Exception):
    """A machine, or a command in it, did not do what was asked."""


class Result:
    """What a command in a machine ended with."""

    def __init__(self, status, output):
        self.status = status
        self.output = output

    @property
    def text(self):
        return self.output.decode(errors="replace").strip()


class Task:
    """A command that runs in a machine."""

    def __init__(self, machine, command):
        self.command = command
        self.result = None
        self._machine = machine

    def wait(self, seconds=COMMAND_S):
        """Its result. `seconds` are those of a quiet machine."""
        self._machine.wait_for(lambda: self.result, seconds, f"the end of: {self.command}")
        return self.result


class Machine:
    """A virtual machine; started once.

    Not for several threads. `memory` are QEMU's options for the memory that it
    shares, `modules` what the guest loads at its start.
    """

    def __init__(self, rig, name, memory, modules, size="1G", kernel_words=()):
        self.name = name
        self.host_uuid = str(uuid.uuid4())
        self._rig = rig
        self._memory = memory
        self._modules = modules
        self._size = size
        self._kernel_words = kernel_words
        self._place = Path(rig.directory) / name
        self._place.mkdir()
        self._changed = threading.Condition()
        self._tasks = {}
        self._ids = itertools.count(1)
        self._process = None
        self._port = None
        self._ready = False
        self._began = None

    # Starting and ending.

    def start(self):
        """Starts QEMU; `wait_ready` waits until the guest can be told something."""
        self._began = time.monotonic()
        with open(self._place / "qemu.log", "ab") as log:
            self._process = subprocess.Popen(
                # A machine does not outlive the tests, however they end.
                ["setpriv", "--pdeathsig", "KILL", *self._command_line()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._port = self._connect()
        threading.Thread(target=self._listen, args=(self._port,), daemon=True).start()
        return self

    def _command_line(self):
        words = [
            "console=ttyS0 quiet loglevel=4 panic=-1 rdinit=/init mitigations=off audit=0 nowatchdog",
            f"vm.name={self.name} vm.uuid={self.host_uuid} vm.modules={','.join(self._modules)}",
            *self._kernel_words,
        ]
        return [
            *self._rig.qemu,
            *["-nodefaults", "-nographic", "-no-reboot", "-accel", "tcg,thread=multi", "-cpu", "max"],
            *["-smp", "1", "-m", f"{self._size},slots=4,maxmem=64G"],
            *["-kernel", self._rig.kernel, "-initrd", self._rig.initramfs, "-append", " ".join(words)],
            *["-serial", f"file:{self.console}"],
            *["-chardev", f"socket,id=port,path={self._place}/port,server=on,wait=off"],
            *["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=port,name=agent"],
            *self._memory,
        ]

    @property
    def console(self):
        return self._place / "console"

    def wait_ready(self):
        try:
            self.wait_for(lambda: self._ready, None, "its start")
        except MachineError as error:
            raise MachineError(f"{error}\n{self.last_words()}") from None
        self._rig.note_start(time.monotonic() - self._began)
        return self

    def kill(self):
        """As when the power fails; its memory stays."""
        self._process.kill()
        self._process.wait()
        self._port.close()

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def last_words(self):
        """The ends of what the kernel and QEMU printed."""
        words = []
        for log in (self.console, self._place / "qemu.log"):
            with contextlib.suppress(FileNotFoundError):
                words += log.read_text(errors="replace").splitlines()[-15:]
        return "\n".join(f"    {self.name}| {line}" for line in words)

    # Commands.

    def begin(self, command):
        task = Task(self, command)
        number = next(self._ids)
        with self._changed:
            self._tasks[number] = task
        line = f"{number} {base64.b64encode(command.encode()).decode()}\n"
        try:
            self._port.sendall(line.encode())
        except OSError as error:
            raise MachineError(f"{self.name} cannot be told to run {command}: {error}") from None
        return task

    def run(self, command, seconds=COMMAND_S):
        """Runs a line of shell and returns its result, whatever that is."""
        return self.begin(command).wait(seconds)

    def do(self, command, seconds=COMMAND_S):
        """Runs a line of shell that has to succeed; its output as text."""
        result = self.run(command, seconds)
        if result.status != 0:
            raise MachineError(f"on {self.name}, status {result.status} of: {command}\n{result.text}")
        return result.text

    def fail(self, command, seconds=COMMAND_S):
        """Runs a line of shell that has to fail, by itself and not by a signal; its words."""
        result = self.run(command, seconds)
        if result.status == 0 or result.status >= 126:
            raise MachineError(f"on {self.name}, status {result.status}, not a refusal, of: {command}\n{result.text}")
        return result.text

    # What comes from the guest.

    def wait_for(self, condition, seconds, what):
        limit = self._rig.patience(seconds)
        deadline = time.monotonic() + limit
        with self._changed:
            while not (got := condition()):
                if not self.running:
                    raise MachineError(f"{self.name} ended (status {self._process.poll()}) before {what}")
                if time.monotonic() > deadline:
                    raise MachineError(f"{self.name}: not within {limit:.0f} s: {what}")
                self._changed.wait(0.2)
        return got

    def _listen(self, port):
        with contextlib.suppress(OSError, ValueError), port.makefile("rb") as lines:
            for line in lines:
                with self._changed:
                    self._take(line.decode(errors="replace").rstrip("\n").split(" ", 2))
                    self._changed.notify_all()

    def _take(self, words):
        if words[0] == "ready":
            self._ready = True
        elif words[0].isdigit() and int(words[0]) in self._tasks:
            self._tasks[int(words[0])].result = Result(int(words[1]), base64.b64decode(words[2]))

    def _connect(self):
        deadline = time.monotonic() + FIRST_START_S
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self._place / "port"))
                return connection
            except OSError as error:
                connection.close()
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise MachineError(f"{self.name}: no QEMU ({error})\n{self.last_words()}") from None
                select_wait(0.05)


def select_wait(seconds):
    """Lets a moment pass between two looks at something that tells nobody."""
    threading.Event().wait(seconds)
