"""Must show 4: what dies comes back, and what pods have mapped never notices."""

import subprocess
from pathlib import Path

import pytest

from lib.beating import BeatingPod
from lib.objects import DATA
from lib.wait import NotYet, until, until_lasting

HERE = Path(__file__).parent


def kill_controller_process(driver):
    pod = driver.controller_pod()
    assert driver.inspector.kill(pod, "famfs-csi-controller") == ["famfs-csi-controller"]


def delete_controller_pod(driver):
    pod = driver.controller_pod()
    driver.cluster.core.delete_namespaced_pod(pod.metadata.name, driver.namespace)


@pytest.mark.parametrize("end", [kill_controller_process, delete_controller_pod], ids=lambda end: end.__name__)
def test_controller_dies_while_it_provisions(workspace, three_nodes, driver, end):
    """Every claim gets one volume, and the driver has no more volumes than that."""
    driver.at_rest()
    names = [f"claim-{number:02}" for number in range(40)]
    for number, name in enumerate(names):
        workspace.claim(name, bound=False, size="8Mi")
        if number == len(names) // 2:
            workspace.bound(names[0])
            end(driver)
    for name in names:
        workspace.bound(name)
    volumes = [driver.cluster.core.read_persistent_volume(name) for name in workspace.volumes()]
    assert len({volume.spec.csi.volume_handle for volume in volumes}) == len(names)
    assert driver.usage()["files"] == len(names), "the pool has volumes that no claim has"
    workspace.pod("uses-one", names[-1], node=three_nodes[0])
    workspace.run("uses-one", "famfs-demo-pod", "write", DATA)
    workspace.empty()
    driver.at_rest()


# How a node plugin's pod ends: what is done to it, and whether the same pod comes
# back with new containers or another one takes its place.


def all_its_processes_are_killed(driver, pod):
    killed = driver.inspector.kill(pod)
    assert {"famfs-csi-node", "famfs-fused", "famfs-fused-spawner"} <= set(killed), killed


def it_is_deleted(driver, pod):
    driver.cluster.core.delete_namespaced_pod(pod.metadata.name, driver.namespace)


def it_is_deleted_by_force(driver, pod):
    driver.cluster.core.delete_namespaced_pod(pod.metadata.name, driver.namespace, grace_period_seconds=0)


def only_the_plugin_is_killed(driver, pod):
    assert driver.inspector.kill(pod, "famfs-csi-node") == ["famfs-csi-node"]


def restarts(pod):
    return sum(status.restart_count for status in pod.status.container_statuses or [])


def comes_back(driver, old):
    """Waits until the node has a ready plugin that is not the one of before."""
    node = old.spec.node_name

    def probe():
        pod = driver.node_pod(node)
        if pod is None or (pod.metadata.uid, restarts(pod)) == (old.metadata.uid, restarts(old)):
            raise NotYet("the plugin is still the old one")
        return True

    until(f"another plugin runs on {node}", probe)
    driver.everything_ready()


ENDS = [all_its_processes_are_killed, it_is_deleted, it_is_deleted_by_force]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_node_plugin_dies_while_pods_map(workspace, three_nodes, driver, end):
    elsewhere, here = three_nodes[0], three_nodes[1]
    workspace.claim("shared")
    plain = BeatingPod(workspace, "plain", "shared", 1, node=here)
    following = BeatingPod(workspace, "following", "shared", 2, node=here, propagation="HostToContainer")
    workspace.pod("elsewhere", "shared", node=elsewhere)
    before = {pod: pod.told() for pod in (plain, following)}
    old = driver.node_pod(here)

    end(driver, old)
    for pod in (plain, following):
        pod.is_seen_to_beat_from("elsewhere")  # no server is needed for this
    comes_back(driver, old)

    # What was open and mapped has never failed, in no single turn.
    for pod in (plain, following):
        whole = pod.since(before[pod])
        for what in ("store", "map an open file", "read an open file"):
            assert set(whole[what]) == {"ok"}, (pod.name, whole)
    # Names are looked up at a dead server by a pod with a mount of its own, and
    # at the new one by a pod that follows the node's mounts.
    assert set(plain.since(plain.told())["open"]) == {"ENOTCONN"}
    until("the following pod opens files again", lambda: set(following.since(following.told())["open"]) == {"ok"})

    # A new pod of the claim on this node shares the memory with all the others.
    new = BeatingPod(workspace, "new", "shared", 3, node=here)
    assert workspace.run("new", "famfs-demo-pod", "datapath", DATA) == "passthrough"
    new.is_seen_to_beat_from("elsewhere")
    assert plain.seen_from("new") > 0
    plain.is_seen_to_beat_from("new")
    new.is_seen_to_beat_from("following")
    workspace.empty()
    driver.at_rest()


def pod_starts_on(workspace, node, name):
    """The proof of a registration: kubelet brings a new volume to a new pod."""
    workspace.claim(name)
    workspace.pod(name, name, node=node)
    workspace.run(name, "famfs-demo-pod", "write", DATA)
    assert workspace.run(name, "famfs-demo-pod", "datapath", DATA) == "passthrough"


def stays_registered(driver, nodes):
    """kubelet looks at its sockets when one appears or goes: a late removal of
    an old one must not take the new one's registration away."""
    until_lasting("registered", lambda: all(driver.registered_on(node) for node in nodes), lasting=10)


def test_an_old_registration_socket_is_taken_over(workspace, three_nodes, driver):
    node = three_nodes[2]
    old = driver.node_pod(node)
    only_the_plugin_is_killed(driver, old)
    comes_back(driver, old)
    stays_registered(driver, [node])
    pod_starts_on(workspace, node, "after")


def test_sidecars_and_back(workspace, three_nodes, driver, install):
    """The DaemonSet is OnDelete: each node changes when its pod is deleted."""
    beating = None
    for turn, options in enumerate([("--set", "sidecars=true"), ()]):
        install(*options)
        for node in three_nodes:
            old = driver.node_pod(node)
            it_is_deleted(driver, old)
            comes_back(driver, old)
        containers = {c.name for c in driver.node_pod(three_nodes[0]).spec.containers}
        assert ("node-driver-registrar" in containers) == bool(options), containers
        stays_registered(driver, three_nodes)
        for number, node in enumerate(three_nodes):
            pod_starts_on(workspace, node, f"turn-{turn}-{number}")
        if beating is None:
            workspace.claim("lasting")
            beating = BeatingPod(workspace, "lasting", "lasting", 1, node=three_nodes[0])
            since = beating.told()
    assert set(beating.since(since)["store"]) == {"ok"}


@pytest.mark.serial
def test_node_restarts(cluster, workspace, three_nodes, driver, inspector):
    """A node of kind is a container: its restart is a reboot without a kernel.
    It is the controller's node, unless the API server runs there, too."""
    elsewhere, *others = three_nodes
    controller = driver.controller_pod().spec.node_name
    node = controller if controller in others else others[-1]
    if subprocess.run(["docker", "inspect", node], capture_output=True, check=False).returncode != 0:
        pytest.skip("needs nodes that are containers of this machine's docker (kind)")
    workspace.claim("shared")
    there = BeatingPod(workspace, "there", "shared", 1, node=node, restartPolicy="Always")
    workspace.pod("elsewhere", "shared", node=elsewhere)
    there.is_seen_to_beat_from("elsewhere")
    old = workspace.status("there").status.container_statuses[0].container_id
    plugin = driver.node_pod(node)

    subprocess.run(["docker", "restart", node], check=True, capture_output=True)
    subprocess.run([HERE / "routes"], check=True, env=None)

    def runs_again():
        status = (workspace.status("there").status.container_statuses or [None])[0]
        if status is None or status.container_id == old or not status.ready:
            raise NotYet(f"{status and status.state}; {workspace.events('Pod', 'there')}")
        return True

    until("the pod of the restarted node runs again", runs_again)
    comes_back(driver, plugin)
    inspector.install()
    until(f"commands run on {node}", lambda: inspector.answers(node))
    assert workspace.run("there", "famfs-demo-pod", "datapath", DATA) == "passthrough"
    there.is_seen_to_beat_from("elsewhere")
    workspace.empty()
    driver.at_rest()
