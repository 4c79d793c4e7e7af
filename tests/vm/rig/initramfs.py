"""The guest's root file system: cpio archives, which the kernel unpacks one after the other.

They are not compressed: under emulation unpacking takes longer than loading.
"""

import hashlib
import os
import re
import stat
import subprocess
import tempfile
from pathlib import Path

LIBRARIES = "usr/lib/x86_64-linux-gnu"
DIRECTORIES = ["proc", "sys", "dev", "run", "tmp", "mnt", "root", "etc", "opt/famfs", "usr/bin", "usr/sbin", LIBRARIES]
LINKS = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib/x86_64-linux-gnu",
}


class Archive:
    """A cpio archive in the format newc, the one that the kernel reads."""

    def __init__(self):
        self._parts = []
        self._known = set()
        self._inode = 0

    def _entry(self, name, mode, content=b"", device=(0, 0)):
        self._inode += 1
        path = name.encode() + b"\0"
        fields = [self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(path), 0]
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self._parts += [header, b"\0" * (-len(header) % 4), content, b"\0" * (-len(content) % 4)]

    def directory(self, name):
        for parent in [*reversed(Path(name).parents), Path(name)]:
            if str(parent) != "." and str(parent) not in self._known:
                self._known.add(str(parent))
                self._entry(str(parent), stat.S_IFDIR | 0o755)

    def file(self, name, content, mode=0o644):
        self.directory(str(Path(name).parent))
        self._entry(name, stat.S_IFREG | mode, content)

    def link(self, name, target):
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, major, minor):
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        whole = b"".join(self._parts)
        return whole + b"\0" * (-len(whole) % 512)


def base(parts, guest):
    """Kernel modules, busybox, ndctl and the scripts of the guest."""
    archive = Archive()
    for name in DIRECTORIES:
        archive.directory(name)
    for name, target in LINKS.items():
        archive.link(name, target)
    # The console is there before init can make it.
    archive.node("dev/console", 5, 1)
    for program in (parts / "guest/bin").iterdir():
        archive.file(f"usr/bin/{program.name}", program.read_bytes(), 0o755)
    for library in (parts / "guest/lib").iterdir():
        archive.file(f"{LIBRARIES}/{library.name}", library.read_bytes(), 0o755)
    for script in guest.iterdir():
        place = "init" if script.name == "init" else f"usr/bin/{script.name}"
        archive.file(place, script.read_bytes(), 0o755)
    _modules(archive, parts / "kernel")
    return archive.bytes()


def _modules(archive, kernel):
    """The modules, and the list of who needs whom that modprobe reads."""
    place = f"usr/lib/modules/{(kernel / 'version').read_text().strip()}"
    needs = {}
    for line in (kernel / "modules/needs").read_text().splitlines():
        name, *others = line.split()
        needs[name] = others

    def all_needed(name):
        found = []
        for other in needs.get(name, []):
            found += [other, *all_needed(other)]
        return list(dict.fromkeys(found))

    for name in needs:
        archive.file(f"{place}/{name}.ko", (kernel / f"modules/{name}.ko").read_bytes())
    lines = [f"{name}.ko: {' '.join(f'{other}.ko' for other in all_needed(name))}\n" for name in needs]
    archive.file(f"{place}/modules.dep", "".join(lines).encode())


def programs(binaries, cache):
    """Our programs, stripped, with the libraries of this machine; kept in the cache."""
    digest = hashlib.sha256()
    for binary in binaries:
        digest.update(binary.name.encode() + binary.read_bytes())
    kept = cache / f"programs-{digest.hexdigest()[:16]}.cpio"
    if kept.exists():
        return kept.read_bytes()
    archive = Archive()
    libraries = set()
    with tempfile.TemporaryDirectory() as scratch:
        for binary in binaries:
            stripped = Path(scratch) / binary.name
            subprocess.run(["strip", "-o", stripped, binary], check=True)
            archive.file(f"usr/bin/{binary.name}", stripped.read_bytes(), 0o755)
            libraries |= _libraries(binary)
    for library in sorted(libraries):
        archive.file(f"{LIBRARIES}/{library.name}", library.read_bytes(), 0o755)
    content = archive.bytes()
    for old in cache.glob("programs-*.cpio"):
        old.unlink()
    unfinished = kept.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.rename(kept)
    return content


def _libraries(binary):
    told = subprocess.run(["ldd", binary], check=True, capture_output=True, text=True).stdout
    missing = re.findall(r"(\S+) => not found", told)
    if missing:
        raise RuntimeError(f"{binary} needs {', '.join(missing)}, which this machine has not")
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", told)}


def write(path, archives):
    with open(path, "wb") as file:
        for archive in archives:
            file.write(archive)
