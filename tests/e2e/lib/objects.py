"""Claims and pods as the API wants them, with what the tests vary."""

WORKLOAD_IMAGE = "docker.io/library/famfs-e2e-workload:e2e"
VOLUME_DIR = "/volume"
DATA = f"{VOLUME_DIR}/data"


def claim(name, storage_class, size="64Mi", modes=("ReadWriteMany",), **spec):
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "storageClassName": storage_class,
            "accessModes": list(modes),
            "resources": {"requests": {"storage": size}},
            **spec,
        },
    }


def storage_class(name, driver, parameters, mode="Immediate", **more):
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name},
        "provisioner": driver,
        "parameters": parameters,
        "volumeBindingMode": mode,
        **more,
    }


def pod(
    name,
    claims=(),
    command=("sleep", "infinity"),
    node=None,
    read_only_claim=False,
    read_only_mount=False,
    propagation=None,
    mount=None,
    security=None,
    limits=None,
    **spec,
):
    """A pod of one container that has the first claim at /volume, further ones
    at /volume-1 and so on. `mount` adds to each mount (subPath), `spec` to the
    pod. It ends at once when it is told to.
    """
    mounts, volumes = [], []
    for number, name_of_claim in enumerate([claims] if isinstance(claims, str) else claims):
        mounts.append(
            {
                "name": f"volume-{number}",
                "mountPath": VOLUME_DIR if number == 0 else f"{VOLUME_DIR}-{number}",
                "readOnly": read_only_mount,
                **({"mountPropagation": propagation} if propagation else {}),
                **(mount or {}),
            }
        )
        volumes.append(
            {
                "name": f"volume-{number}",
                "persistentVolumeClaim": {"claimName": name_of_claim, "readOnly": read_only_claim},
            }
        )
    container = {
        "name": "main",
        "image": WORKLOAD_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "volumeMounts": mounts,
    }
    if limits:
        container["resources"] = {"limits": limits, "requests": limits}
    placed = {"nodeSelector": {"kubernetes.io/hostname": node}} if node else {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": volumes,
            **({"securityContext": security} if security else {}),
            **placed,
            **spec,
        },
    }
