"""The gates in recorded mode: the recording answers, and no engine is ever looked for."""

from __future__ import annotations

import json
from pathlib import Path

import docker.errors
import pytest
import requests

from dmhelpers.engine import places
from dmhelpers.engine.client import api, docker_cli, engine_answers, get_json
from dmhelpers.engine.containers import execute
from dmhelpers.engine.doctor import doctor
from dmhelpers.engine.recorded import requests as forms
from dmhelpers.engine.recorded import service, session
from dmhelpers.engine.recorded.store import Exchange
from dmhelpers.errors import CommandFailed, InputError, NotRecorded


def http(method, path, body, *, status=200, sent=None, kind="http"):
    """Return the exchange of a request to the Engine API."""
    answer = {"status": status, "headers": {}, "chunked": False, "body": {"text": body}}
    return Exchange(kind, forms.http_request(method, f"http://x/v1.45{path}", sent), answer)


def test_the_api_answers_from_the_recording(recorded_mode):
    """A GET gives what was recorded, by docker-py and without it; a recorded 404 is docker-py's NotFound."""
    recorded_mode(
        http("GET", "/images/a:1/json", '{"Id": "sha256:1"}'),
        http("GET", "/images/b:1/json", '{"message": "No such image: b:1"}', status=404),
    )
    assert get_json("/images/a:1/json") == {"Id": "sha256:1"}
    assert api().inspect_image("a:1") == {"Id": "sha256:1"}
    with pytest.raises(docker.errors.NotFound):
        get_json("/images/b:1/json")


def test_what_was_not_asked_is_not_answered(recorded_mode):
    """A question that is not in the recording is an error of the course, whichever gate it takes."""
    recorded_mode()
    with pytest.raises(NotRecorded, match="the image c:1"):
        get_json("/images/c:1/json")
    with pytest.raises(NotRecorded, match="docker ps"):
        docker_cli(["ps"], timeout_s=1)


def test_removing_what_is_not_there_is_no_error_of_the_recording(recorded_mode):
    """On no engine there is nothing to remove: the answer is the engine's own for what is gone."""
    recorded_mode()
    with pytest.raises(docker.errors.NotFound), engine_answers():
        api().remove_image("a:1")


def test_a_container_prints_what_it_printed(recorded_mode):
    """Frames of standard output and standard error come apart as the engine's own do."""
    frames = "".join(f"{chr(stream)}\0\0\0\0\0\0{chr(len(text))}{text}" for stream, text in ((1, "out"), (2, "err")))
    recorded_mode(
        http("GET", "/containers/c/json", '{"Config": {"Tty": false}}'),
        http("GET", "/containers/c/logs?stderr=1&stdout=1&timestamps=0&follow=0&tail=all", frames),
        Exchange("execute", forms.as_text({"container": "c", "command": ["ls"]}), [3, "listed"]),
    )
    assert b"".join(api().logs("c", stream=True, follow=False)) == b"outerr"
    assert execute("c", ["ls"]) == (3, "listed")


def test_a_command_answers_and_writes_its_file(recorded_mode, tmp_path):
    """A recorded command prints and fails as it did, and its file is written where it is asked for."""
    copied = {"exit_code": 0, "stdout": "", "stderr": "", "file": {"text": "content"}}
    failed = {"exit_code": 1, "stdout": "", "stderr": "no such thing", "file": None}
    recorded_mode(
        Exchange("command", forms.as_text(["cp", "c:/a", "FOLDER"]), copied),
        Exchange("command", forms.as_text(["inspect", "x"]), failed),
    )
    docker_cli(["cp", "c:/a", str(tmp_path / "a")], timeout_s=1)
    assert (tmp_path / "a").read_text() == "content"
    with pytest.raises(CommandFailed, match="no such thing"):
        docker_cli(["inspect", "x"], timeout_s=1)


def test_a_service_is_answered_from_here(recorded_mode):
    """A recorded path answers as the container did; another one says with 501 what to do."""
    answer = {"status": 418, "type": "application/json", "body": {"text": '{"a":1}'}}
    recorded_mode(Exchange("service", forms.as_text("c GET /tea "), answer))
    with service.through("c", "http://127.0.0.1:1") as url:
        assert url.startswith("http://127.0.0.1:")
        found = requests.get(f"{url}/tea", timeout=300)
        assert (found.status_code, found.json()) == (418, {"a": 1})
        other = requests.get(f"{url}/coffee", timeout=300)
        assert other.status_code == 501
        assert "dmhelpers record" in other.text


def test_the_doctor_says_that_it_is_recorded(recorded_mode):
    """The report is the recorded one, and its verdict says so."""
    row = {"name": "engine", "status": "ok", "detail": "an engine answers", "hint": ""}
    recorded_mode(Exchange("doctor", "doctor", [1.5, [row]]))
    assert "recorded on 2026-01-02 with Docker Engine 26.1.5 (linux/amd64)" in doctor().verdict
    assert "recorded on" in str(doctor())
    assert "recorded on" in doctor()._repr_html_()


def test_an_unknown_mode_is_a_wrong_call(monkeypatch):
    """A misspelt mode is never taken for an engine of one's own."""
    monkeypatch.setenv("DMHELPERS_ENGINE", "recorderd")
    with pytest.raises(InputError, match="'recorderd'"):
        get_json("/info")


def test_a_recording_that_is_not_there_is_explained(monkeypatch, tmp_path):
    """A folder without a recording, or a file that is none, says how to make one."""
    monkeypatch.setenv("DMHELPERS_ENGINE", "recorded")
    other = tmp_path / "notes.zip"
    other.write_text("no archive")
    for place in (tmp_path / "nothing", other):
        monkeypatch.setenv("DMHELPERS_RECORDING", str(place))
        session.forget()
        with pytest.raises(InputError, match=r"There is no recording in '(nothing|notes.zip)'.") as raised:
            get_json("/info")
        assert "dmhelpers record" in raised.value.hint
    session.forget()


def test_an_image_that_was_not_built_is_not_there(recorded_mode):
    """What the notebook builds is absent, by name and in lists, until it is built in recorded mode too."""
    build = forms.as_text({"options": ["--tag=learner/a"], "dockerfile": "d", "context": "c"})
    listed = (
        '[{"Id": "sha256:1", "RepoTags": ["learner/a:latest"]}, {"Id": "sha256:2", "RepoTags": ["node:20-alpine"]}]'
    )
    recorded_mode(
        Exchange("build", build, {}),
        http("GET", "/images/learner/a:latest/json", '{"Id": "sha256:1"}'),
        http("GET", "/images/json", listed),
    )
    with pytest.raises(docker.errors.NotFound):
        get_json("/images/learner/a:latest/json")
    assert [one["Id"] for one in get_json("/images/json")] == ["sha256:2"]
    session.player().answer("build", build)
    assert get_json("/images/learner/a:latest/json") == {"Id": "sha256:1"}
    assert [one["Id"] for one in get_json("/images/json")] == ["sha256:1", "sha256:2"]


def test_the_persons_ledger_is_left_alone(recorded_mode, home):
    """What was made when it was recorded is entered in a folder of this process's own."""
    assert places.state_folder() == home / "state"
    recorded_mode()
    assert home not in places.state_folder().parents


def test_the_banner_is_said_once(recorded_mode, capsys):
    """The first use says that no engine runs here, and later ones do not repeat it."""
    recorded_mode()
    session.player()
    session.player()
    assert capsys.readouterr().out.count("Recorded mode: no engine runs here.") == 1


def test_without_the_mode_nothing_is_in_the_way(recorded_mode, monkeypatch):
    """As a rule nothing is recorded or replayed, and an exchange is the question itself."""
    monkeypatch.delenv("DMHELPERS_ENGINE", raising=False)
    assert session.player() is None
    assert session.recorder() is None
    assert session.exchange("a", "b", lambda: json.loads("[1]")) == [1]


def test_a_recording_is_found_above_the_notebook(tmp_path, monkeypatch):
    """Where none is named, the nearest one of this folder and those above it is taken, else the course's own."""
    monkeypatch.delenv("DMHELPERS_RECORDING", raising=False)
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    monkeypatch.chdir(notebooks)
    assert session.recording_folder() == Path(session.__file__).parents[3] / "recordings"
    packed = tmp_path / "dmhelpers-recording.zip"
    packed.touch()
    assert session.recording_folder() == packed
    made = tmp_path / "build" / "recordings"
    made.mkdir(parents=True)
    (made / "manifest.json").touch()
    assert session.recording_folder() == made


def test_an_unnamed_notebook_is_found_by_its_cells(recorded_mode, monkeypatch):
    """The cell that asks says which notebook's log answers, before anything is built."""
    recording = recorded_mode(Exchange("http", "q", "of 00"))
    recording.write("01_core_concept", [Exchange("cell", "c1", None), Exchange("http", "q", "of 01")])
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr("dmhelpers.engine.recorded.cells.current", lambda: "c1")
    assert session.exchange("http", "q", lambda: None) == "of 01"
