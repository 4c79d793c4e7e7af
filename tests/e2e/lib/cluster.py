"""A cluster: any that a kubeconfig leads to."""

import json
import os
import subprocess
import time

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from lib.wait import OVERLOADED, PATIENCE, PAUSE


class CommandFailed(Exception):
    """A command in a container, or kubectl itself, ended with an error."""

    def __init__(self, command, result):
        self.status = result.returncode
        self.output = result.stdout + result.stderr
        super().__init__(f"{' '.join(command)} ended with {self.status}: {self.output[-2000:]}")


class Cluster:
    def __init__(self, kubeconfig):
        self.kubeconfig = kubeconfig
        config.load_kube_config(config_file=kubeconfig)
        self.core = client.CoreV1Api()
        self.apps = client.AppsV1Api()
        self.storage = client.StorageV1Api()

    def nodes(self):
        """The names of the nodes that pods can run on, sorted."""
        return sorted(
            node.metadata.name
            for node in self.core.list_node().items
            if not node.spec.unschedulable and _is(node, "Ready")
        )

    def kubectl(self, *arguments, stdin=None, timeout=300):
        """Runs kubectl and returns what it prints."""
        command = ["kubectl", "--kubeconfig", self.kubeconfig, *arguments]
        result = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
        if result.returncode != 0:
            raise CommandFailed(command, result)
        return result.stdout

    def execute(self, namespace, pod, *command, container=None, stdin=None, timeout=300):
        """Runs a command in a container and returns what it prints."""
        arguments = ["exec", "--namespace", namespace, pod]
        if container:
            arguments += ["--container", container]
        if stdin is not None:
            arguments += ["--stdin"]
        return self.kubectl(*arguments, "--", *command, stdin=stdin, timeout=timeout)

    def apply(self, *manifests):
        items = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
        self.kubectl("apply", "-f", "-", stdin=json.dumps(items))

    def events(self, namespace, kind, name):
        """The events of one object, as `REASON: message`."""
        found = self.core.list_namespaced_event(
            namespace, field_selector=f"involvedObject.kind={kind},involvedObject.name={name}"
        )
        return [f"{event.reason}: {event.message}" for event in found.items]

    def gone(self, read, *names):
        """Whether an object is not there: `gone(core.read_namespace, "x")`."""
        try:
            read(*names)
        except ApiException as error:
            if error.status == 404:
                return True
            raise
        return False


def done_once(call, *arguments, already, **options):
    """Makes a call that changes something, again where the API server is
    overloaded. `already` is what a second call is told of when the first one was
    done after all: 404 of a deletion, 409 of a creation."""
    deadline = time.monotonic() + PATIENCE
    again = False
    while True:
        try:
            call(*arguments, **options)
            return
        except ApiException as error:
            if again and error.status == already:
                return
            if error.status not in OVERLOADED or time.monotonic() > deadline:
                raise
        again = True
        time.sleep(PAUSE)


def _is(node, condition):
    return any(c.type == condition and c.status == "True" for c in node.status.conditions or [])


def kubeconfig_of_the_tests():
    """$KUBECONFIG, or what tests/e2e/up wrote."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.environ.get("KUBECONFIG") or os.path.join(cache, "famfs-csi/e2e/kubeconfig")
