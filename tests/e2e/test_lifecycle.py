"""Must show 7: the chart is upgraded under pods that live, refuses to go while
volumes exist, goes without a trace, and finds its volumes when it comes back."""

import re
import subprocess
from pathlib import Path

import pytest

from lib.cluster import CommandFailed
from lib.objects import DATA
from lib.wait import NotYet, until

pytestmark = pytest.mark.serial

ROOT = Path(__file__).resolve().parents[2]

# A pod that keeps a mapping for life: adds one to a counter in shared memory
# for each line that it is sent, and says what it counted.
COUNT = """
import mmap, struct, sys
with open(sys.argv[1], 'r+b') as file:
    memory = mmap.mmap(file.fileno(), 4096)
for line in sys.stdin:
    count = struct.unpack_from('<Q', memory)[0] + 1
    struct.pack_into('<Q', memory, 0, count)
    print(count, flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def installed_again(install):
    """Whatever the tests here leave: the release is there for those that follow."""
    yield
    install()


def uninstall(helm, release):
    helm("uninstall", release, "--wait", "--timeout", "5m")


def first_chart(directory):
    """The chart as it was first committed."""

    def git(*arguments, check=False):
        return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, check=check)

    if git("rev-parse", "--is-shallow-repository").stdout.strip() != b"false":
        pytest.skip("needs the history of the repository")
    history = git("log", "--format=%H", "--", "charts/famfs-csi/Chart.yaml", check=True).stdout.split()
    archive = git("archive", history[-1].decode(), "charts/famfs-csi", check=True).stdout
    subprocess.run(["tar", "-x", "-C", directory], input=archive, check=True)
    return directory / "charts/famfs-csi"


def objects_of(cluster, driver):
    """Everything in the cluster with the release's label, and what the driver
    makes: what must be gone after an uninstall."""
    kinds = (
        "statefulset,daemonset,service,configmap,serviceaccount,role,rolebinding,job,pod,"
        "clusterrole,clusterrolebinding,csidriver,storageclass"
    )
    labels = {
        kinds: f"app.kubernetes.io/instance={driver.release}",
        "csistoragecapacities": f"csi.storage.k8s.io/drivername={driver.name}",
    }
    return [
        name
        for kind, label in labels.items()
        for name in cluster.kubectl("get", kind, "-A", "-l", label, "-o", "name").split()
    ]


@pytest.fixture
def gone(cluster, helm, driver_facts, nodes):
    """A function: uninstalls, and waits until nothing of the release is left."""

    def run():
        uninstall(helm, driver_facts.release)
        until("nothing of the release is left", lambda: _empty(objects_of(cluster, driver_facts)))
        for node in nodes:
            until(f"{node} has forgotten the driver", lambda node=node: not driver_facts.registered_on(node))

    return run


def _empty(seen):
    if seen:
        raise NotYet(seen)
    return True


def test_upgrade_from_the_first_chart_under_live_pods(
    workspace, cluster, helm, install, driver_facts, three_nodes, gone, request, tmp_path
):
    chart = first_chart(tmp_path)
    gone()
    helm.install(
        driver_facts.release,
        str(chart),
        "--values",
        request.config.getoption("--values"),
    )
    driver_facts.everything_ready()
    workspace.claim("before")
    for letter, node in zip("ab", three_nodes, strict=False):
        workspace.pod(letter, "before", node=node, propagation="HostToContainer")
    workspace.run("a", "famfs-demo-pod", "write", DATA)
    checksum = data_checksum(workspace, "b")
    lived = {pod: workspace.status(pod).metadata.uid for pod in "ab"}
    plugins = {node: driver_facts.node_pod(node).metadata.uid for node in three_nodes}

    counter = subprocess.Popen(
        ["kubectl", "--kubeconfig", cluster.kubeconfig, "-n", workspace.name, "exec", "-i", "a", "--",
         "python3", "-c", COUNT, DATA],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    try:
        first = _count(counter)
        install()
        # Old pods, old plugins: nothing was restarted.
        assert {pod: workspace.status(pod).metadata.uid for pod in "ab"} == lived
        assert {node: driver_facts.node_pod(node).metadata.uid for node in three_nodes} == plugins
        assert _count(counter) == first + 1
        workspace.claim("between")
        # Now the node pods, one by one; the mapping goes on in between.
        for number, node in enumerate(three_nodes):
            pod = driver_facts.node_pod(node)
            cluster.core.delete_namespaced_pod(pod.metadata.name, driver_facts.namespace)
            driver_facts.replaced(lambda node=node: driver_facts.node_pod(node), pod.metadata.uid, f"plugin on {node}")
            assert _count(counter) == first + 2 + number
    finally:
        counter.kill()
    driver_facts.everything_ready()
    assert {pod: workspace.status(pod).metadata.uid for pod in "ab"} == lived
    workspace.pod("after", "before", node=three_nodes[0])
    for pod in ("a", "b", "after"):
        assert data_checksum(workspace, pod) == checksum
    workspace.pod("elsewhere", "between", node=three_nodes[2])
    workspace.run("elsewhere", "famfs-demo-pod", "write", DATA)


HASH = """
import hashlib, sys
with open(sys.argv[1], 'rb') as file:
    file.seek(4096)
    print(hashlib.file_digest(file, 'sha256').hexdigest())
"""


def data_checksum(workspace, pod):
    """Of what lies behind the first page, where the counter is."""
    return workspace.run(pod, "python3", "-c", HASH, DATA)


def _count(counter):
    counter.stdin.write("\n")
    counter.stdin.flush()
    return int(counter.stdout.readline())


def test_uninstall_is_refused_while_volumes_exist(workspace, cluster, helm, install, driver_facts, gone):
    install()
    workspace.claim("precious")
    volume = workspace.bound("precious")
    workspace.pod("user", "precious")
    workspace.run("user", "famfs-demo-pod", "write", DATA)
    checksum = workspace.run("user", "sha256sum", DATA)
    release = driver_facts.release

    with pytest.raises(CommandFailed) as refused:
        uninstall(helm, release)
    told = refused.value.output
    assert volume in told, told
    # The way back, as it is printed; the revision matters, since without one
    # Helm would take the one before.
    way_back = re.search(rf"helm (rollback {release} \d+) --namespace {driver_facts.namespace}", told)
    assert way_back, told
    # Nothing was touched.
    driver_facts.everything_ready()
    assert workspace.run("user", "sha256sum", DATA) == checksum

    helm(*way_back[1].split(), helm.wait, "--timeout", "5m")
    install()
    workspace.claim("another")
    workspace.delete_pod("user")
    workspace.empty()
    gone()


def test_a_reinstall_finds_the_volumes_of_a_kept_pool(workspace, cluster, helm, install, driver_facts, nodes):
    install()
    workspace.claim("kept")
    volume = workspace.bound("kept")
    workspace.pod("writer", "kept")
    workspace.run("writer", "famfs-demo-pod", "write", DATA)
    checksum = workspace.run("writer", "sha256sum", DATA)
    workspace.delete_pod("writer")

    helm("uninstall", driver_facts.release, "--no-hooks", "--wait", "--timeout", "5m")
    until("the driver is gone", lambda: not driver_facts.pods("controller") + driver_facts.pods("node"))
    assert workspace.bound("kept") == volume

    install()
    workspace.pod("reader", "kept")
    assert workspace.run("reader", "sha256sum", DATA) == checksum
    assert volume in [v["name"] for v in driver_facts.famfs("df")["volumes"]]
    workspace.claim("new")


def test_a_class_that_would_change_is_refused_before_anything_else(install, driver_facts):
    """Kubernetes lets nobody change one, and a half-done upgrade helps nobody."""
    install()
    controller = driver_facts.controller_pod().metadata.uid
    with pytest.raises(CommandFailed) as refused:
        install("--set-string", "storageClasses[0].parameters.mode=0700,log.level=debug")
    assert "exists and differs" in refused.value.output, refused.value.output
    assert driver_facts.controller_pod().metadata.uid == controller
    install()


def test_helm_test_maps_a_claim(helm, install, driver_facts):
    install()
    told = helm("test", driver_facts.release, "--timeout", "5m")
    assert re.search(r"Phase:\s+Succeeded", told), told
