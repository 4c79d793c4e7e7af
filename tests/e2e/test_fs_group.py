"""Must show 6: a pod's fsGroup gives it the volume, as with any other driver:
kubelet changes group and modes of what is in it, for all nodes."""

import pytest

from lib import objects
from lib.objects import DATA, VOLUME_DIR

GROUP = 2000
MEMBER = {"runAsUser": 1000, "runAsGroup": 1000, "runAsNonRoot": True, "fsGroup": GROUP}
STRANGER = {"runAsUser": 1000, "runAsGroup": 1000}

# What a pod of root's leaves: nobody else may come in.
MADE_BY_ROOT = f"""
umask 077; cd {VOLUME_DIR}
mkdir -p old/deep; echo root > old/deep/file; ln -s deep/file old/link
"""


@pytest.fixture
def closed_class(workspace, cluster, driver):
    """A function that makes a class whose volumes are root's alone."""
    made = []

    def make(layout):
        name = f"{layout}-{workspace.name}"
        parameters = {"pool": driver.pool["name"], "layout": layout, "mode": "0700"}
        cluster.apply(objects.storage_class(name, driver.name, parameters))
        made.append(name)
        return name

    yield make
    for name in made:
        cluster.storage.delete_storage_class(name)


def looks(workspace, pod, *paths):
    return workspace.run(pod, "stat", "-c", "%u:%g %a", *paths).split("\n")


def test_a_member_writes_into_a_tree_volume(workspace, closed_class, nodes):
    workspace.claim("files", storage_class=closed_class("tree"))
    workspace.pod("root", "files", node=nodes[0])
    workspace.run("root", "sh", "-c", MADE_BY_ROOT)
    workspace.pod("member", "files", node=nodes[0], security=MEMBER)
    assert looks(workspace, "member", VOLUME_DIR, f"{VOLUME_DIR}/old", f"{VOLUME_DIR}/old/deep/file") == [
        f"0:{GROUP} 2770",
        f"0:{GROUP} 2770",
        f"0:{GROUP} 660",
    ]
    workspace.run("member", "sh", "-c", f"echo member >> {VOLUME_DIR}/old/deep/file; mkdir {VOLUME_DIR}/old/new")
    assert workspace.run("root", "cat", f"{VOLUME_DIR}/old/link") == "root\nmember"
    assert looks(workspace, "root", f"{VOLUME_DIR}/old/new") == [f"1000:{GROUP} 2755"]
    # Another node sees the same, and kubelet has nothing to do there.
    again = {**MEMBER, "runAsUser": 3000, "fsGroupChangePolicy": "OnRootMismatch"}
    workspace.pod("other", "files", node=nodes[-1], security=again)
    assert workspace.run("other", "cat", f"{VOLUME_DIR}/old/link") == "root\nmember"
    workspace.run("other", "sh", "-c", f"echo other > {VOLUME_DIR}/from-there")
    workspace.pod("stranger", "files", security=STRANGER)
    assert "Permission denied" in workspace.run("stranger", "sh", "-c", f"ls {VOLUME_DIR} 2>&1 || true")


def test_a_member_writes_into_a_volume_of_one_file(workspace, closed_class, nodes):
    workspace.claim("array", storage_class=closed_class("file"))
    workspace.pod("member", "array", node=nodes[0], security=MEMBER)
    assert looks(workspace, "member", VOLUME_DIR, DATA) == [f"0:{GROUP} 2770", f"0:{GROUP} 660"]
    write = f"printf member | dd of={DATA} conv=notrunc status=none"
    workspace.run("member", "sh", "-c", write)
    workspace.pod("other", "array", node=nodes[-1], security={**MEMBER, "runAsUser": 3000})
    assert workspace.run("other", "head", "-c", "6", DATA) == "member"
    workspace.pod("stranger", "array", security=STRANGER)
    told = workspace.run("stranger", "sh", "-c", f"head -c 1 {DATA} 2>&1 || true")
    assert "Permission denied" in told, told
