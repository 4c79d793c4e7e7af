"""Must show 5: the scheduler knows what fits where, and a user is told why not."""

import json
import re
import time

import pytest

from lib import objects
from lib.objects import DATA
from lib.wait import NotYet, until

GIB = 1 << 30
POLL_INTERVAL = 15  # seconds; csiProvisioner.capacityPollInterval


@pytest.fixture
def late_class(workspace, cluster, driver):
    """A class that waits for the first pod."""
    name = f"late-{workspace.name}"
    cluster.apply(objects.storage_class(name, driver.name, {"pool": driver.pool["name"]}, "WaitForFirstConsumer"))
    yield name
    cluster.storage.delete_storage_class(name)


def published(cluster, driver, storage_class):
    """What `kubectl get csistoragecapacities` shows for a class: (free, largest)."""
    found = [
        (_bytes(c.capacity), _bytes(c.maximum_volume_size))
        for c in cluster.storage.list_namespaced_csi_storage_capacity(driver.namespace).items
        if c.storage_class_name == storage_class
    ]
    if len(found) != 1:
        raise NotYet(f"{len(found)} objects for {storage_class}")
    return found[0]


def capacity_now(driver):
    """What the driver itself says: (free, largest)."""
    request = json.dumps({"parameters": {"pool": driver.pool["name"]}})
    call = ("famfs-csi-call", "unix:///csi/csi.sock", "GetCapacity", request)
    pod = driver.controller_pod().metadata.name
    answer = json.loads(driver.cluster.execute(driver.namespace, pod, *call, container="controller"))
    return int(answer["availableCapacity"]), int(answer["maximumVolumeSize"])


def both_agree(cluster, driver, storage_class):
    seen, wanted = published(cluster, driver, storage_class), capacity_now(driver)
    if seen != wanted:
        raise NotYet(f"published {seen}, the driver says {wanted}")
    return seen


def _bytes(quantity):
    number, unit = re.fullmatch(r"(\d+)([KMGT]i)?", quantity).groups()
    return int(number) << {None: 0, "Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}[unit]


def mebibytes(size):
    return f"{size >> 20}Mi"


def test_a_claim_that_fits_nowhere_waits_and_runs_after_a_deletion(workspace, cluster, driver, late_class, tell):
    _, largest = until("the pool's room is published", lambda: both_agree(cluster, driver, late_class))
    # Three quarters of the room are taken; the same again does not fit.
    size = mebibytes(largest * 3 // 4)
    workspace.claim("first", storage_class=late_class, size=size, bound=False)
    workspace.pod("first", "first")
    workspace.bound("first")
    left = until("what is left is published", lambda: both_agree(cluster, driver, late_class))[1]
    assert left < largest // 2
    workspace.claim("second", storage_class=late_class, size=size, bound=False)
    workspace.pod("second", "second", running=False)

    def told():
        events = workspace.events("Pod", "second")
        if not [e for e in events if "did not have enough free storage" in e]:
            raise NotYet(events)
        return True

    until("the scheduler says that there is no room", told)
    # No node was chosen, so nobody tried to make its volume.
    assert workspace.status("second").status.phase == "Pending"
    assert not [e for e in workspace.events("PersistentVolumeClaim", "second") if "Provisioning" in e]
    workspace.delete_pod("first")
    volume = workspace.bound("first")
    workspace.delete_claim("first")
    until("the first volume is gone", lambda: cluster.gone(cluster.core.read_persistent_volume, volume))
    since = time.monotonic()
    workspace.running("second")
    took = time.monotonic() - since
    tell("from the deletion to the waiting pod's run, s", f"{took:.1f}")
    assert took < 2 * POLL_INTERVAL
    workspace.run("second", "famfs-demo-pod", "write", DATA)


def refusal(workspace, claim):
    def probe():
        events = [e for e in workspace.events("PersistentVolumeClaim", claim) if "ProvisioningFailed" in e]
        if not events:
            raise NotYet("no event")
        return events[-1]

    return until("the claim's events say why there is no volume", probe)


def test_an_immediate_claim_is_told_why(workspace, driver):
    _, largest = capacity_now(driver)
    workspace.claim("first", size=mebibytes(largest * 3 // 4))
    workspace.claim("second", size=mebibytes(largest * 3 // 4), bound=False)
    told = refusal(workspace, "second")
    assert "ResourceExhausted" in told, told
    for word in (f"pool {driver.pool['name']}", "asked", "free", "largest"):
        assert word in told, told
    workspace.claim("too-large", size=mebibytes(largest + 2 * GIB), bound=False)
    told = refusal(workspace, "too-large")
    assert "OutOfRange" in told and "can never hold" in told, told


def island_directory(driver):
    return f"{driver.memory_directory().rpartition('/')[0]}/island"


def island_seen_by(driver, hosts):
    """The options that add a second pool which only `hosts` see, and its class."""
    values = {
        "pools[1].name": "island",
        "pools[1].device": f"emulated:{island_directory(driver)}",
        "pools[1].format": "if-blank",
        "pools[1].emulated.size": "4G",
        "pools[1].emulated.sparse": "true",
        "storageClasses[1].name": "famfs-island",
        "storageClasses[1].parameters.pool": "island",
        **{f"pools[1].emulated.hosts[{number}]": host for number, host in enumerate(hosts)},
    }
    return ["--set", ",".join(f"{key}={value}" for key, value in values.items())]


@pytest.fixture(scope="module")
def island(cluster, driver, install, nodes, inspector):
    """A second pool, which only the first node sees; its class waits for pods."""
    if len(nodes) < 2:
        pytest.skip("needs two nodes")
    if not driver.memory_directory():
        pytest.skip("needs an emulated pool, whose hosts can be chosen")
    driver.replace_node_pods(nodes, lambda: install(*island_seen_by(driver, nodes[:1])))
    # Labels of an earlier run in this cluster: kubelet takes none away, and the
    # scheduler goes by them.
    for node in nodes[1:]:
        cluster.kubectl("label", "node", node, f"topology.{driver.name}/island-")
    yield nodes[0]
    driver.replace_node_pods(nodes, install)
    inspector.execute(nodes[0], "rm", "-r", f"/proc/1/root{island_directory(driver)}")


def test_a_node_that_sees_no_pool_gets_no_pod(workspace, island, nodes):
    workspace.claim("here", storage_class="famfs-island", bound=False)
    for number in range(3):
        workspace.pod(f"any-{number}", "here", running=False)
    for number in range(3):
        assert workspace.running(f"any-{number}").spec.node_name == island
    workspace.pod("elsewhere", "here", node=nodes[1], running=False)

    def kept_out():
        events = workspace.events("Pod", "elsewhere")
        if not [e for e in events if "FailedScheduling" in e]:
            raise NotYet(events)
        return True

    until("the scheduler keeps a pod from the node without the pool", kept_out)
    assert workspace.status("elsewhere").status.phase == "Pending"


def test_two_pools_on_one_node(workspace, island):
    workspace.claim("of-island", storage_class="famfs-island", bound=False)
    workspace.claim("of-shared")
    workspace.pod("both", ["of-island", "of-shared"], node=island)
    first = workspace.run("both", "famfs-demo-pod", "write", DATA)
    second = workspace.run("both", "famfs-demo-pod", "write", "/volume-1/data")
    assert "crc32" in first and "crc32" in second
    for file in (DATA, "/volume-1/data"):
        assert workspace.run("both", "famfs-demo-pod", "datapath", file) == "passthrough"
    workspace.pod("again", ["of-shared", "of-island"], node=island)
    sums = [workspace.run(p, "sha256sum", DATA, "/volume-1/data").split()[0::2] for p in ("both", "again")]
    assert sums[0] == sums[1][::-1]


def topology_keys(cluster, driver, node):
    """What kubelet has been told at the last registration."""
    drivers = json.loads(cluster.kubectl("get", "csinode", node, "-o", "json"))["spec"].get("drivers") or []
    return [key for entry in drivers if entry["name"] == driver.name for key in entry.get("topologyKeys") or []]


def test_a_node_that_is_given_a_pool_later_gets_its_pods(workspace, cluster, driver, install, island, nodes):
    """The plugin of that node is not restarted: it announces itself again."""
    key = f"topology.{driver.name}/island"
    assert key not in topology_keys(cluster, driver, nodes[1])
    plugin = driver.node_pod(nodes[1]).metadata.uid
    install(*island_seen_by(driver, nodes[:2]))
    until(f"{nodes[1]} has the pool's key", lambda: key in topology_keys(cluster, driver, nodes[1]))
    assert driver.node_pod(nodes[1]).metadata.uid == plugin
    workspace.claim("late", storage_class="famfs-island", bound=False)
    workspace.pod("late", "late", node=nodes[1])
    workspace.run("late", "famfs-demo-pod", "write", DATA)
