"""The pod of one learner, made offline by KubeSpawner itself from the Helm values.

The chart's hub hands its values to KubeSpawner's traits; `spawner_config` does so for those that the values set.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

VALUES = Path(__file__).parents[2] / "deploy" / "kubernetes" / "values.yaml"
_NO_CLUSTER = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": "http://localhost:1"}}],
    "users": [{"name": "nobody", "user": {}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "nobody"}}],
    "current-context": "none",
}
_PASSED_ON = {
    "allowPrivilegeEscalation": "allow_privilege_escalation",
    "defaultUrl": "default_url",
    "extraContainers": "extra_containers",
    "extraEnv": "environment",
    "extraPodConfig": "extra_pod_config",
    "fsGid": "fs_gid",
    "startTimeout": "start_timeout",
    "uid": "uid",
}
_HANDLED = {"image", "memory", "cpu", "storage", "extraFiles"}
_NOT_IN_THE_POD = {"networkPolicy", "cloudMetadata"}


def values() -> dict[str, Any]:
    """Return the Helm values."""
    read: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    return read


def spawner_config(singleuser: dict[str, Any]) -> dict[str, Any]:
    """Return KubeSpawner's traits as the chart sets them from `singleuser`; an unknown key fails."""
    unknown = set(singleuser) - set(_PASSED_ON) - _HANDLED - _NOT_IN_THE_POD
    assert not unknown, f"not handed on to the pod: {sorted(unknown)}"
    storage, image = singleuser["storage"], singleuser["image"]
    volume, files = storage["dynamic"]["volumeNameTemplate"], singleuser["extraFiles"]
    items = [{"key": name, "path": name} for name in files]
    return {
        **{trait: singleuser[key] for key, trait in _PASSED_ON.items() if key in singleuser},
        "cmd": ["jupyterhub-singleuser"],
        "image": f"{image['name']}:{image['tag']}",
        "image_pull_policy": image["pullPolicy"],
        "mem_limit": singleuser["memory"]["limit"],
        "mem_guarantee": singleuser["memory"]["guarantee"],
        "cpu_limit": singleuser["cpu"]["limit"],
        "cpu_guarantee": singleuser["cpu"]["guarantee"],
        "pvc_name_template": storage["dynamic"]["pvcNameTemplate"],
        "storage_access_modes": storage["dynamic"]["storageAccessModes"],
        "storage_capacity": storage["capacity"],
        "storage_pvc_ensure": True,
        "volumes": [
            {"name": volume, "persistentVolumeClaim": {"claimName": storage["dynamic"]["pvcNameTemplate"]}},
            {"name": "files", "secret": {"secretName": "singleuser", "items": items}},
            *storage["extraVolumes"],
        ],
        "volume_mounts": [
            {"mountPath": storage["homeMountPath"], "name": volume},
            *({"mountPath": one["mountPath"], "subPath": name, "name": "files"} for name, one in files.items()),
            *storage["extraVolumeMounts"],
        ],
    }


def learner_objects(
    singleuser: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch, *, learner: str = "ada"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the pod and the volume claim that KubeSpawner would send for a learner."""
    from jupyterhub.objects import Hub, Server
    from jupyterhub.orm import Spawner
    from kubernetes_asyncio.client import ApiClient
    from kubespawner import KubeSpawner
    from traitlets.config import Config

    nowhere = folder / "kubeconfig"
    nowhere.write_text(yaml.safe_dump(_NO_CLUSTER), encoding="utf-8")
    monkeypatch.setenv("KUBECONFIG", str(nowhere))
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(nowhere))

    async def make() -> tuple[dict[str, Any], dict[str, Any]]:
        config = Config({"KubeSpawner": spawner_config(singleuser)})
        spawner = KubeSpawner(config=config, _mock=True, hub=Hub(), orm_spawner=Spawner(name=""))
        spawner.user.name, spawner.server = learner, Server(ip="", port=8888, base_url=f"/user/{learner}/")
        async with ApiClient() as client:
            return (
                client.sanitize_for_serialization(await spawner.get_pod_manifest()),
                client.sanitize_for_serialization(spawner.get_pvc_manifest()),
            )

    return asyncio.run(make())
