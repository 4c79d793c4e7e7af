"""Must show 1: pods on three nodes map one file and share its memory."""

import re

import pytest

from lib.objects import DATA

pytestmark = pytest.mark.smoke


@pytest.fixture
def pods(workspace, three_nodes):
    """One claim, and a pod on each node that has it."""
    workspace.claim("shared", size="256Mi", modes=["ReadWriteMany"])
    for letter, node in zip("abc", three_nodes, strict=True):
        workspace.pod(letter, "shared", node=node, running=False)
    for letter in "abc":
        workspace.running(letter)
    return workspace


def test_all_pods_of_the_driver_are_ready(driver, nodes):
    driver.everything_ready()
    assert {pod.spec.node_name for pod in driver.pods("node")} == set(nodes)
    assert len(driver.pods("controller")) == 1


def test_the_data_path_is_passthrough(pods):
    for pod in "abc":
        assert pods.run(pod, "famfs-demo-pod", "datapath", DATA) == "passthrough"


def test_what_one_node_stores_the_others_see(pods):
    readers = [pods.start(pod, "famfs-demo-pod", "read", DATA) for pod in "bc"]
    written = _checksum(pods.run("a", "famfs-demo-pod", "write", DATA))
    for reader in readers:
        assert _checksum(reader.result()) == written
    by_read = {pods.run(pod, "sha256sum", DATA).split()[0] for pod in "abc"}
    assert len(by_read) == 1, "read() shows other bytes on another node"


def test_ping_pong_through_the_mapping(pods, tell):
    for there in "bc":
        pong = pods.start(there, "famfs-demo-pod", "pong", DATA)
        ping = pods.run("a", "famfs-demo-pod", "ping", DATA)
        pong.result()
        trip = float(re.search(r"round_trip_us=([\d.]+)", ping)[1])
        tell(f"round trip a-{there} through the mapping, us", trip)
        pods.run("a", "python3", "-c", _FORGET, DATA)


# The mailbox holds the last round: a second game begins with an empty one.
_FORGET = """
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    mmap.mmap(file.fileno(), 4096)[:] = bytes(4096)
"""


def _checksum(report):
    return re.search(r"bytes=\d+ crc32=[0-9a-f]+", report)[0]
