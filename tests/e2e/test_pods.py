"""Must show 6: pods of every kind use a volume: other users, user namespaces,
little memory, one file of it, read-only beside writable."""

import pytest

from lib import objects
from lib.objects import DATA, VOLUME_DIR

MAP_AND_WRITE = """
import mmap, sys
path, size = sys.argv[1], int(sys.argv[2])
with open(path, 'r+b') as file, mmap.mmap(file.fileno(), size) as memory:
    for page in range(0, size, 4096):
        memory[page:page + 4096] = page.to_bytes(8, 'little') * 512
print(size)
"""

CHECK_THE_SAME = """
import mmap, sys
path, size = sys.argv[1], int(sys.argv[2])
with open(path, 'rb') as file, mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as memory:
    wrong = sum(memory[p:p + 4096] != p.to_bytes(8, 'little') * 512 for p in range(0, size, 4096))
print(wrong)
"""

MIB = 1 << 20


def write(workspace, pod, size, path=DATA):
    assert workspace.run(pod, "python3", "-c", MAP_AND_WRITE, path, str(size)) == str(size)


def assert_reads(workspace, pod, size, path=DATA):
    assert workspace.run(pod, "python3", "-c", CHECK_THE_SAME, path, str(size)) == "0"


def assert_kept_out(workspace, pod):
    told = workspace.run(pod, "sh", "-c", f"head -c 1 {DATA} 2>&1 || true")
    assert "Permission denied" in told, told


def assert_refused(workspace, pod, path=DATA):
    told = workspace.run(pod, "famfs-demo-pod", "refused", path)
    assert "Permission denied" in told or "Read-only file system" in told, told


@pytest.fixture
def owned_class(workspace, cluster, driver):
    """A class whose volumes belong to 1000:2000, and nobody else may come in."""
    name = f"owned-{workspace.name}"
    parameters = {"pool": driver.pool["name"], "uid": "1000", "gid": "2000", "mode": "0770"}
    cluster.apply(objects.storage_class(name, driver.name, parameters))
    yield name
    cluster.storage.delete_storage_class(name)


def test_owner_and_mode_come_from_the_class(workspace, owned_class):
    workspace.claim("owned", storage_class=owned_class)
    workspace.pod("owner", "owned", security={"runAsUser": 1000, "fsGroup": 2000})
    assert workspace.run("owner", "stat", "-c", "%u:%g %a", VOLUME_DIR, DATA).split("\n") == [
        "1000:2000 2770",
        "1000:2000 660",
    ]
    write(workspace, "owner", 64 * MIB)
    workspace.pod("member", "owned", security={"runAsUser": 3000, "runAsGroup": 3000, "fsGroup": 2000})
    assert_reads(workspace, "member", 64 * MIB)
    write(workspace, "member", MIB)
    workspace.pod("stranger", "owned", security={"runAsUser": 3000, "runAsGroup": 3000})
    assert_kept_out(workspace, "stranger")


def test_a_pod_in_a_user_namespace(workspace, owned_class):
    """Root in the pod is nobody on the node; the volume is its all the same."""
    workspace.claim("owned", storage_class=owned_class)
    who = {"runAsUser": 1000, "runAsGroup": 2000}
    workspace.pod("inside", "owned", security=who, hostUsers=False)
    mapping = workspace.run("inside", "cat", "/proc/self/uid_map").split()
    assert mapping[:2] != ["0", "0"], "this pod has no user namespace"
    assert workspace.run("inside", "stat", "-c", "%u:%g", DATA) == "1000:2000"
    assert workspace.run("inside", "famfs-demo-pod", "datapath", DATA) == "passthrough"
    write(workspace, "inside", 16 * MIB)
    workspace.pod("outside", "owned", security=who)
    assert_reads(workspace, "outside", 16 * MIB)
    workspace.pod("stranger", "owned", security={"runAsUser": 3000}, hostUsers=False)
    assert_kept_out(workspace, "stranger")


def test_a_small_pod_maps_a_large_volume(workspace, three_nodes):
    """The pages are the pool's, not the pod's that touches them first."""
    size = 256 * MIB
    workspace.claim("large", size="256Mi")
    little = {"memory": "64Mi"}
    workspace.pod("writer", "large", node=three_nodes[0], limits=little)
    write(workspace, "writer", size)
    workspace.pod("reader", "large", node=three_nodes[1], limits=little)
    assert_reads(workspace, "reader", size)
    for pod in ("writer", "reader"):
        status = workspace.running(pod).status.container_statuses[0]
        assert status.restart_count == 0 and status.last_state.terminated is None


def test_one_file_of_a_volume(workspace, three_nodes):
    workspace.claim("dataset")
    workspace.pod("writer", "dataset", node=three_nodes[0])
    one = {"subPath": "data", "mountPath": "/models/weights.bin"}
    for number, node in enumerate(three_nodes[:2]):
        workspace.pod(f"user-{number}", "dataset", node=node, mount=one)
    write(workspace, "writer", 64 * MIB)
    for number in range(2):
        assert workspace.run(f"user-{number}", "ls", "/models") == "weights.bin"
        assert_reads(workspace, f"user-{number}", 64 * MIB, "/models/weights.bin")
    workspace.pod("careful", "dataset", node=three_nodes[0], mount={**one, "readOnly": True})
    assert_refused(workspace, "careful", "/models/weights.bin")
    write(workspace, "user-0", MIB, "/models/weights.bin")


def test_read_only_beside_writable_on_one_node(workspace, three_nodes):
    node = three_nodes[0]
    workspace.claim("shared")
    workspace.pod("reader", "shared", node=node, read_only_claim=True)
    workspace.pod("writer", "shared", node=node)
    workspace.pod("mount-only", "shared", node=node, read_only_mount=True)
    write(workspace, "writer", 64 * MIB)
    for pod in ("reader", "mount-only"):
        assert_reads(workspace, pod, 64 * MIB)
        assert_refused(workspace, pod)
    # The writer stays one, whoever goes first.
    workspace.delete_pod("reader")
    write(workspace, "writer", 64 * MIB)
    workspace.pod("late-reader", "shared", node=node, read_only_claim=True)
    workspace.delete_pod("writer")
    assert_reads(workspace, "late-reader", 64 * MIB)
