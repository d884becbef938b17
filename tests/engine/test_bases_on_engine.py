"""Stand-in base images on a real engine: the same on every run, working, and removed without harm."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dmhelpers.engine import bases, ledger
from dmhelpers.engine.bases import overlay, shelf
from dmhelpers.engine.bases.assemble import assemble, build_archive
from dmhelpers.engine.bases.lock import only_one
from dmhelpers.engine.bases.recipe import Recipe, certificate_check, recipe
from dmhelpers.engine.client import api, docker_cli
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import BaseImageError, ImageNotFound

pytestmark = pytest.mark.engine

TRIAL = "dmh-test/base-trial:1"


def quiet(line: str) -> None:
    """Take a progress message."""


def trial(name: str) -> Recipe:
    """A recipe under a name of the tests' own: the person's base images stay as they are."""
    return dataclasses.replace(recipe(name, engine_info().platform.partition("/")[2]), name=TRIAL)


def make(one: Recipe) -> str:
    """Assemble under the lock, as `ensure` does."""
    with only_one(cache_folder() / "bases" / "lock", waiting=lambda: None):
        return assemble(one, progress=quiet)


@pytest.fixture
def clean() -> Iterator[None]:
    """Remove the trial image and its variant afterwards."""
    yield
    for name in (TRIAL, overlay.overlay_reference(TRIAL)):
        docker_cli(["image", "rm", "--force", name], timeout_s=120, check=False)


def run(*command: str) -> str:
    """Return what a command prints in the trial image."""
    return docker_cli(["run", "--rm", "--network=none", TRIAL, *command], timeout_s=120, check=False).stdout.strip()


@pytest.mark.usefixtures("clean")
def test_a_stand_in_is_the_same_image_every_time() -> None:
    """Assembled, removed and assembled again, the image has the same ID."""
    first = make(trial("node:20-alpine"))
    removed = bases.remove(TRIAL)
    assert removed.names == (TRIAL,)
    assert make(trial("node:20-alpine")) == first
    assert first in ledger.recorded(engine_info().engine_id, "base")


@pytest.mark.usefixtures("clean")
def test_node_and_the_commands_of_the_exercise_work() -> None:
    """node, npm, npx and the shell's commands answer; `which tsc` prints nothing and ends with 1."""
    make(trial("node:20-alpine"))
    assert run("node", "--version") == "v20.18.0"
    assert run("npm", "--version") == run("npx", "--version") == "10.8.2"
    assert run("sh", "-c", "which node sh ls grep env wget").split("\n") == [
        "/usr/local/bin/node",
        "/bin/sh",
        "/bin/ls",
        "/bin/grep",
        "/usr/bin/env",
        "/usr/bin/wget",
    ]
    assert run("sh", "-c", "which tsc; echo $?") == "1"
    assert run("su", "node", "-c", "id -u") == "1000"
    assert run("/bin/busybox", "true") == ""
    assert "Stand-in for node:20-alpine" in run("cat", "/etc/os-release")
    history = api().history(TRIAL)
    assert sum("Node.js" in row["CreatedBy"] and row["Size"] > 100e6 for row in history) == 1
    assert 120e6 < shelf.size_bytes(TRIAL) < 150e6


@pytest.mark.usefixtures("clean")
def test_go_builds_a_static_program() -> None:
    """The Go stand-in compiles without a network, and its tools are on PATH."""
    make(trial("golang:1.22-alpine"))
    assert run("go", "version").startswith("go version go1.22.10 linux/")
    assert run("sh", "-c", "pwd; go env GOPATH GOTOOLCHAIN") == "/go\n/go\nlocal"
    program = 'package main\nfunc main() { println("built") }'
    script = f"mkdir a && cd a && go mod init a 2>/dev/null && echo '{program}' > a.go && go build && ./a 2>&1"
    assert run("sh", "-c", script) == "built"
    assert 190e6 < shelf.size_bytes(TRIAL) < 260e6


@pytest.mark.usefixtures("clean")
def test_what_a_person_brought_is_not_removed() -> None:
    """An image that is not in the ledger stays, even one that carries the course's labels."""
    image_id = make(trial("node:20-alpine"))
    ledger.forget(engine_info().engine_id, "base", [image_id])
    with pytest.raises(BaseImageError, match="did not get"):
        bases.remove(TRIAL)
    assert shelf.inspect(TRIAL) is not None


def test_removing_what_is_not_there_says_so() -> None:
    """An unknown name is an error, not a success without effect."""
    with pytest.raises(ImageNotFound, match="no-such-base"):
        bases.remove("no-such-base:1")


@pytest.mark.usefixtures("clean")
def test_a_process_that_is_killed_leaves_nothing_half_made() -> None:
    """Killed while it assembles, it leaves no image; the next run takes the lock and succeeds."""
    script = f"""if True:
        import dataclasses, importlib, sys, time
        from dmhelpers.engine.bases.assemble import assemble
        from dmhelpers.engine.bases.lock import only_one
        from dmhelpers.engine.bases.recipe import recipe
        from dmhelpers.engine.info import engine_info
        from dmhelpers.engine.places import cache_folder
        assembling = importlib.import_module("dmhelpers.engine.bases.assemble")
        write_layer = assembling.write_layer

        def only_the_first(*args, **more):
            write_layer(*args, **more)
            print("half made", flush=True)
            time.sleep(600)

        if "killed" in sys.argv:
            assembling.write_layer = only_the_first
        one = recipe("golang:1.22-alpine", engine_info().platform.partition("/")[2])
        with only_one(cache_folder() / "bases" / "lock", waiting=print):
            assemble(dataclasses.replace(one, name={TRIAL!r}), progress=print)
    """
    process = subprocess.Popen([sys.executable, "-c", script, "killed"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "half made\n" in process.stdout
    process.kill()
    process.wait()
    process.stdout.close()
    assert shelf.inspect(TRIAL) is None
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, timeout=500)
    assert shelf.inspect(TRIAL) is not None
    with only_one(cache_folder() / "bases" / "lock", waiting=lambda: None):  # another engine's may be at work there
        assert not (cache_folder() / "bases" / "work").exists()


@pytest.mark.usefixtures("clean")
def test_a_base_without_this_machines_certificates_gets_a_variant(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Behind a network that signs its own traffic, a pulled base is replaced in builds by one that trusts it."""
    whole = trial("node:20-alpine")
    env = tuple(one for one in whole.env if not one.startswith("NODE_EXTRA_CA_CERTS"))
    layers = tuple(one for one in whole.layers if not one.ca_bundle)
    monkeypatch.setattr("dmhelpers.engine.bases.assemble.bundle_digest", lambda: "none")
    make(dataclasses.replace(whole, env=env, layers=layers))
    check = certificate_check("node:20-alpine")
    assert check is not None
    image = shelf.inspect(TRIAL)
    assert image is not None
    if overlay.trusts_network(image["Id"], check) is not False:
        pytest.skip("this network does not sign its own traffic, or is not there")
    monkeypatch.setattr(overlay, "certificate_check", lambda name: check)
    reference = overlay.with_certificates(TRIAL, image, progress=quiet)
    assert reference == overlay.with_certificates(TRIAL, image, progress=pytest.fail) == "dmhelpers/with-ca/" + TRIAL
    variant = shelf.inspect(reference)
    assert variant is not None
    assert variant["Config"]["Cmd"] == ["node"]
    assert overlay.trusts_network(variant["Id"], check)
    (tmp_path / "Dockerfile").write_text(f"FROM {TRIAL}\nRUN npm ping\n")
    context = f"--build-context={TRIAL}=docker-image://{reference}"
    docker_cli(["buildx", "build", "--output=type=cacheonly", context, str(tmp_path)], timeout_s=120)


def test_arm64_images_hold_arm64_programs(tmp_path: Path) -> None:
    """The other architecture's image is written, and its programs are ELF files for AArch64."""
    import tarfile

    for name, program in (("node:20-alpine", "usr/local/bin/node"), ("golang:1.22-alpine", "usr/local/go/bin/go")):
        folder = tmp_path / name.partition(":")[0]
        folder.mkdir()
        try:
            archive = build_archive(recipe(name, "arm64"), folder, progress=quiet)
        except BaseImageError as error:
            pytest.skip(f"this machine cannot fetch arm64 packages: {error.message}")
        machines = {}
        for layer in archive.layers:
            with tarfile.open(layer.file) as tar:
                for one in tar:
                    if one.name in {program, "bin/busybox", "lib/ld-linux-aarch64.so.1"}:
                        machines[one.name] = int.from_bytes(tar.extractfile(one).read(20)[18:20], "little")
        assert set(machines) >= {program, "bin/busybox"}
        assert set(machines.values()) == {183}
