"""The driver as it is installed in a cluster, and what it says of itself."""

import json
import re

from lib.wait import NotYet, until

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Driver:
    def __init__(self, cluster, inspector, release, namespace, name, pool):
        self.cluster = cluster
        self.inspector = inspector
        self.release = release
        self.namespace = namespace
        self.name = name
        self.pool = pool  # {"name":, "device": "emulated:/DIRECTORY"}

    # Its pods

    def pods(self, component):
        selector = f"app.kubernetes.io/instance={self.release},app.kubernetes.io/component={component}"
        return self.cluster.core.list_namespaced_pod(self.namespace, label_selector=selector).items

    def controller_pod(self):
        """The controller's pod, or None while there is none."""
        found = self.pods("controller")
        return found[0] if found else None

    def node_pod(self, node):
        """The plugin's pod on a node, or None; never one that is being deleted."""
        for pod in self.pods("node"):
            if pod.spec.node_name == node and not pod.metadata.deletion_timestamp:
                return pod
        return None

    def replaced(self, find, old_uid, what):
        """Waits for a pod that is not the one with `old_uid` and is ready."""

        def probe():
            pod = find()
            if pod is None or pod.metadata.uid == old_uid:
                raise NotYet("no new pod")
            if not ready(pod):
                raise NotYet(f"{pod.metadata.name} is not ready: {_containers(pod)}")
            return pod

        return until(f"{what} is there again", probe)

    def replace_node_pods(self, nodes, change):
        """Makes the change; the node pods, which read their configuration once
        and are OnDelete, are replaced one after the other."""
        change()
        for node in nodes:
            old = self.node_pod(node)
            self.cluster.core.delete_namespaced_pod(old.metadata.name, self.namespace)
            self.replaced(lambda node=node: self.node_pod(node), old.metadata.uid, f"the plugin on {node}")
        self.everything_ready()

    def registered_on(self, node):
        """Whether kubelet of the node knows the driver."""
        # Not by the client library: it refuses a CSINode whose list is null.
        found = json.loads(self.cluster.kubectl("get", "csinode", node, "--output=json"))
        return any(driver["name"] == self.name for driver in found["spec"]["drivers"] or [])

    def everything_ready(self):
        """Waits until every pod of the driver is ready and kubelet of every node
        has registered it."""

        def probe():
            pods = self.pods("controller") + self.pods("node")
            waiting = [f"{p.metadata.name}: {_containers(p)}" for p in pods if not ready(p)]
            if waiting or not pods:
                raise NotYet(waiting or "no pods")
            nodes = {p.spec.node_name for p in self.pods("node")}
            missing = [node for node in nodes if not self.registered_on(node)]
            if missing:
                raise NotYet(f"not registered on {missing}")
            return True

        until("the driver is ready and registered", probe)

    # What it says of itself

    def metrics(self, pod, port):
        """All samples of a pod's /metrics: a list of (name, labels, value)."""
        text = self.cluster.kubectl(
            "get", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{pod.metadata.name}:{port}/proxy/metrics"
        )
        samples = []
        for line in text.splitlines():
            found = _SAMPLE.match(line)
            if found:
                labels = dict(_LABEL.findall(found["labels"] or ""))
                samples.append((found["name"], labels, float(found["value"])))
        return samples

    def famfs(self, *arguments):
        """The famfs tool in the controller's container: its JSON answer."""
        pod = self.controller_pod().metadata.name
        command, *rest = arguments
        answer = self.cluster.execute(
            self.namespace, pod, "famfs", command, "--json", self.pool["device"], *rest, container="controller"
        )
        return json.loads(answer)

    def usage(self):
        """How much of the pool is in use: bytes and entries of the log."""
        answer = self.famfs("df")
        return {
            "used": answer["used"],
            "pending": answer["pending"],
            "reserved": answer["reserved"],
            "free": answer["free"],
            "largest": answer["largest"],
            "log entries": answer["log"]["entries"],
            "files": answer["files"],
        }

    def memory_directory(self):
        """The directory of an emulated pool, or None."""
        kind, _, path = self.pool["device"].partition(":")
        return path if kind == "emulated" else None

    def look(self, node):
        return self.inspector.look(node, self.name, self.memory_directory())

    def at_rest(self):
        """Waits until the driver has no volume, nor any trace of one; returns the
        traces of the empty pool."""

        def probe():
            now = self.traces()
            mounts = [at for found in now["mounts"].values() for at, root in found if root != "/"]
            left = [now["volumes"], mounts, *now["staging"].values(), *now["pods"].values(), now["usage"]["files"]]
            if any(left):
                raise NotYet(f"there is {left}")
            return now

        return until("the driver has no volumes", probe)

    def traces(self):
        """All that volumes leave behind, anywhere: the thing to compare before
        and after. What belongs to the pool itself is in it, too."""
        nodes = self.cluster.nodes()
        looks = {node: self.look(node) for node in nodes}
        volumes = self.cluster.core.list_persistent_volume().items
        return {
            "usage": self.usage(),
            "mounts": {node: sorted((m["at"], m["root"]) for m in looks[node]["mounts"]) for node in nodes},
            "staging": {node: looks[node]["staging"] for node in nodes},
            "pods": {node: looks[node]["pods"] for node in nodes},
            "extents": looks[nodes[0]]["memory"],
            "volumes": sorted(v.metadata.name for v in volumes if v.spec.csi and v.spec.csi.driver == self.name),
        }


def ready(pod):
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or [])


def _containers(pod):
    """Why a pod is not ready, in short."""
    told = []
    for status in (pod.status.init_container_statuses or []) + (pod.status.container_statuses or []):
        state = status.state
        if state and state.waiting:
            told.append(f"{status.name}: {state.waiting.reason}: {state.waiting.message}")
        elif state and state.terminated:
            told.append(f"{status.name}: ended with {state.terminated.exit_code}: {state.terminated.message}")
        elif not status.ready:
            told.append(f"{status.name}: not ready")
    return told or pod.status.phase
