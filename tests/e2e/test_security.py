"""What the driver's processes may do on a node (docs/security.md)."""

import json

import pytest

pytestmark = pytest.mark.smoke

SYS_ADMIN, LINUX_IMMUTABLE, DAC_READ_SEARCH = 1 << 21, 1 << 9, 1 << 2

# Runs in the inspector, whose /proc is the node's: the status of a pod's
# processes, by program.
_STATUS = """
import json, os, sys
uid, found = sys.argv[1], {}
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        group = open('/proc/' + pid + '/cgroup').read()
        name = os.path.basename(open('/proc/' + pid + '/cmdline').read().split(chr(0))[0])
        status = dict(line.split(':', 1) for line in open('/proc/' + pid + '/status'))
    except OSError:
        continue
    if (uid in group or uid.replace('-', '_') in group) and name:
        found[name] = {key: value.strip() for key, value in status.items()}
print(json.dumps(found))
"""


def test_node_processes_keep_no_more_than_they_need(driver, nodes):
    for node in nodes:
        pod = driver.node_pod(node)
        text = driver.inspector.execute(node, "python3", "-c", _STATUS, pod.metadata.uid)
        found = json.loads(text)
        for program, kept in (
            ("famfs-csi-node", SYS_ADMIN | LINUX_IMMUTABLE | DAC_READ_SEARCH),
            ("famfs-fused-spawner", SYS_ADMIN | LINUX_IMMUTABLE),
            ("famfs-fused", SYS_ADMIN | LINUX_IMMUTABLE),
        ):
            status = found[program]
            for which in ("CapPrm", "CapEff", "CapBnd"):
                assert int(status[which], 16) == kept, (program, which, status[which])
            assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", (program, status)


def test_only_the_plugin_is_privileged(driver, nodes):
    for pod in [driver.controller_pod(), *(driver.node_pod(node) for node in nodes)]:
        privileged = {c.name for c in pod.spec.containers if c.security_context and c.security_context.privileged}
        assert privileged <= {"node"}, pod.metadata.name
