"""The progress page of the Helm values: a real hub accepts it, learners report to it, and only instructors see it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmhelpers.course import reporting
from tests.deploy.chart_hub import LIMIT_S, PREFIX, ChartHub
from tests.deploy.learner_pod import learner_objects, values

kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="`make test` installs the extra `deploy`")

OLDEST = "1.33"
PORT = 10101
SAME_FOR_ALL = "one for all"
PAGE = f"http://127.0.0.1{PREFIX}"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChartHub]:
    """Start the hub of the values, with a learner, an instructor, and a way for both to sign in."""
    given = copy.deepcopy(values()["hub"])
    given["config"]["JupyterHub"]["authenticator_class"] = "dummy"
    given["config"]["DummyAuthenticator"] = {"password": SAME_FOR_ALL}
    given["config"]["Authenticator"]["allowed_users"] = ["ada", "teacher"]
    given["config"]["JupyterHub"]["load_groups"]["instructors"]["users"] = ["teacher"]
    with ChartHub(given, tmp_path_factory.mktemp("hub")) as started:
        yield started


def test_learner_reports_and_only_the_instructor_sees_it(hub: ChartHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the course sends with a learner's token is on the instructor's page; the learner is refused with 403."""
    learner = hub.sign_in("ada", SAME_FOR_ALL)
    monkeypatch.setenv(reporting.ADDRESS, f"http://127.0.0.1:{hub.view_port}{PREFIX}")
    monkeypatch.setenv(reporting.TOKEN, hub.token(learner, "ada"))
    monkeypatch.setattr(reporting, "TIME_LIMIT_S", LIMIT_S)  # who may see it is held here, and not how fast it is
    assert reporting.send(reporting.message()) == {"label": "Learner 1"}
    instructor = hub.sign_in("teacher", SAME_FOR_ALL)
    page = instructor.get(PAGE, timeout=LIMIT_S)
    assert (page.status_code, "Learner 1" in page.text) == (200, True)
    for part in ("", "table", "progress.csv"):
        answer = learner.get(PAGE + part, timeout=LIMIT_S)
        assert (answer.status_code, "Learner 1" in answer.text) == (403, False)


def test_seat_reports_to_where_the_service_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's address for reports is the hub's own Service, its extra port, and the service's prefix."""
    found = values()
    pod, _ = learner_objects(found["singleuser"], tmp_path, monkeypatch)
    notebook = next(one for one in pod["spec"]["containers"] if one["name"] == "notebook")
    environment = {one["name"]: one.get("value") for one in notebook["env"]}
    assert environment[reporting.ADDRESS] == found["hub"]["services"]["progress"]["url"] + PREFIX
    assert found["hub"]["services"]["progress"]["url"] == f"http://hub:{PORT}"
    (extra,) = found["hub"]["service"]["extraPorts"]
    (container,) = found["hub"]["extraContainers"]
    assert extra["port"] == PORT
    assert {one["name"]: one["containerPort"] for one in container["ports"]}[extra["targetPort"]] == PORT


def test_view_is_a_valid_container_without_privileges() -> None:
    """The container and its volume hold against Kubernetes' schema, and it may nothing beyond its own folder."""
    hub = values()["hub"]
    (container,) = hub["extraContainers"]
    spec = {"containers": [container], "volumes": hub["extraVolumes"]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hub"}, "spec": spec}
    kubernetes_validate.validate(pod, OLDEST, strict=True)
    assert {one["name"] for one in container["volumeMounts"]} == {one["name"] for one in hub["extraVolumes"]}
    security: dict[str, Any] = container["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False


def test_network_lets_proxy_and_seats_through_to_the_view_alone() -> None:
    """The three rules are valid ones, and each opens the view's port and no other."""
    found = values()
    rules = {
        "ingress": found["hub"]["networkPolicy"]["ingress"],
        "egress": [
            *found["proxy"]["chp"]["networkPolicy"]["egress"],
            *found["singleuser"]["networkPolicy"]["egress"],
        ],
    }
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "view"},
        "spec": {"podSelector": {}, **rules},
    }
    kubernetes_validate.validate(policy, OLDEST, strict=True)
    for rule in (*rules["ingress"], *rules["egress"]):
        assert [one["port"] for one in rule["ports"]] == [PORT]
        assert all(one["podSelector"]["matchLabels"] for one in rule.get("from", []) + rule.get("to", []))
