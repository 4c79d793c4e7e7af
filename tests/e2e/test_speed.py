"""Must show 8: from a claim to a running pod, and the driver's part of it."""

import math
import time
from collections import defaultdict

from lib.objects import VOLUME_DIR

ROUNDS = 30
PODS = 100
CONTROLLER_PORT = 9810
NODE_PORT = 9820
METRIC = "famfs_csi_rpc_duration_seconds"


def test_from_a_claim_to_a_running_pod(workspace, driver, nodes, tell):
    before = spent(driver)
    times = []
    for number in range(ROUNDS):
        name = f"n{number}"
        start = time.monotonic()
        workspace.claim(name, bound=False)
        workspace.pod(name, name, running=False, node=nodes[number % len(nodes)])
        workspace.running(name)
        times.append(time.monotonic() - start)
        workspace.delete_pod(name)
        workspace.delete_claim(name)
    tell("claim to running pod, p50, s", f"{percentile(times, 50):.2f}")
    tell("claim to running pod, p99, s", f"{percentile(times, 99):.2f}")
    after = spent(driver)
    ours = 0.0
    for method in ("CreateVolume", "NodeStageVolume", "NodePublishVolume"):
        mean = report(tell, method, before, after, at_least=ROUNDS)
        ours += mean
    tell("of that the driver's, mean, ms", f"{1000 * ours:.2f}")
    assert ours < sum(times) / len(times), "the driver cannot take longer than the whole"


def test_a_hundred_pods_on_one_claim(workspace, driver, tell):
    workspace.claim("shared")
    before = spent(driver)
    start = time.monotonic()
    names = [f"p{number}" for number in range(PODS)]
    for name in names:
        # runc on a starved machine fails to start one of many.
        workspace.pod(name, "shared", running=False, restartPolicy="OnFailure")
    for name in names:
        workspace.running(name)
    tell(f"{PODS} pods on one claim, all running after, s", f"{time.monotonic() - start:.1f}")
    after = spent(driver)
    report(tell, "NodeStageVolume", before, after)
    report(tell, "NodePublishVolume", before, after, at_least=PODS)
    for name in (names[0], names[-1]):
        assert workspace.run(name, "ls", VOLUME_DIR).split() == ["data"]


def spent(driver):
    """How many good calls of each method the driver has served, and the seconds
    they took: {method: (calls, seconds)}."""
    calls = defaultdict(float)
    seconds = defaultdict(float)
    pods = [(driver.controller_pod(), CONTROLLER_PORT)]
    pods += [(pod, NODE_PORT) for pod in driver.pods("node")]
    for pod, port in pods:
        for name, labels, value in driver.metrics(pod, port):
            if labels.get("code") != "OK":
                continue
            if name == f"{METRIC}_count":
                calls[labels["method"]] += value
            elif name == f"{METRIC}_sum":
                seconds[labels["method"]] += value
    return {method: (calls[method], seconds[method]) for method in calls}


def report(tell, method, before, after, at_least=1):
    """Tells the mean of what came between, and returns it in seconds."""
    calls, seconds = (a - b for a, b in zip(after[method], before.get(method, (0, 0)), strict=True))
    assert calls >= at_least, f"{method}: the histogram counted {calls} calls"
    tell(f"{method}, mean of {calls:.0f} (the driver's histogram), ms", f"{1000 * seconds / calls:.2f}")
    return seconds / calls


def percentile(values, percent):
    """The smallest value that `percent` of all are not above."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]
