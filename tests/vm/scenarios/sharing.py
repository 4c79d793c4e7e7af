"""One pool, two kernels: what one host writes the other one reads."""

from rig.suite import same

from scenarios.pair import MIB, Pair, fill


class Sharing(Pair):
    """What A makes is on B, and back."""

    name = "sharing"

    def test_names(self):
        """One tag, another name of the device on each host"""
        nodes = tuple(host.node_of(self.tag) for host in self.hosts)
        same(nodes, ("/dev/dax0.0", "/dev/dax1.0"), "the names")

    def test_instance(self):
        """An instance that A makes is found by B by its tag"""
        self.start_pool()
        for host in self.hosts:
            host.fsck()
        told = self.b.famfs_json("df DEVICE")
        same(told, self.a.famfs_json("df DEVICE"), "what famfs df tells on B")
        same([one["device"] for one in told["devices"]], [self.b.device], "the devices")

    def test_tool_files(self):
        """A file that famfs makes with a seed on A is verified on B"""
        self.a.stop("controller")
        self.a.famfs("creat DEVICE :seeded --size 5M --seed 42")
        self.a.do("head -c 3000001 /dev/urandom >/tmp/odd")
        self.a.famfs("cp DEVICE /tmp/odd :odd")
        self.b.famfs("verify DEVICE :seeded --seed 42")
        self.b.famfs("cp DEVICE :odd /tmp/odd")
        same(self.b.sum_of("/tmp/odd"), self.a.sum_of("/tmp/odd"), "the copy")
        self.a.start_controller()

    def test_file_volume(self):
        """Bytes of a volume of layout file, from A to B and back"""
        volume = self.a.create("file-volume", 8 * MIB, "file")
        for writer, reader in ((self.a, self.b), (self.b, self.a)):
            path = f"{writer.publish(volume)}/data"
            wanted = fill(writer, path, 8, f"written on {writer.machine.name}")
            writer.unpublish(volume)
            same(reader.sum_of(f"{reader.publish(volume, readonly=True)}/data"), wanted, "the bytes")
            reader.unpublish(volume)
        self.a.delete(volume)

    def test_tree_volume(self):
        """Files that B makes in a tree volume, asking A through the memory, are on A"""
        volume = self.a.create("tree-volume", 64 * MIB, "tree")
        on_a, on_b = self.a.publish(volume, readonly=True), self.b.publish(volume)
        self.b.do(f"cd {on_b} && mkdir -p deep/er && echo first >deep/er/first && touch moved && mv moved deep/second")
        self.b.do(f"cd {on_b} && ln -s deep/er/first link && echo gone >gone && rm gone")
        wanted = fill(self.b, f"{on_b}/bytes", 3, "made on B")
        same(
            self.a.do(f"cd {on_a} && find . | sort | tr '\\n' ' '"),
            ". ./bytes ./deep ./deep/er ./deep/er/first ./deep/second ./link",
            "the names on A",
        )
        same(self.a.do(f"cat {on_a}/link"), "first", "the file behind the link")
        same(self.a.sum_of(f"{on_a}/bytes"), wanted, "the bytes")
        # And back: A writes, B has the volume read-only.
        for host in self.hosts:
            host.unpublish(volume)
        on_a, on_b = self.a.publish(volume), self.b.publish(volume, readonly=True)
        wanted = fill(self.a, f"{on_a}/back", 3, "made on A")
        same(self.b.sum_of(f"{on_b}/back"), wanted, "the bytes on B")
        for host in self.hosts:
            host.unpublish(volume)
        self.a.delete(volume)
