"""A machine as a host of a pool: its dax devices, the driver on it, published volumes."""

import json
import shlex

from rig.machine import MachineError

CONTROLLER = "/run/controller.sock"
NODE = "/run/node.sock"
# One node writes at a time: the data path of dax devices is copy.
MODE = "SINGLE_NODE_MULTI_WRITER"


class Volume:
    """A CSI volume as CreateVolume answered it."""

    def __init__(self, volume_id, context, name):
        self.id = volume_id
        self.context = context
        self.name = name

    @property
    def place(self):
        """Where it is published, on every host."""
        return f"/var/lib/kubelet/pods/{self.name}/mount"


class Host:
    """What is asked of one machine. `device` is how the pool is named, such as tag:UUID."""

    def __init__(self, machine):
        self.machine = machine
        self.device = None

    # The machine's own words, for short.

    def do(self, command, **options):
        return self.machine.do(command, **options)

    def fail(self, command, **options):
        return self.machine.fail(command, **options)

    def famfs(self, words, **options):
        """`famfs WORDS`, in which DEVICE stands for the pool's."""
        return self.do(f"famfs {words}".replace("DEVICE", self.device), **options)

    def famfs_json(self, words, **options):
        return json.loads(self.famfs(f"{words} --json", **options))

    def devices(self):
        """What `famfs devices` tells, as a list."""
        return json.loads(self.do("famfs devices --json"))

    def sum_of(self, path):
        return self.do(f"sha256sum <{path}")

    def node_of(self, tag):
        """The device's node, by what ndctl tells."""
        for namespace in json.loads(self.do("ndctl list -NX")):
            if namespace["uuid"] == tag:
                return f"/dev/{namespace['daxregion']['devices'][0]['chardev']}"
        raise MachineError(f"no namespace of {self.machine.name} has the uuid {tag}")

    def fsck(self):
        return self.famfs("fsck DEVICE")

    # Namespaces.

    def make_namespace(self, *words):
        """A namespace of mode devdax on the first region; ndctl's description of it."""
        self.do("await 60 'ndctl list -R | grep -q region'")
        return json.loads(self.do(f"ndctl create-namespace -m devdax -M mem {' '.join(words)}"))

    def look_again(self):
        """Has the kernel read the memory's own description anew: another host wrote one."""
        self.do("ndctl disable-region all && ndctl enable-region all")

    # The driver.

    def configure(self):
        config = f'pools: [{{name: p, device: "{self.device}"}}]\n'
        self.do(f"mkdir -p /var/lib/kubelet && printf %s {shlex.quote(config)} >/run/config.yaml")

    def start_controller(self):
        self.configure()
        self._start("controller", f"famfs-csi-controller --endpoint unix://{CONTROLLER} --reclaim-interval 1s")

    def start_node(self):
        self.configure()
        self._start("node", f"famfs-csi-node --endpoint unix://{NODE} --kubelet-path /var/lib/kubelet")

    def _start(self, name, program):
        self.do(f"{program} --config /run/config.yaml >>/run/{name}.log 2>&1 & echo $! >/run/{name}.pid")
        try:
            self.do(f"famfs-csi-call --timeout 60 unix:///run/{name}.sock Probe", seconds=90)
        except MachineError as error:
            raise MachineError(f"{error}\n{self.log(name)}") from None

    def stop(self, name):
        """Ends `controller` or `node` and waits until it is gone."""
        self.do(f"kill $(cat /run/{name}.pid) && await 60 '! kill -0 $(cat /run/{name}.pid)'")

    def log(self, name):
        return self.machine.run(f"tail -n 25 /run/{name}.log").text

    def logs(self):
        """The ends of all logs, for a failure."""
        if not self.machine.running:
            return self.machine.last_words()
        told = self.machine.run(
            'for log in /run/*.log; do echo "== $log"; tail -n 12 $log; done; dmesg | tail -n 8; ps | grep famfs'
        ).text
        return "\n".join(f"    {self.machine.name}| {line}" for line in told.splitlines())

    # Calls.

    def call(self, socket, method, request):
        words = f"famfs-csi-call unix://{socket} {method} {shlex.quote(json.dumps(request))}"
        return json.loads(self.do(words, seconds=90) or "{}")

    def create(self, name, size, layout):
        request = {
            "name": name,
            "capacityRange": {"requiredBytes": str(size)},
            "volumeCapabilities": [_capability()],
            "parameters": {"layout": layout},
        }
        answer = self.call(CONTROLLER, "CreateVolume", request)["volume"]
        return Volume(answer["volumeId"], answer.get("volumeContext", {}), name)

    def delete(self, volume):
        self.call(CONTROLLER, "DeleteVolume", {"volumeId": volume.id})

    def publish(self, volume, readonly=False):
        """Where the volume's files are from now on."""
        staging = f"/var/lib/kubelet/staging/{volume.name}"
        self.do(f"mkdir -p {staging} $(dirname {volume.place})")
        request = {
            "volumeId": volume.id,
            "volumeContext": volume.context,
            "stagingTargetPath": staging,
            "volumeCapability": _capability(),
        }
        self.call(NODE, "NodeStageVolume", request)
        self.call(NODE, "NodePublishVolume", {**request, "targetPath": volume.place, "readonly": readonly})
        return volume.place

    def unpublish(self, volume):
        self.call(NODE, "NodeUnpublishVolume", {"volumeId": volume.id, "targetPath": volume.place})
        staging = f"/var/lib/kubelet/staging/{volume.name}"
        self.call(NODE, "NodeUnstageVolume", {"volumeId": volume.id, "stagingTargetPath": staging})


def _capability():
    return {"mount": {}, "accessMode": {"mode": MODE}}
