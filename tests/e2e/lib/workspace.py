"""A namespace of one test: its claims and pods, and waiting for them."""

from concurrent.futures import ThreadPoolExecutor

from lib import objects
from lib.cluster import done_once
from lib.wait import NotYet, until


class Workspace:
    def __init__(self, cluster, name, storage_class):
        self.cluster = cluster
        self.name = name
        self.storage_class = storage_class
        self._background = ThreadPoolExecutor(max_workers=32)

    def empty(self, but=()):
        """Deletes all pods and claims, and waits until their volumes are gone,
        except those volumes that nobody deletes for a claim."""
        core = self.cluster.core
        core.delete_collection_namespaced_pod(self.name, grace_period_seconds=0)
        core.delete_collection_namespaced_persistent_volume_claim(self.name)
        until(f"the pods of {self.name} are gone", lambda: not core.list_namespaced_pod(self.name).items)
        until(f"the volumes of {self.name} are gone", lambda: not set(self.volumes()) - set(but))

    def volumes(self):
        """The names of the PersistentVolumes of this namespace's claims, also of
        those that are gone."""
        found = self.cluster.core.list_persistent_volume().items
        return sorted(v.metadata.name for v in found if v.spec.claim_ref and v.spec.claim_ref.namespace == self.name)

    # Claims

    def claim(self, name, storage_class=None, bound=True, **options):
        """Makes a claim; with `bound` waits until it has a volume."""
        manifest = objects.claim(name, self.storage_class if storage_class is None else storage_class, **options)
        done_once(self.cluster.core.create_namespaced_persistent_volume_claim, self.name, manifest, already=409)
        if bound:
            self.bound(name)
        return name

    def bound(self, name):
        """Waits until a claim is bound and returns the name of its volume."""

        def probe():
            found = self.cluster.core.read_namespaced_persistent_volume_claim(name, self.name)
            if found.status.phase == "Bound":
                return found.spec.volume_name
            raise NotYet(f"{found.status.phase}, {self.events('PersistentVolumeClaim', name)}")

        return until(f"claim {name} is bound", probe)

    def delete_claim(self, name, wait=True):
        read = self.cluster.core.read_namespaced_persistent_volume_claim
        done_once(self.cluster.core.delete_namespaced_persistent_volume_claim, name, self.name, already=404)
        if wait:
            until(f"claim {name} is gone", lambda: self.cluster.gone(read, name, self.name))

    # Pods

    def pod(self, name, claims=(), running=True, **options):
        """Makes a pod; with `running` waits until it runs."""
        done_once(
            self.cluster.core.create_namespaced_pod, self.name, objects.pod(name, claims, **options), already=409
        )
        if running:
            self.running(name)
        return name

    def status(self, name):
        return self.cluster.core.read_namespaced_pod(name, self.name)

    def running(self, name):
        def probe():
            pod = self.status(name)
            if pod.status.phase == "Running":
                return pod
            if pod.status.phase in ("Failed", "Succeeded"):
                raise RuntimeError(f"pod {name} ended: {pod.status.phase}: {self.logs(name)}")
            raise NotYet(f"{pod.status.phase}, {self.events('Pod', name)}")

        return until(f"pod {name} runs", probe)

    def ended_well(self, name):
        """Waits for a pod's end, which must be a success; returns its log."""

        def probe():
            phase = self.status(name).status.phase
            if phase == "Failed":
                raise RuntimeError(f"pod {name} failed: {self.logs(name)}")
            if phase != "Succeeded":
                raise NotYet(f"{phase}, {self.events('Pod', name)}")
            return True

        until(f"pod {name} ended", probe)
        return self.logs(name)

    def logs(self, name):
        return self.cluster.kubectl("logs", "--namespace", self.name, name)

    def delete_pod(self, name, wait=True):
        done_once(self.cluster.core.delete_namespaced_pod, name, self.name, grace_period_seconds=0, already=404)
        if wait:
            self.pod_gone(name)

    def pod_gone(self, name):
        read = self.cluster.core.read_namespaced_pod
        until(f"pod {name} is gone", lambda: self.cluster.gone(read, name, self.name))

    def run(self, pod, *command, **options):
        """Runs a command in a pod and returns what it prints, without the end of
        the line."""
        return self.cluster.execute(self.name, pod, *command, **options).rstrip("\n")

    def start(self, pod, *command, **options):
        """Like run, in the background: returns a future."""
        return self._background.submit(self.run, pod, *command, **options)

    def events(self, kind, name):
        return self.cluster.events(self.name, kind, name)
