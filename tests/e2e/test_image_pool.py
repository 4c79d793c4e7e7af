"""A pool on an image, whose hosts are waited for: a server that is killed in its
pod holds deleted space no longer than until the next one serves."""

import json

import pytest

from lib.objects import DATA
from lib.wait import NotYet, until

pytestmark = pytest.mark.serial

DIRECTORY = "/var/lib/famfs-dcd/flat"
DEVICE = f"image:{DIRECTORY}/pool.img"
CLASS = "famfs-flat"


@pytest.fixture(scope="module")
def flat(driver, install, nodes, inspector):
    """A second pool; its class makes volumes at once."""
    inspector.execute(nodes[0], "mkdir", "-p", f"/proc/1/root{DIRECTORY}")
    inspector.execute(nodes[0], "truncate", "-s", "4G", f"/proc/1/root{DIRECTORY}/pool.img")
    values = {
        "pools[1].name": "flat",
        "pools[1].device": DEVICE,
        "pools[1].format": "if-blank",
        "storageClasses[1].name": CLASS,
        "storageClasses[1].parameters.pool": "flat",
        "storageClasses[1].volumeBindingMode": "Immediate",
    }
    options = ["--set", ",".join(f"{key}={value}" for key, value in values.items())]
    driver.replace_node_pods(nodes, lambda: install(*options))
    yield
    driver.replace_node_pods(nodes, install)
    inspector.execute(nodes[0], "rm", "-r", f"/proc/1/root{DIRECTORY}")


def famfs(driver, command):
    pod = driver.controller_pod().metadata.name
    answer = driver.cluster.execute(
        driver.namespace, pod, "famfs", command, DEVICE, "--json", container="controller"
    )
    return json.loads(answer)


def rows_of(driver, node):
    """The sessions of a node's servers in the pool's host table."""
    path = f"/proc/1/root/var/lib/kubelet/plugins/{driver.name}/system_uuid"
    host = driver.inspector.execute(node, "cat", path).strip("\n\0")
    return [row["session"] for row in famfs(driver, "hosts") if row["host"] == host]


def test_writers_on_several_nodes_are_refused_with_the_claim(workspace, flat):
    workspace.claim("shared", storage_class=CLASS, bound=False)

    def told():
        events = [e for e in workspace.events("PersistentVolumeClaim", "shared") if "ProvisioningFailed" in e]
        if not events:
            raise NotYet("no event")
        return events[-1]

    event = until("the claim's events say why there is no volume", told)
    assert "InvalidArgument" in event and "MULTI_NODE_MULTI_WRITER" in event, event


def test_a_killed_servers_row_is_closed_by_the_next_one(workspace, driver, flat, nodes):
    node = nodes[-1]
    workspace.claim("one", storage_class=CLASS, modes=("ReadWriteOnce",))
    workspace.pod("user", "one", node=node)
    workspace.run("user", "famfs-demo-pod", "write", DATA)
    (killed,) = rows_of(driver, node)

    assert "famfs-fused" in driver.inspector.kill(driver.node_pod(node), "famfs-fused")

    def alone():
        sessions = rows_of(driver, node)
        if killed in sessions or len(sessions) != 1:
            raise NotYet(sessions)
        return True

    # The pod's own mount is still the killed server's, which reaches nothing.
    until("another server has a row, and the killed one's is closed", alone)
    workspace.delete_pod("user")
    workspace.empty()

    def free():
        pending = famfs(driver, "df")["pending"]
        if pending:
            raise NotYet(f"{pending} bytes are pending")
        return True

    until("the deleted volume's space is free", free)
