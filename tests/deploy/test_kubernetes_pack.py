"""The pack on Kubernetes: seats that are told of a mirror, and a mirror that they may and can reach."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from dmhelpers.cli import make_parser
from tests.deploy.learner_pod import VALUES, learner_objects, values

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="`make test` installs the extra `deploy`")

OLDEST = "1.33"
NAMESPACE = "workshop"


def _overlay() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((VALUES.parent / "pack.yaml").read_text(encoding="utf-8"))
    return read


def _merged(under: Any, over: Any) -> Any:
    """Return what Helm makes of two files of values: maps are merged, all else is replaced."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return copy.deepcopy(over)
    return {**under, **{name: _merged(under.get(name), value) for name, value in over.items()}}


def _mirror() -> dict[str, dict[str, Any]]:
    read = yaml.safe_load_all((VALUES.parent / "mirror.yaml").read_text(encoding="utf-8"))
    return {one["kind"]: one for one in read}


def _environment(singleuser: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    pod, _ = learner_objects(singleuser, folder, monkeypatch)
    notebook = next(one for one in pod["spec"]["containers"] if one["name"] == "notebook")
    return {one["name"]: one.get("value", "") for one in notebook["env"]}


def test_seat_is_told_patience_and_with_the_pack_its_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A seat's time limits are ten times the usual; with pack.yaml it has the mirror's full name and port as well."""
    plain = values()["singleuser"]
    alone = _environment(plain, tmp_path, monkeypatch)
    assert (alone["DMHELPERS_PATIENCE"], alone.get("WORKSHOP_MIRROR")) == ("10", None)
    told = _environment(_merged(plain, _overlay()["singleuser"]), tmp_path, monkeypatch)
    (port,) = _mirror()["Service"]["spec"]["ports"]
    name = _mirror()["Service"]["metadata"]["name"]
    assert told["WORKSHOP_MIRROR"] == f"http://{name}.{NAMESPACE}.svc.cluster.local:{port['port']}"
    assert told.keys() == {*alone, "WORKSHOP_MIRROR"}


@pytest.mark.parametrize("version", [OLDEST, "1.36"])
def test_mirror_is_valid_and_without_privileges(version: str) -> None:
    """Deployment and Service hold against the strict schema; the container may write to its own folder alone."""
    for one in _mirror().values():
        kubernetes_validate.validate(one, version, strict=True)
    (container,) = _mirror()["Deployment"]["spec"]["template"]["spec"]["containers"]
    security = container["securityContext"]
    assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
    assert (security["allowPrivilegeEscalation"], security["capabilities"]) == (False, {"drop": ["ALL"]})
    (mount,) = container["volumeMounts"]
    assert {one["name"]: one["value"] for one in container["env"]}["DMHELPERS_HOME"] == mount["mountPath"]


def test_mirror_runs_the_courses_own_command() -> None:
    """The container's arguments are read by the course's command line, and its port is the one that is served."""
    template = _mirror()["Deployment"]["spec"]["template"]
    (container,) = template["spec"]["containers"]
    asked = make_parser().parse_args(container["args"])
    assert str(asked.file) == "/opt/pack/course-pack.tar"
    assert asked.address == "0.0.0.0"  # noqa: S104  of the container, compared
    assert container["ports"] == [{"name": "mirror", "containerPort": asked.port}]
    assert _mirror()["Service"]["spec"]["ports"][0]["targetPort"] == "mirror"
    assert container["readinessProbe"]["httpGet"] == {"path": "/-/ping", "port": "mirror"}
    labels = template["metadata"]["labels"]
    assert labels == _mirror()["Service"]["spec"]["selector"]
    assert labels == _mirror()["Deployment"]["spec"]["selector"]["matchLabels"]


def test_seats_reach_the_mirror_and_the_view_and_no_more() -> None:
    """pack.yaml keeps the rule of values.yaml, adds one for the mirror's pods and port, and closes the internet."""
    before = values()["singleuser"]["networkPolicy"]
    policy = _merged(before, _overlay()["singleuser"]["networkPolicy"])
    *kept, rule = policy["egress"]
    assert kept == before["egress"]
    labels = _mirror()["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert rule["to"] == [{"podSelector": {"matchLabels": labels}}]
    assert rule["ports"] == [{"port": _mirror()["Service"]["spec"]["ports"][0]["port"]}]
    assert set(policy["egressAllowRules"].values()) == {False}
    spec = {"podSelector": {}, "egress": policy["egress"]}
    valid = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "seats"},
        "spec": spec,
    }
    kubernetes_validate.validate(valid, OLDEST, strict=True)
