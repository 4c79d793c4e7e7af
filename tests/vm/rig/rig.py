"""What all machines of a run have in common: programs, directory, patience."""

import os
import shutil
import tempfile
from pathlib import Path

from rig import initramfs
from rig.machine import FIRST_START_S, QUIET_START_S, Machine

GIB = 1 << 30
MODULES = ("nfit", "nd_pmem", "dax_pmem", "device_dax")


class Rig:
    """A directory for a run, and how to start a machine in it. A context manager."""

    def __init__(self, parts, binaries, guest):
        self._parts = Path(parts)
        tree = self._parts / "qemu"
        libraries = f"{tree}/usr/lib/x86_64-linux-gnu:{tree}/lib/x86_64-linux-gnu"
        # QEMU with its own loader and libraries: whatever release this machine has.
        self.qemu = [
            *[f"{tree}/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", "--library-path", libraries],
            *[f"{tree}/usr/bin/qemu-system-x86_64", "-M", "pc,nvdimm=on"],
            *["-L", f"{tree}/usr/share/qemu", "-L", f"{tree}/usr/share/seabios", "-L", f"{tree}/usr/lib/ipxe/qemu"],
        ]
        self.kernel = self._parts / "kernel/vmlinuz"
        self._binaries = binaries
        self._guest = Path(guest)
        self._slowest_start_s = None
        self._machines = []
        self.directory = None

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="famfs-vm.", dir=_roomy_directory()))
        self.initramfs = self.directory / "initramfs"
        initramfs.write(
            self.initramfs,
            [
                initramfs.base(self._parts, self._guest),
                initramfs.programs(self._binaries, self._parts.parent),
            ],
        )
        return self

    def __exit__(self, *_):
        self.kill_all()
        shutil.rmtree(self.directory)

    def kill_all(self):
        for machine in self._machines:
            if machine.running:
                machine.kill()
        self._machines = []

    def note_start(self, seconds):
        self._slowest_start_s = max(seconds, self._slowest_start_s or 0)

    def patience(self, seconds):
        """How long to wait for what takes at most `seconds` on a quiet machine, or,
        with None, for a start: this machine is as slow as its starts were."""
        if self._slowest_start_s is None:
            return FIRST_START_S
        slowness = max(1.0, self._slowest_start_s / QUIET_START_S)
        return FIRST_START_S if seconds is None else max(FIRST_START_S / 5, seconds * slowness * 2)

    def memory(self, name, size=5 * GIB):
        """A file that is the memory of machines; sparse."""
        path = self.directory / name
        with open(path, "wb") as file:
            file.truncate(size)
        return path

    def machine(self, name, memory_file, modules=MODULES, label_size=0, **options):
        """A machine with that file as its NVDIMM."""
        size = os.path.getsize(memory_file)
        label = f",label-size={label_size}" if label_size else ""
        memory = [
            *["-object", f"memory-backend-file,id=m1,share=on,mem-path={memory_file},size={size}"],
            *["-device", f"nvdimm,memdev=m1{label}"],
        ]
        made = Machine(self, name, memory, modules, **options)
        self._machines.append(made)
        return made


def _roomy_directory():
    """Memory rather than a disk that would write all of it back, where there is enough."""
    shared = "/dev/shm"
    if os.path.isdir(shared) and shutil.disk_usage(shared).free > 4 * GIB:
        return shared
    return None
