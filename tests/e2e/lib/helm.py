"""Helm, as a user calls it."""

import subprocess

from lib.cluster import CommandFailed


class Helm:
    def __init__(self, program, cluster, namespace):
        self.program = program
        self.cluster = cluster
        self.namespace = namespace
        version = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=True).stdout
        # Helm 4 would wait until the node pods, which are OnDelete, are replaced.
        self.wait = "--wait=legacy" if version.startswith("v4") else "--wait"

    def __call__(self, *arguments, timeout=600):
        """Runs `helm ARGUMENTS` and returns what it prints; CommandFailed, with
        its output, when it refuses."""
        command = [
            self.program,
            "--kubeconfig",
            self.cluster.kubeconfig,
            "--namespace",
            self.namespace,
            *arguments,
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        if result.returncode != 0:
            raise CommandFailed(command, result)
        return result.stdout + result.stderr

    def install(self, release, chart, *options):
        how = ("upgrade", "--install", "--create-namespace", self.wait, "--timeout", "5m")
        return self(*how, release, chart, *options)

    def installed(self, release):
        try:
            self("status", release)
        except CommandFailed as error:
            if "not found" in error.output:
                return False
            raise
        return True
