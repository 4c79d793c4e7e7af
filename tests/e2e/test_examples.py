"""deploy/examples as docs/storageclass.md tells to apply them; the class and the
images alone are this cluster's."""

import json
import os
import re
from pathlib import Path

import pytest

from lib.objects import WORKLOAD_IMAGE
from lib.wait import NotYet, until

EXAMPLES = Path(__file__).resolve().parents[2] / "deploy/examples"


@pytest.fixture
def examples(workspace, cluster, tmp_path):
    """Applies them in the workspace's namespace."""
    image, _, tag = WORKLOAD_IMAGE.rpartition(":")
    chosen = {"op": "replace", "path": "/spec/storageClassName", "value": workspace.storage_class}
    kustomization = {
        "resources": [os.path.relpath(EXAMPLES, tmp_path)],
        "namespace": workspace.name,
        "images": [
            {"name": f"docker.io/library/{name}", "newName": image, "newTag": tag} for name in ("python", "busybox")
        ],
        "patches": [{"target": {"kind": "PersistentVolumeClaim"}, "patch": json.dumps([chosen])}],
    }
    (tmp_path / "kustomization.yaml").write_text(json.dumps(kustomization))
    try:
        cluster.kubectl("apply", "-k", str(tmp_path))
        yield workspace
    finally:
        # Otherwise the Deployment would make again what the workspace deletes.
        cluster.kubectl("delete", "deployment,job", "--all", "--namespace", workspace.name)
        until(
            "nothing makes pods again",
            lambda: not cluster.apps.list_namespaced_replica_set(workspace.name).items,
        )


def pods_of(workspace, app):
    return workspace.cluster.core.list_namespaced_pod(workspace.name, label_selector=f"app={app}").items


def sum_told_by(workspace, pod, verb):
    told = re.search(rf"{verb} 256 MiB, sum (\d+)", workspace.logs(pod))
    if not told:
        raise NotYet(f"{pod} has not {verb} yet: {workspace.events('Pod', pod)}")
    return told[1]


def test_a_job_fills_an_array_that_a_deployment_maps(examples, three_nodes):
    def running_readers():
        pods = [pod for pod in pods_of(examples, "dataset-reader") if pod.status.phase == "Running"]
        if len(pods) < 3:
            raise NotYet(f"{len(pods)} readers run")
        return pods

    readers = until("three readers run", running_readers)
    assert len({pod.spec.node_name for pod in readers}) > 1, "all readers are on one node"
    writer = pods_of(examples, "dataset-writer")[0].metadata.name
    examples.ended_well(writer)
    written = sum_told_by(examples, writer, "wrote")
    for reader in readers:
        name = reader.metadata.name
        assert until(f"{name} has mapped", lambda name=name: sum_told_by(examples, name, "mapped")) == written


def test_one_file_at_a_path_of_its_own(examples):
    told = examples.ended_well("one-file")
    assert re.search(r" 1073741824 .* /models/weights\.bin$", told, re.MULTILINE), told
    assert re.search(r"^[0-9a-f]{64}  /models/weights\.bin$", told, re.MULTILINE), told
