"""What a recording must not hold."""

from __future__ import annotations

from datetime import UTC, datetime

from dmhelpers.engine.recorded.privacy import Hider, of_the_course

SINCE = datetime(2026, 1, 2, tzinfo=UTC)


def test_words_are_crossed_out_and_keep_their_length(monkeypatch, tmp_path):
    """Folders, secrets and addresses of this machine become crosses, in texts, bytes and names, letter for letter."""
    monkeypatch.setenv("HOME", str(tmp_path / "somebody"))
    monkeypatch.setenv("MY_API_TOKEN", "s3cret-t0ken")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:pass@proxy.company.example:3128")
    hider = Hider.of_this_machine()
    text = f"{tmp_path}/somebody s3cret-t0ken http://proxy.company.example/x"
    hidden = hider.hide_json({text: [text, 1]})
    assert "somebody" not in str(hidden)
    assert "s3cret" not in str(hidden)
    assert "company" not in str(hidden)
    assert len(hider.hide(text)) == len(text)
    assert len(hider.hide_bytes(text.encode())) == len(text)


def test_what_every_container_has_stays():
    """Short words and the folders of every container are left: they say nothing of a machine."""
    hider = Hider.of(["/root", "/tmp", "1", "docker.io", "/etc/ssl/certs/ca-certificates.crt"])
    told = "/root/.npm /tmp 1 docker.io /etc/ssl/certs/ca-certificates.crt"
    assert hider.hide(told) == told


def test_the_engines_settings_are_left_out():
    """Of the engine's description only what the course uses is kept."""
    info = {"ID": "a", "Name": "host", "HttpProxy": "http://x", "RegistryConfig": {}, "Labels": ["a=b"]}
    kept = of_the_course("/info", {**info, "DockerRootDir": "/home/me/docker"}, since=SINCE, names=())
    assert kept == {"ID": "RECORDED", "DockerRootDir": "/var/lib/docker"}


def test_places_on_the_engines_disk_and_addresses_of_own_networks_are_left_out():
    """Of an image or container it is not said where its files lie, nor which address a network or name server has."""
    image = {"Id": "1", "GraphDriver": {"Data": {"LowerDir": "/home/me/docker/l"}}, "Config": {"Cmd": ["x"]}}
    kept = of_the_course("/images/a:1/json", image, since=SINCE, names=())
    assert kept == {"Id": "1", "Config": {"Cmd": ["x"]}}
    hider = Hider.of([])
    said = "lookup x on 10.1.22.53:53, 192.168.0.7 and 172.20.0.2; 127.0.0.1, npm 10.8.2, 8.8.8.8"
    hidden = "lookup x on xx.x.xx.xx:53, xxx.xxx.x.x and xxx.xx.x.x; 127.0.0.1, npm 10.8.2, 8.8.8.8"
    assert hider.hide(said) == hidden
    assert hider.hide_bytes(said.encode()) == hidden.encode()
    assert hider.hide_bytes(b"\xff10.1.22.53") == b"\xff10.1.22.53"


def test_whom_npm_asked_is_crossed_out():
    """What npm prints of its questions keeps its words and its length, and names no host."""
    said = "npm http fetch GET 200 https://packages.company.example/typescript 71ms (cache miss)"
    hidden = Hider.of([]).hide(said)
    assert hidden == said.replace("packages.company.example", "x" * len("packages.company.example"))
    assert Hider.of([]).hide_bytes(said.encode()) == hidden.encode()


def test_other_peoples_images_and_build_cache_are_left_out():
    """Of lists only what carries the course's label, was asked for by name, or was made while recording is kept."""
    images = [
        {"Id": "1", "Labels": {"io.dmhelpers.course": "1"}},
        {"Id": "2", "Labels": None, "RepoTags": ["theirs:1"]},
        {"Id": "3", "Labels": None, "RepoTags": ["node:20-alpine"]},
    ]
    kept = of_the_course("/images/json", images, since=SINCE, names=["node:20-alpine"])
    assert [one["Id"] for one in kept] == ["1", "3"]
    records = [{"ID": day, "CreatedAt": f"2026-01-0{day}T12:00:00.123456789Z"} for day in ("1", "3")]
    df = of_the_course("/system/df", {"LayersSize": 5, "BuildCache": records}, since=SINCE, names=())
    assert (df["LayersSize"], [one["ID"] for one in df["BuildCache"]]) == (5, ["3"])
