"""Two hosts, A and B, with one memory; a group's ground."""

import shlex

from rig.host import Host
from rig.rig import MODULES
from rig.suite import Group

MIB = 1 << 20


class Pair(Group):
    """A makes the namespace, the instance and runs the controller; both run the node
    plugin. On B another dax device comes first, so that the memory has another name there.
    """

    def prepare(self):
        memory = self.rig.memory(f"{self.name}.memory")
        self.a = Host(self.rig.machine(f"{self.name}-a", memory))
        self.b = Host(
            self.rig.machine(
                f"{self.name}-b", memory, ("nd_e820", *MODULES), size="1536M", kernel_words=["memmap=256M!1G"]
            )
        )
        self.hosts = [self.a, self.b]
        for host in self.hosts:
            host.machine.start()
        for host in self.hosts:
            host.machine.wait_ready()
        self.tag = self.a.make_namespace("-f", "-e", "namespace0.0")["uuid"]
        self.b.make_namespace("-f", "-e", "namespace0.0")
        self.b.look_again()
        self.b.do("await 60 'test -e /dev/dax1.0'")
        for host in self.hosts:
            host.device = f"tag:{self.tag}"

    def start_pool(self):
        """The instance, its controller on A, the node plugins on both."""
        self.a.famfs("mkfs DEVICE --force")
        self.a.start_controller()
        for host in self.hosts:
            host.start_node()


def fill(host, path, mebibytes, seed_text):
    """Bytes of a stream of their own in a file; their sha256."""
    blocks = f"i=0; while [ $i -lt {mebibytes} ]; do echo {shlex.quote(seed_text)} $i; i=$((i + 1)); done"
    host.do(f'({blocks}) >/tmp/seed; yes "$(sha256sum </tmp/seed)" | head -c {mebibytes * MIB} >/tmp/filling')
    host.do(f"dd if=/tmp/filling of={path} bs=1M conv=notrunc,fsync")
    return host.do("sha256sum </tmp/filling")
