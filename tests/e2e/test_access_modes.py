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
