"""Fixtures of the cluster tests; tests/e2e/run says what they need."""

import os
import re
from pathlib import Path

import pytest
import yaml

from lib.cluster import Cluster, kubeconfig_of_the_tests
from lib.driver import Driver
from lib.helm import Helm
from lib.inspector import Inspector
from lib.wait import until
from lib.workspace import Workspace

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RELEASE = "famfs-csi"
NAMESPACE = "famfs-csi"
# The tests read metrics by way of the API server, which is no pod.
METRICS_FROM = 'networkPolicy.metricsFrom=[{"ipBlock":{"cidr":"0.0.0.0/0"}}]'


def pytest_addoption(parser):
    parser.addoption("--helm", default="helm3", help="the helm to install with")
    parser.addoption("--chart", default=str(ROOT / "charts/famfs-csi"), help="the chart to install")
    parser.addoption("--values", default=str(HERE / "values.yaml"), help="the values to install with")
    parser.addoption("--as-installed", action="store_true", help="test the release that is installed, change nothing")


@pytest.fixture(scope="session")
def cluster():
    return Cluster(kubeconfig_of_the_tests())


@pytest.fixture(scope="session")
def nodes(cluster):
    """The cluster's nodes; the tests place pods by them."""
    return cluster.nodes()


@pytest.fixture(scope="session")
def three_nodes(nodes):
    if len(nodes) < 3:
        pytest.skip(f"needs three nodes, the cluster has {len(nodes)}")
    return nodes[:3]


@pytest.fixture(scope="session")
def inspector(cluster):
    found = Inspector(cluster)
    found.install()
    return found


@pytest.fixture(scope="session")
def values(request):
    """The values that the chart is installed with."""
    return yaml.safe_load(Path(request.config.getoption("--values")).read_text())


@pytest.fixture(scope="session")
def helm(request, cluster):
    return Helm(request.config.getoption("--helm"), cluster, NAMESPACE)


@pytest.fixture(scope="session")
def install(request, helm, driver_facts):
    """A function that brings the release to what the tests expect: `install()`,
    or with more values `install("--set", "sidecars=true")`."""

    def run(*options):
        if not request.config.getoption("--as-installed"):
            chart, file = request.config.getoption("--chart"), request.config.getoption("--values")
            helm.install(RELEASE, chart, "--values", file, "--set-json", METRICS_FROM, *options)
        driver_facts.everything_ready()

    return run


@pytest.fixture(scope="session")
def driver_facts(cluster, inspector, values):
    """The driver as the values say, installed or not."""
    name = values.get("driverName", "famfs.csi")
    return Driver(cluster, inspector, RELEASE, NAMESPACE, name, values["pools"][0])


@pytest.fixture(scope="session")
def driver(request, driver_facts, helm, install):
    """The driver, installed anew and ready: node pods of an older image would
    stay as they are."""
    if not request.config.getoption("--as-installed") and helm.installed(RELEASE):
        helm("uninstall", RELEASE, "--wait", "--no-hooks")
        until("the pods of the release before are gone", lambda: not driver_facts.pods("node"))
    install()
    return driver_facts


@pytest.fixture
def workspace(request, cluster, driver, values):
    """A namespace of the test's own; at its end all that is in it goes, volumes
    included. With FAMFS_E2E_KEEP set that of a failed test stays."""
    name = f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower()).strip('-')[:50]}-{os.urandom(3).hex()}"
    cluster.core.create_namespace({"metadata": {"name": name}})
    until(
        f"namespace {name} has its service account",
        lambda: not cluster.gone(cluster.core.read_namespaced_service_account, "default", name),
    )
    made = Workspace(cluster, name, values["storageClasses"][0]["name"])
    yield made
    if os.environ.get("FAMFS_E2E_KEEP") and getattr(request.node, "failed", False):
        return
    if cluster.gone(cluster.core.read_namespace, name):
        return
    made.empty()
    cluster.core.delete_namespace(name)  # takes seconds, and nobody waits for it


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def tell(record_property, capsys):
    """Prints a measured value, also when the test passes, and puts it into the
    JUnit report: `tell("round trip, us", 1.5)`."""

    def say(what, value):
        record_property(what, str(value))
        with capsys.disabled():
            print(f"\n    {what}: {value}", end="")

    return say
