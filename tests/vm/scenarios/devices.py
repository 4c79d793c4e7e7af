"""Alignments and modes of one host's devices."""

import json

from rig.host import Host
from rig.rig import GIB, MODULES
from rig.suite import Group, check, holds, same

MIB = 1 << 20
LABELS = 16 * MIB


class Devices(Group):
    """One host whose memory has labels: namespaces of several alignments."""

    name = "devices"

    def prepare(self):
        memory = self.rig.memory(f"{self.name}.memory", 16 * GIB + LABELS)
        self.host = Host(self.rig.machine(f"{self.name}-a", memory, (*MODULES, "kmem"), label_size=LABELS))
        self.hosts = [self.host]
        self.host.machine.start().wait_ready()
        self.host.do("await 60 'ndctl list -R | grep -q region'")
        self.host.do("ndctl disable-region all && ndctl init-labels -f nmem0 && ndctl enable-region all")

    def _namespace(self, *words):
        """A namespace, which becomes the host's pool; its description by ndctl."""
        made = json.loads(self.host.do(f"ndctl create-namespace -m devdax -M mem {' '.join(words)}"))
        made["path"] = self.host.node_of(made["uuid"])
        self.host.do(f"await 60 'test -e {made['path']}'")
        self.host.device = f"tag:{made['uuid']}"
        return made

    def _round_trip(self):
        """mkfs, creat, cp in, cp out, fsck on the device."""
        host = self.host
        host.famfs("mkfs DEVICE --force")
        host.famfs("creat DEVICE :seeded --size 3M --seed 7")
        host.famfs("verify DEVICE :seeded --seed 7")
        host.do("head -c 2500001 /dev/urandom >/tmp/in; rm -f /tmp/out")
        host.famfs("cp DEVICE /tmp/in :odd")
        host.famfs("cp DEVICE :odd /tmp/out")
        same(host.sum_of("/tmp/out"), host.sum_of("/tmp/in"), "the copy")
        host.famfs("mount DEVICE /mnt --log-file /run/mount.log")
        same(host.sum_of("/mnt/odd"), host.sum_of("/tmp/in"), "the file in the mount")
        host.do("famfs umount /mnt")
        host.fsck()

    def _with_align(self, align, words, faults):
        made = self._namespace(f"-a {words}", "-s 6G", f"-n align-{words}")
        try:
            same(made["align"], align, "the alignment")
            self._round_trip()
            size, step = (GIB, 2 * MIB) if align == GIB else (64 * MIB, 4096)
            counted = int(self.host.do(f"vm_probe {made['path']} {size} {step}"))
            check(faults <= counted <= faults + 8, f"{counted} faults instead of {faults}")
            print(f"        {counted} minor faults")
        finally:
            self.host.do(f"ndctl destroy-namespace -f {made['dev']}")

    def test_align_4k(self):
        """A device of alignment 4 KiB: files in and out, 16384 faults for 64 MiB"""
        self._with_align(4096, "4K", 16384)

    def test_align_2m(self):
        """A device of alignment 2 MiB: files in and out, 32 faults for 64 MiB"""
        self._with_align(2 * MIB, "2M", 32)

    def test_align_1g(self):
        """A device of alignment 1 GiB: files in and out, one fault for 1 GiB"""
        self._with_align(GIB, "1G", 1)

    def test_two_namespaces(self):
        """Two namespaces of one region are two devices with tags of their own"""
        namespaces = [self._namespace("-s 5G", f"-n {name}") for name in ("one", "two")]
        for number, made in enumerate(namespaces):
            self.host.device = f"tag:{made['uuid']}"
            self.host.famfs("mkfs DEVICE --force")
            self.host.famfs(f"creat DEVICE file-{number} --size 2M --seed 1")
        for number, made in enumerate(namespaces):
            for device in (f"tag:{made['uuid']}", f"devdax:{made['path']}"):
                same(self.host.do(f"famfs ls {device}"), f"file-{number}", f"famfs ls {device}")
        for made in namespaces:
            self.host.do(f"ndctl destroy-namespace -f {made['dev']}")

    def test_modes(self):
        """A device of another mode is refused with what to do"""
        made = self._namespace("-s 5G", "-n modes")
        node = made["path"]
        name = node.rpartition("/")[2]
        drivers = "/sys/bus/dax/drivers"
        self.host.famfs("mkfs DEVICE --force")
        self.host.do(f"echo {name} >{drivers}/device_dax/unbind")
        for device in (self.host.device, f"devdax:{node}"):
            holds(self.host.fail(f"famfs df {device}"), [name, "driver"], f"without a driver, df {device}")
        self.host.do(f"modprobe kmem; echo {name} >{drivers}/kmem/new_id")
        for device in (self.host.device, f"devdax:{node}"):
            holds(self.host.fail(f"famfs df {device}"), [name, "daxctl"], f"in mode kmem, df {device}")
        self.host.do(f"echo {name} >{drivers}/kmem/unbind; modprobe fsdev_dax; echo {name} >{drivers}/fsdev_dax/new_id")
        for device in (self.host.device, f"devdax:{node}"):
            told = self.host.fail(f"famfs df {device}")
            holds(told, [name, "fsdev mode"], f"in mode fsdev, df {device}")
        # What it says is to be run is enough.
        self.host.do(told.rpartition("as root: ")[2])
        self.host.famfs("df DEVICE")
        self.host.do(f"ndctl destroy-namespace -f {made['dev']}")

    def test_listed(self):
        """famfs devices tells each device's tag, size, alignment and mode"""
        made = self._namespace("-s 5G", "-n listed")
        (told,) = [one for one in self.host.devices() if one["path"] == made["path"]]
        for key, wanted in (("tag", made["uuid"]), ("align", 2 * MIB), ("size", made["size"]), ("mode", "devdax")):
            same(told[key], wanted, key)
        self.host.do(f"ndctl destroy-namespace -f {made['dev']}")

    def test_not_there(self):
        """Devices that are not there are refused with which there are"""
        absent = "11111111-2222-3333-4444-555555555555"
        holds(self.host.fail(f"famfs df tag:{absent}"), [absent], "df")
        holds(self.host.fail("famfs df devdax:/dev/dax9.9"), ["/dev/dax9.9"], "df")
        holds(self.host.fail("famfs df devdax:/dev/null"), ["/dev/null"], "df")
