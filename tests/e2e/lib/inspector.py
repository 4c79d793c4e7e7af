"""A look at the nodes themselves, on any cluster: a privileged pod on each."""

import json

from lib.cluster import CommandFailed
from lib.objects import WORKLOAD_IMAGE
from lib.wait import NotYet, until

NAMESPACE = "famfs-e2e-inspector"
NAME = "inspector"

# Runs in the pod. /proc is the node's (hostPID), /proc/1/root its file system.
_LOOK = """
import json, os, sys
driver, memory = sys.argv[1:]
root = '/proc/1/root'
mounts = []
for line in open('/proc/1/mountinfo'):
    before, after = line.split(' - ')
    kind = after.split()[0]
    if kind == 'fuse.famfs':
        fields = before.split()
        mounts.append({'at': fields[4], 'root': fields[3], 'options': fields[5]})
def below(path, depth):
    found = []
    base = root + path
    for here, directories, files in os.walk(base):
        relative = os.path.relpath(here, base)
        level = 0 if relative == '.' else relative.count('/') + 1
        if level >= depth:
            directories[:] = []
        found += [os.path.normpath(os.path.join(path, relative, f)) for f in directories + files]
    return sorted(found)
staging = below('/var/lib/kubelet/plugins/kubernetes.io/csi/' + driver, 2)
pods = []
for uid in os.listdir(root + '/var/lib/kubelet/pods'):
    volumes = '/var/lib/kubelet/pods/' + uid + '/volumes/kubernetes.io~csi'
    for name in os.listdir(root + volumes) if os.path.isdir(root + volumes) else []:
        try:
            data = json.load(open(root + volumes + '/' + name + '/vol_data.json'))
            ours = data.get('driverName') == driver
        except OSError:
            ours = True  # a directory without its record is what is looked for
        if ours:
            pods.append(volumes + '/' + name)
extents = below(memory, 4) if memory else []
print(json.dumps({'mounts': mounts, 'staging': staging, 'pods': sorted(pods), 'memory': extents}))
"""

# Ends processes of one pod as nothing but a crash would: without a word. All
# are named before the first is killed: the end of a container's first process
# takes the others along, and who is gone has no name any more.
_KILL = """
import os, signal, sys
uid, program = sys.argv[1:]
found = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        group = open('/proc/' + pid + '/cgroup').read()
        name = open('/proc/' + pid + '/cmdline').read().split(chr(0))[0]
    except OSError:
        continue
    if (uid in group or uid.replace('-', '_') in group) and name and program in ('', os.path.basename(name)):
        found.append((int(pid), os.path.basename(name)))
for pid, name in found:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
print(' '.join(sorted(name for pid, name in found)))
"""


class Inspector:
    def __init__(self, cluster):
        self.cluster = cluster

    def install(self):
        self.cluster.apply(*_manifests())
        self._pods = until("an inspector runs on every node", self._ready)

    def _ready(self):
        found = self.cluster.core.list_namespaced_pod(NAMESPACE).items
        pods = {p.spec.node_name: p.metadata.name for p in found if p.status.phase == "Running"}
        missing = set(self.cluster.nodes()) - set(pods)
        if missing:
            raise NotYet(f"not on {sorted(missing)}")
        return pods

    def execute(self, node, *command, **options):
        """Runs a command in the inspector of a node."""
        return self.cluster.execute(NAMESPACE, self._pods[node], *command, **options)

    def on_node(self, node, *command, **options):
        """Runs a program of the node itself, in the node's namespaces."""
        enter = ("nsenter", "--target", "1", "--mount", "--uts", "--ipc", "--net", "--pid", "--")
        return self.execute(node, *enter, *command, **options)

    def look(self, node, driver, memory=None):
        """What of a driver is on a node: its mounts (at, root, options), the
        directories of staged and published volumes, and the files below the
        directory `memory`."""
        return json.loads(self.execute(node, "python3", "-c", _LOOK, driver, memory or ""))

    def kill(self, pod, program=""):
        """SIGKILL to a pod's processes, or only to those of one program; returns
        the names of what was killed."""
        return self.execute(pod.spec.node_name, "python3", "-c", _KILL, pod.metadata.uid, program).split()

    def answers(self, node):
        """Whether commands can be run on the node."""
        try:
            return self.execute(node, "true") == ""
        except CommandFailed as error:
            raise NotYet(str(error)) from error


def _manifests():
    labels = {"app": NAME}
    container = {
        "name": "main",
        "image": WORKLOAD_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "securityContext": {"privileged": True},
    }
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "hostPID": True,
            "terminationGracePeriodSeconds": 0,
            "tolerations": [{"operator": "Exists"}],
            "containers": [container],
        },
    }
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    yield {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }
