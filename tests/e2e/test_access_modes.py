"""Must show 2: who may write is enforced, whatever the pod asks for."""

import pytest

from lib.objects import DATA, VOLUME_DIR
from lib.wait import until

pytestmark = pytest.mark.smoke


def assert_nothing_can_be_written(workspace, pod):
    refusal = workspace.run(pod, "famfs-demo-pod", "refused", DATA)
    opened, mapped = refusal.split("; ")
    assert opened in ("open: Read-only file system", "open: Permission denied"), refusal
    assert mapped == "mmap: Permission denied", refusal
    told = workspace.run(pod, "sh", "-c", f"touch {VOLUME_DIR}/new 2>&1 || true")
    assert "Read-only file system" in told, told


def test_read_only_many_cannot_be_written(workspace, three_nodes):
    """Neither claim nor mount is marked readOnly: the mode alone says it."""
    workspace.claim("dataset", modes=["ReadOnlyMany"])
    for number, node in enumerate(three_nodes[:2]):
        workspace.pod(f"reader-{number}", "dataset", node=node)
        assert_nothing_can_be_written(workspace, f"reader-{number}")


def test_a_dataset_that_others_may_only_read(cluster, workspace, three_nodes):
    """One volume, two PersistentVolumes: its writer's claim, and a static one for
    readers. What the writer stores they see, and only the mode keeps them from
    writing."""
    workspace.claim("source", modes=["ReadWriteMany"])
    volume = cluster.core.read_persistent_volume(workspace.bound("source"))
    published = f"{workspace.name}-published"
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": published},
            "spec": {
                "accessModes": ["ReadOnlyMany"],
                "capacity": {"storage": volume.spec.capacity["storage"]},
                "claimRef": {"namespace": workspace.name, "name": "dataset"},
                "csi": {"driver": volume.spec.csi.driver, "volumeHandle": volume.spec.csi.volume_handle},
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "",
            },
        }
    )
    try:
        workspace.pod("writer", "source", node=three_nodes[0])
        written = workspace.start("writer", "famfs-demo-pod", "write", DATA)
        workspace.claim("dataset", storage_class="", modes=["ReadOnlyMany"], volumeName=published)
        for name, node in ("reader-beside", three_nodes[0]), ("reader-elsewhere", three_nodes[1]):
            workspace.pod(name, "dataset", node=node)
            assert_nothing_can_be_written(workspace, name)
        written.result()
        readers = ("writer", "reader-beside", "reader-elsewhere")
        assert len({workspace.run(pod, "sha256sum", DATA) for pod in readers}) == 1
    finally:
        workspace.empty(but=[published])
        cluster.core.delete_persistent_volume(published)


def test_read_only_claim_of_a_pod_cannot_be_written(workspace, three_nodes):
    """A writer and a reader of one claim: the reader's `readOnly` holds for it alone."""
    workspace.claim("shared", modes=["ReadWriteMany"])
    workspace.pod("writer", "shared", node=three_nodes[0])
    workspace.pod("reader-beside", "shared", node=three_nodes[0], read_only_claim=True)
    workspace.pod("reader-elsewhere", "shared", node=three_nodes[1], read_only_claim=True)
    for reader in ("reader-beside", "reader-elsewhere"):
        assert_nothing_can_be_written(workspace, reader)
    workspace.run("writer", "famfs-demo-pod", "write", DATA)
    sums = {workspace.run(p, "sha256sum", DATA) for p in ("writer", "reader-beside", "reader-elsewhere")}
    assert len(sums) == 1


def test_read_write_once_pod_lets_one_pod_in(workspace, three_nodes):
    workspace.claim("single", modes=["ReadWriteOncePod"])
    workspace.pod("first", "single", node=three_nodes[0])
    workspace.pod("second", "single", running=False)

    def refused():
        assert workspace.status("second").status.phase == "Pending"
        return [e for e in workspace.events("Pod", "second") if "ReadWriteOncePod" in e]

    until("the scheduler keeps the second pod out", refused)
    workspace.run("first", "famfs-demo-pod", "write", DATA)
    workspace.delete_pod("first")
    workspace.running("second")
