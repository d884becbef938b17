"""Where a base image comes from: present, pulled, mirrored, assembled, in that order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dmhelpers.engine.bases import pull, shelf
from dmhelpers.engine.bases.records import BaseImage
from dmhelpers.engine.client import forget_clients
from dmhelpers.errors import BaseImageError, InputError

NAME = "node:20-alpine"
PLAIN: dict[str, Any] = {"Id": "sha256:1", "Config": {"Labels": None}}
STAND_IN: dict[str, Any] = {
    "Id": "sha256:2",
    "Config": {"Labels": {"io.dmhelpers.base": NAME, "io.dmhelpers.base-origin": "assembled"}},
}


class Shelf:
    """The functions below `ensure`, each noting that it was asked."""

    def __init__(self) -> None:
        self.image: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.refuses: set[str] = set()

    def get(self, way: str, image: dict[str, Any]) -> None:
        """Note the way, then refuse or deliver."""
        self.asked.append(way)
        if way in self.refuses:
            raise BaseImageError(f"{way} refused.", hint="Nothing.")
        self.image = image


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Put a note-taking shelf below `ensure`."""
    one = Shelf()
    for variable in ("DMHELPERS_BASES", "DMHELPERS_REGISTRY_MIRROR"):
        monkeypatch.delenv(variable, raising=False)
    info = type("Info", (), {"engine_id": "test", "platform": "linux/amd64"})
    monkeypatch.setattr(shelf, "inspect", lambda name: one.image)
    monkeypatch.setattr(shelf, "listed", list)
    monkeypatch.setattr(shelf, "size_bytes", lambda image_id: 5)
    monkeypatch.setattr(shelf, "engine_info", lambda: info)
    monkeypatch.setattr(shelf.ledger, "record", lambda *args: None)
    monkeypatch.setattr(shelf.overlay, "with_certificates", lambda *args, **kwargs: None)
    monkeypatch.setattr(pull, "pull", lambda name, progress: one.get("pull", PLAIN))
    monkeypatch.setattr(pull, "pull_from_mirror", lambda name, progress: one.get("mirror", PLAIN))
    monkeypatch.setattr(shelf, "assemble", lambda recipe, progress: one.get("assemble", STAND_IN))
    return one


def test_what_is_present_is_used_as_it_is(fake: Shelf) -> None:
    """An image on the engine is neither pulled nor assembled again."""
    fake.image = PLAIN
    assert shelf.ensure(NAME) == BaseImage(NAME, "local", "sha256:1", 5, None)
    assert fake.asked == []


def test_a_stand_in_that_is_present_is_called_one(fake: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """An assembled image that is there keeps its origin, and the person is told, once in a process."""
    fake.image = STAND_IN
    monkeypatch.setattr(shelf, "_told", set())
    told: list[str] = []
    for _ in range(2):
        assert shelf.ensure(NAME, progress=told.append).origin == "assembled"
    assert len([line for line in told if "stand-in" in line]) == 1


def test_an_image_built_on_a_stand_in_is_not_one(fake: Shelf) -> None:
    """Labels are inherited: an image of another name with the label counts as the person's own."""
    fake.image = STAND_IN
    assert shelf.ensure("my-api:latest").origin == "local"


def test_pulling_comes_before_assembling(fake: Shelf) -> None:
    """What a registry gives is preferred to a stand-in."""
    assert shelf.ensure(NAME).origin == "pulled"
    assert fake.asked == ["pull"]


def test_a_mirror_takes_the_registrys_place(fake: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mirror set, Docker Hub is not asked."""
    monkeypatch.setenv("DMHELPERS_REGISTRY_MIRROR", "mirror.example")
    assert shelf.ensure(NAME).origin == "mirror"
    assert fake.asked == ["mirror"]


def test_without_a_registry_it_is_assembled(fake: Shelf) -> None:
    """A pull that fails leads to the stand-in, and its reason is told."""
    fake.refuses = {"pull"}
    told: list[str] = []
    assert shelf.ensure(NAME, progress=told.append).origin == "assembled"
    assert fake.asked == ["pull", "assemble"]
    assert "pull refused." in told


def test_when_all_fails_each_reason_is_given(fake: Shelf) -> None:
    """The error says why it could not be pulled and why it could not be assembled."""
    fake.refuses = {"pull", "assemble"}
    with pytest.raises(BaseImageError, match=r"pull refused\. assemble refused\."):
        shelf.ensure(NAME)


def test_a_name_without_a_recipe_offers_the_near_one(fake: Shelf) -> None:
    """A misspelt base that no registry has is answered with what was probably meant."""
    fake.refuses = {"pull"}
    with pytest.raises(BaseImageError, match="Did you mean 'node:20-alpine'"):
        shelf.ensure("node:20-alpne")


@pytest.mark.parametrize(("way", "asked"), [("assembled", ["assemble"]), ("pulled", ["pull"])])
def test_one_way_can_be_demanded(fake: Shelf, monkeypatch: pytest.MonkeyPatch, way: str, asked: list[str]) -> None:
    """DMHELPERS_BASES leaves one way only."""
    monkeypatch.setenv("DMHELPERS_BASES", way)
    shelf.ensure(NAME)
    assert fake.asked == asked


def test_a_pull_that_is_demanded_does_not_fall_back(fake: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """DMHELPERS_BASES=pulled ends with the pull's own error."""
    monkeypatch.setenv("DMHELPERS_BASES", "pulled")
    fake.refuses = {"pull"}
    with pytest.raises(BaseImageError, match="pull refused"):
        shelf.ensure(NAME)
    assert fake.asked == ["pull"]


def test_a_way_that_does_not_exist_is_refused(fake: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt DMHELPERS_BASES is an error, not ignored."""
    monkeypatch.setenv("DMHELPERS_BASES", "assemble")
    with pytest.raises(InputError, match="'assemble'"):
        shelf.ensure(NAME)


@pytest.mark.parametrize("name", ["", " ", "scratch", "--help", "a b"])
def test_a_name_that_cannot_be_one_is_refused(fake: Shelf, name: str) -> None:
    """An empty name, scratch, an option or two words never reach the engine."""
    with pytest.raises(InputError):
        shelf.ensure(name)


def test_many_bases_are_prepared_once_each(fake: Shelf) -> None:
    """Repeated names are asked for once, and scratch needs nothing."""
    fake.image = PLAIN
    assert [one.name for one in shelf.ensure_many([NAME, "scratch", NAME])] == [NAME]


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("docker.io/library/node:20-alpine", "node:20-alpine"),
        ("library/node:20-alpine", "node:20-alpine"),
        ("alpine", "alpine:latest"),
        ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
        ("a@sha256:12", "a@sha256:12"),
    ],
)
def test_names_are_shortened_as_docker_shows_them(name: str, short: str) -> None:
    """Every spelling of an official image leads to the same one."""
    assert shelf.familiar(name) == short


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('Get "https://hub.example/v2/": dial tcp: lookup hub.example: no such host', "no registry answers"),
        (
            'Get "https://hub.example/v2/": net/http: request canceled (Client.Timeout exceeded)',
            "no registry answers",
        ),
        ("x509: certificate signed by unknown authority", "certificate"),
        ("manifest for hub.example/node:99 not found: manifest unknown", "does not have it"),
        ("toomanyrequests: You have reached your pull rate limit", "rate limit"),
        ("write /var/lib/x: no space left on device", "disk is full"),
        ("something new from hub.example", "answered with an error"),
    ],
)
def test_reasons_name_no_address(said: str, reason: str) -> None:
    """The engine's words become a reason; the registry's address stays out of it."""
    given = pull.reason_for(said)
    assert reason in given
    assert "example" not in given


@pytest.mark.parametrize("value", ["mirror.example/", "https://mirror.example", " mirror.example "])
def test_a_mirror_is_taken_with_or_without_its_scheme(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """However the mirror is written, it starts an image name."""
    monkeypatch.setenv("DMHELPERS_REGISTRY_MIRROR", value)
    assert pull.mirror() == "mirror.example"


class SilentEngine(BaseHTTPRequestHandler):
    """An engine that says its version and never ends a pull."""

    over = threading.Event()

    def do_GET(self) -> None:
        """Answer what engine this is."""
        body = b'{"ApiVersion":"1.45","Version":"26.1.5"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Answer nothing until the test is over."""
        self.over.wait(300)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def silent_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run that engine on a free port and point the course at it."""
    SilentEngine.over.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), SilentEngine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
    forget_clients()
    yield
    SilentEngine.over.set()
    server.shutdown()
    forget_clients()


@pytest.mark.usefixtures("silent_engine")
def test_a_registry_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull without a first answer ends at its limit, with the limit in the message."""
    monkeypatch.setattr(pull, "FIRST_ANSWER_S", 0.3)
    with pytest.raises(BaseImageError, match=r"no registry answers within 0\.3 s"):
        pull.pull(NAME, progress=lambda line: None)
