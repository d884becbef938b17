"""npm's packages and Go's modules: which a pack needs, and how its mirror answers."""

from __future__ import annotations

import gzip
import http.client
import json
import threading

import pytest

from dmhelpers.course.sample_info import library
from dmhelpers.engine.pack import go, npm
from dmhelpers.engine.pack.images import as_made, configured
from dmhelpers.engine.pack.mirror import Mirror
from dmhelpers.engine.pack.service import checked_url
from dmhelpers.errors import PackError

RAW = (
    b'{"name": "@x/tiny", "dist-tags": {"next": "3.0.0", "latest": "2.0.0"}, "versions": {"1.0.0": {"version": '
    b'"1.0.0", "dist": {"tarball": "https://somewhere.example/npm/@x/tiny/-/tiny-1.0.0.tgz", "shasum": "0"}}}}'
)


@pytest.fixture
def mirror(tmp_path):
    """Serve a folder as `dmhelpers pack load` does, and give a function that asks it."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "pack"
    files = {
        "npm/packuments/@x%2ftiny.json": npm._moved(RAW, "@x/tiny", "1.0.0"),
        "npm/tarballs/@x/tiny/-/tiny-1.0.0.tgz": b"tarball",
        "go/example.com/tiny/@v/v1.0.0.mod": b"module example.com/tiny\n",
    }
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    with Mirror(("127.0.0.1", 0), folder) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"

        def ask(path, method="GET", **headers):
            connection = http.client.HTTPConnection(host, timeout=300)
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers={"Host": host, **named})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers["Content-Length"]

        ask.host = host
        yield ask
        server.shutdown()


def test_every_package_of_every_sample_is_wanted():
    """All lockfiles of the samples are read, development and optional packages too, each package once."""
    files = sorted(library().glob("*/package-lock.json"))
    found = npm.packages(files)
    assert len(files) >= 3
    assert {"express", "typescript", "@types/node"} <= {one.name for one in found}
    assert len(found) == len(set(found))
    assert list(found) == sorted(found)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        '{"lockfileVersion": 1, "dependencies": {}}',
        '{"packages": {"node_modules/a": {"version": "1.0.0"}}}',
    ],
)
def test_a_lockfile_that_cannot_be_packed_is_refused(tmp_path, text):
    """A file that is no lockfile of today's npm, or a package without a SHA-512, is refused with its name."""
    file = tmp_path / "package-lock.json"
    file.write_text(text)
    with pytest.raises(PackError, match=r"package-lock\.json.*\n.*npm install"):
        npm.packages([file])


def test_two_places_of_one_package_are_two_versions(tmp_path):
    """A package that is nested below another one is packed under its own name, a link is not packed."""
    listed = {
        "": {"name": "app"},
        "node_modules/a/node_modules/@x/b": {"version": "1.0.0", "integrity": "sha512-YQ=="},
        "node_modules/c": {"resolved": "packages/c", "link": True},
    }
    (tmp_path / "lock").write_text(json.dumps({"packages": listed}))
    assert npm.packages([tmp_path / "lock"]) == (npm.Package("@x/b", "1.0.0", "sha512-YQ=="),)


def test_only_addresses_and_the_newest_version_change():
    """A registry's answer keeps its every byte but for the tarballs' address and what `latest` is: npm stores it."""
    moved = npm._moved(RAW, "@x/tiny", "1.0.0")
    expected = RAW.replace(b"https://somewhere.example/npm", npm.ORIGIN.encode()).replace(b'"2.0.0"}', b'"1.0.0"}')
    assert moved == expected


def test_the_mirror_answers_as_a_registry(mirror):
    """From the mirror npm gets a description whose tarballs lie where it asked, and then the tarball itself."""
    status, body, _ = mirror("/@x%2ftiny")
    assert (status, json.loads(body)["dist-tags"]["latest"]) == (200, "1.0.0")
    tarball = json.loads(body)["versions"]["1.0.0"]["dist"]["tarball"]
    assert tarball == f"http://{mirror.host}/@x/tiny/-/tiny-1.0.0.tgz"
    assert mirror("/@x/tiny/-/tiny-1.0.0.tgz")[:2] == (200, b"tarball")
    assert mirror("/@x/tiny/-/tiny-1.0.0.tgz", "HEAD") == (200, b"", "7")
    assert mirror("/-/ping")[0] == 200


def test_descriptions_come_packed_to_whoever_asks(mirror):
    """With `Accept-Encoding: gzip` a description comes packed and is the same; every time, and for every address."""
    plain = mirror("/@x%2ftiny")[1]
    for host in (mirror.host, mirror.host, "one:1", "two:2", "three:3", "four:4", "five:5"):
        packed = mirror("/@x%2ftiny", Accept_Encoding="gzip", Host=host)[1]
        assert gzip.decompress(packed) == plain.replace(mirror.host.encode(), host.encode())


def test_the_mirror_answers_as_a_proxy_of_go(mirror):
    """Go gets the files of its own protocol."""
    assert mirror("/go/example.com/tiny/@v/v1.0.0.mod")[:2] == (200, b"module example.com/tiny\n")


@pytest.mark.parametrize(
    "path", ["/left-pad", "/../secret", "/go/../../secret", "/go/%2e%2e/%2e%2e/secret", "/@x/tiny/-/", "/go/"]
)
def test_the_mirror_has_nothing_else(mirror, path):
    """What is not in the pack is not found, and nothing outside of its folder can be asked for."""
    status, body, _ = mirror(path)
    assert status == 404
    assert b"secret\n" not in body.replace(path.encode(), b"")


def test_nothing_can_be_put_there(mirror):
    """The mirror takes no package from anybody."""
    assert mirror("/@x%2ftiny", "PUT")[0] == 501


def test_modules_of_a_go_sum(tmp_path):
    """A module stands in go.sum once for its source and once for its go.mod; it is one module."""
    file = tmp_path / "go.sum"
    file.write_text(
        "example.com/a v1.0.0 h1:x=\nexample.com/a v1.0.0/go.mod h1:y=\nexample.com/b v2.0.0/go.mod h1:z=\n"
    )
    assert go.modules([file]) == ("example.com/a@v1.0.0", "example.com/b@v2.0.0")
    file.write_text("nonsense\n")
    with pytest.raises(PackError, match=r"go\.sum"):
        go.modules([file])


def test_a_configuration_goes_back_to_what_it_was():
    """What loading adds to an image, variables, labels and a row of history, is not in a pack made of it."""
    made = json.dumps(
        {"config": {"Env": ["PATH=/bin"], "Labels": {"a": "b"}}, "history": [{"created_by": "ADD"}], "rootfs": {}},
        sort_keys=True,
        separators=(",", ":"),
    ).encode()
    labels = {"io.dmhelpers.pack": "1", "io.dmhelpers.pack-mirror": "http://m"}
    added = configured(made, env=["NPM_CONFIG_REGISTRY=http://m/"], labels=labels, created_by="ENV")
    assert json.loads(added)["config"]["Env"] == ["PATH=/bin", "NPM_CONFIG_REGISTRY=http://m/"]
    assert [one.get("empty_layer", False) for one in json.loads(added)["history"]] == [False, True]
    assert as_made(added) == made
    assert as_made(made) == made


@pytest.mark.parametrize("url", ["", "hub:4873", "ftp://hub", "http://", "http://me:word@hub", "http://hub/?q=1"])
def test_an_address_that_is_none_is_refused(url):
    """`--mirror` takes the address of a web server, without a name and a word in it."""
    with pytest.raises(PackError, match="is no address of a mirror"):
        checked_url(url)
