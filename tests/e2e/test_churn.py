"""Must show 3: whatever comes and goes, in whatever order, leaves nothing behind."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.objects import DATA
from lib.wait import NotYet, until

CLAIMS = 50
ROUNDS = 3
# From the last deletion until nothing is left of it anywhere. The documented
# bound of a cluster that is not overloaded; this machine has two cores for all.
BOUND_SECONDS = 120


@pytest.fixture
def nothing_left(driver, tell):
    """Compares all that the driver has in the cluster with what was there before."""
    before = driver.at_rest()

    def check(label):
        start = time.monotonic()

        def probe():
            now = driver.traces()
            if now != before:
                raise NotYet({what: (before[what], now[what]) for what in before if now[what] != before[what]})
            return True

        until("nothing is left", probe, BOUND_SECONDS)
        tell(f"{label}: nothing left after, s", round(time.monotonic() - start, 1))

    return check


def pod_first(workspace, claim):
    workspace.delete_pod(claim)
    workspace.delete_claim(claim)


def claim_first(workspace, claim):
    workspace.delete_claim(claim, wait=False)
    workspace.delete_pod(claim)


def both_at_once(workspace, claim):
    workspace.delete_pod(claim, wait=False)
    workspace.delete_claim(claim, wait=False)


def pod_from_under_kubelet(workspace, claim):
    """Force: the API forgets the pod before kubelet has unmounted anything."""
    force = ("--force", "--grace-period=0", "--wait=false")
    workspace.cluster.kubectl("delete", "pod", claim, "-n", workspace.name, *force)
    workspace.delete_claim(claim, wait=False)


ORDERS = [pod_first, claim_first, both_at_once, pod_from_under_kubelet]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.__name__)
def test_every_order_of_deletion(workspace, three_nodes, nothing_left, order):
    workspace.claim("it")
    workspace.pod("it", "it", node=three_nodes[1])
    workspace.run("it", "famfs-demo-pod", "write", DATA)
    order(workspace, "it")
    nothing_left(order.__name__)


def test_claim_deleted_while_it_is_provisioned(workspace, nothing_left):
    for number in range(10):
        workspace.claim(f"brief-{number}", bound=False)
        workspace.delete_claim(f"brief-{number}", wait=False)
    nothing_left("deleted while provisioned")


def test_pod_deleted_while_it_starts(workspace, three_nodes, nothing_left):
    for number in range(6):
        name = f"brief-{number}"
        workspace.claim(name)
        workspace.pod(name, name, node=three_nodes[number % 3], running=False)
        both_at_once(workspace, name)
    nothing_left("deleted while starting")


def test_namespace_deleted_with_all_in_it(cluster, workspace, three_nodes, nothing_left):
    for number, node in enumerate(three_nodes):
        workspace.claim(f"claim-{number}", bound=False)
        workspace.pod(f"pod-{number}", f"claim-{number}", node=node, running=False)
    for number in range(3):
        workspace.running(f"pod-{number}")
    cluster.core.delete_namespace(workspace.name)
    until("the namespace is gone", lambda: cluster.gone(cluster.core.read_namespace, workspace.name))
    nothing_left("namespace")


def test_fifty_claims_in_parallel(workspace, three_nodes, nothing_left):
    """Each pod stores its own mark in its own claim and must find no other's."""
    names = [f"claim-{number:02}" for number in range(CLAIMS)]
    with ThreadPoolExecutor(max_workers=CLAIMS) as together:
        for turn in range(ROUNDS):
            list(together.map(lambda name: workspace.claim(name, bound=False, size="16Mi"), names))
            for number, name in enumerate(names):
                workspace.pod(
                    name,
                    name,
                    node=three_nodes[number % 3],
                    running=False,
                    command=("sh", "-c", _MARK, "sh", name),
                    # runc on a starved machine fails to start one of many.
                    restartPolicy="OnFailure",
                )
            for name in names:
                workspace.running(name)
            for name in names:
                assert workspace.logs(name).split() == ["zero", name]
            random.Random(turn).shuffle(names)
            deletions = [ORDERS[number % len(ORDERS)] for number in range(CLAIMS)]
            list(together.map(lambda order, name: order(workspace, name), deletions, names))
            nothing_left(f"round {turn + 1} of {CLAIMS} claims")


# A claim begins as zeros; what is stored is found again.
_MARK = f"""
cmp -s -n 16777216 {DATA} /dev/zero && echo zero
printf %s "$1" | dd of={DATA} conv=notrunc status=none
head -c "${{#1}}" {DATA} && echo
exec sleep infinity
"""
