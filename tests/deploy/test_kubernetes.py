"""The Helm values make pods that Kubernetes' own schema accepts, with the learner's engine in a sidecar."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.learner_pod import learner_objects, values

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="`make test` installs the extra `deploy`")

OLDEST = "1.33"
"""User namespaces and `procMount` need no feature gate from here on."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make a learner's pod and volume claim from the values as they are."""
    return learner_objects(values()["singleuser"], tmp_path, monkeypatch)


@pytest.fixture
def pod(made: tuple[dict[str, Any], dict[str, Any]]) -> dict[str, Any]:
    """Make a learner's pod."""
    return made[0]


def _containers(pod: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in pod["spec"]["containers"]}


@pytest.mark.parametrize("version", [OLDEST, "1.36"])
def test_objects_are_valid(made: tuple[dict[str, Any], dict[str, Any]], version: str) -> None:
    """The pod and the volume claim hold against the strict schema of the oldest and of a newer Kubernetes."""
    for one in made:
        kubernetes_validate.validate(one, version, strict=True)


@pytest.mark.parametrize("wrong", [{"procmount": "Unmasked"}, {"runAsUser": "learner"}])
def test_misspelt_value_is_found(wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt key or a wrong type in the values does not pass."""
    singleuser = copy.deepcopy(values()["singleuser"])
    singleuser["extraContainers"][0]["securityContext"] |= wrong
    pod, _ = learner_objects(singleuser, tmp_path, monkeypatch)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(pod, OLDEST, strict=True)


def test_only_the_engine_may_gain_privileges(pod: dict[str, Any]) -> None:
    """The learner's own container cannot gain privileges, the engine two capabilities; no container is privileged."""
    containers = _containers(pod)
    assert set(containers) == {"notebook", "engine"}
    assert containers["notebook"]["securityContext"]["allowPrivilegeEscalation"] is False
    engine = containers["engine"]["securityContext"]
    assert engine["capabilities"] == {"drop": ["ALL"], "add": ["SETUID", "SETGID"]}
    assert all(not one["securityContext"].get("privileged") for one in containers.values())
    assert all(one["securityContext"].get("runAsUser") == 1000 for one in containers.values())
    assert not pod["spec"].get("initContainers")


def test_pod_is_in_a_user_namespace(pod: dict[str, Any]) -> None:
    """The pod shares no namespace with its node; Kubernetes grants an unmasked proc only then."""
    spec = pod["spec"]
    assert spec["hostUsers"] is False
    assert _containers(pod)["engine"]["securityContext"]["procMount"] == "Unmasked"
    assert not any(spec.get(one) for one in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))
    assert spec["automountServiceAccountToken"] is False
    paths = [one["hostPath"]["path"] for one in spec["volumes"] if "hostPath" in one]
    assert paths == ["/dev/net/tun"]


@pytest.mark.parametrize("file", ["subuid", "subgid"])
def test_engines_users_are_within_the_pods(file: str) -> None:
    """The engine's range of users lies in the 65,536 that a pod has, and beside the learner's own."""
    singleuser = values()["singleuser"]
    name, first, count = singleuser["extraFiles"][file]["stringData"].strip().split(":")
    engines = range(int(first), int(first) + int(count))
    assert name == "learner"
    assert engines[-1] <= 65535
    assert singleuser["uid"] not in engines
    assert 0 not in engines


def test_every_mount_has_its_volume(pod: dict[str, Any]) -> None:
    """Each mount of each container names a volume of the pod, and no two mounts of a container share a path."""
    volumes = {one["name"] for one in pod["spec"]["volumes"]}
    for container in pod["spec"]["containers"]:
        paths = [one["mountPath"] for one in container["volumeMounts"]]
        assert {one["name"] for one in container["volumeMounts"]} <= volumes
        assert len(paths) == len(set(paths))


def test_both_containers_see_home_and_socket_alike(pod: dict[str, Any]) -> None:
    """Home and the engine's socket stand at one path in both, so that `docker run -v $PWD:/x` means what it says."""
    seat, engine = (
        {one["mountPath"]: one["name"] for one in _containers(pod)[name]["volumeMounts"]}
        for name in ("notebook", "engine")
    )
    assert seat["/home/learner"] == engine["/home/learner"] == "volume-ada"
    assert seat["/run/user/1000"] == engine["/run/user/1000"] == "engine-socket"


def test_engines_data_is_its_own(pod: dict[str, Any]) -> None:
    """The engine's home is the volume for its data, which the seat does not see and which is in nobody's home."""
    containers = _containers(pod)
    home = {one["name"]: one["value"] for one in containers["engine"]["env"]}["HOME"]
    where = {
        name: [one["mountPath"] for one in containers[name]["volumeMounts"] if one["name"] == "engine-data"]
        for name in containers
    }
    assert where == {"engine": [home], "notebook": []}
    assert not Path(home).is_relative_to("/home/learner")


def test_volumes_belong_to_a_group_that_the_engine_has(pod: dict[str, Any]) -> None:
    """The pod's group for volumes is the engine's own: it cannot give its socket to another."""
    assert pod["spec"]["securityContext"]["fsGroup"] == _containers(pod)["engine"]["securityContext"]["runAsGroup"]


def test_everything_is_limited(pod: dict[str, Any]) -> None:
    """Both containers have limits for memory and processor, and what the engine stores has one too."""
    for container in pod["spec"]["containers"]:
        assert {"cpu", "memory"} <= set(container["resources"]["limits"])
    data = next(one for one in pod["spec"]["volumes"] if one["name"] == "engine-data")
    assert data["emptyDir"]["sizeLimit"]


def test_one_image_serves_both(pod: dict[str, Any]) -> None:
    """The image named twice in the values is one image, so that one pull per node is enough."""
    images = {one["image"] for one in pod["spec"]["containers"]}
    assert len(images) == 1


def test_nobody_gets_in_before_sign_in_is_set() -> None:
    """The values as they are let nobody sign in, and keep learners from each other and from the cluster."""
    found = values()
    assert found["hub"]["config"]["JupyterHub"]["authenticator_class"] == "null"
    policy = found["singleuser"]["networkPolicy"]
    assert policy["enabled"] is True
    assert policy["egressAllowRules"]["privateIPs"] is False
    assert policy["egressAllowRules"]["cloudMetadataServer"] is False
