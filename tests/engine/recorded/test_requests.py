"""A question's form: what varies is not in it, what decides the answer is."""

from __future__ import annotations

import io
import json
import tarfile

from dmhelpers.engine.recorded import requests as forms

ARGS = ["buildx", "build", "--builder", "default", "--progress=rawjson", "--metadata-file=/tmp/a/m.json"]


def build_form(folder, *options):
    """Return the form of a build of a folder."""
    return forms.build_request([*ARGS, f"--file={folder / 'Dockerfile'}", *options, "--", str(folder)])


def create_form(**sent):
    """Return the form of a container's creation."""
    return forms.http_request("POST", "http://x/v1.45/containers/create", json.dumps({"Image": "a", **sent}))


def test_the_same_project_in_another_folder_has_the_same_form(project):
    """Where a project lies, and where the client writes its notes, is not part of the question."""
    files = {"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "1"}
    assert build_form(project(files, name="one")) == build_form(project(files, name="two"))


def test_what_decides_the_image_is_in_the_form(project):
    """Another Dockerfile, context file, target, tag or argument is another question."""
    files = {"Dockerfile": "FROM scratch\nCOPY a /\n", "a": "1"}
    first = project(files, name="one")
    forms_of = [
        build_form(first, *options) for options in ((), ("--tag=b",), ("--target", "t"), ("--build-arg", "A=1"))
    ]
    forms_of.append(build_form(project({**files, "a": "2"}, name="two")))
    forms_of.append(build_form(project({**files, "b": "1"}, name="three")))
    forms_of.append(build_form(project({**files, "Dockerfile": "FROM scratch\nCOPY a /b\n"}, name="four")))
    executable = project(files, name="five")
    (executable / "a").chmod(0o755)
    forms_of.append(build_form(executable))
    assert len(set(forms_of)) == len(forms_of)


def test_moments_and_trial_marks_are_not_in_the_form(project):
    """A file that holds only another moment, and a check's random mark, make the same question."""
    one = project({"Dockerfile": "FROM scratch", "a": "at 2026-01-02 03:04:05.678"}, name="one")
    two = project({"Dockerfile": "FROM scratch", "a": "at 2027-11-12 13:14:15.1"}, name="two")
    assert build_form(one) == build_form(two)
    assert forms.steady("changed at 1764101234.5678") == forms.steady("changed at 1864101234.9")
    assert forms.steady("clinic/patient:0123456789ab") == forms.steady("clinic/patient:ba9876543210")
    assert forms.steady("clinic/patient:0123456789ab") != forms.steady("clinic/other:0123456789ab")
    assert forms.steady("dmhelpers-check/0123456789ab:trial") == forms.steady("dmhelpers-check/ba9876543210:trial")


def test_a_container_is_asked_for_by_image_command_and_environment():
    """Proxies and ports of this machine are not in the form; another command or variable is."""
    plain = create_form(Cmd=["ls"])
    assert create_form(Cmd=["ls"], Env=["HTTPS_PROXY=http://me:secret@proxy:1"]) == plain
    assert create_form(Cmd=["ls"], HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "1"}]}}) == plain
    assert create_form(Cmd=["ps"]) != plain
    assert create_form(Cmd=["ls"], Env=["A=1"]) != plain
    assert create_form(Cmd=["ls"], HostConfig={"NetworkMode": "none"}) != plain


def test_the_version_in_a_path_does_not_count():
    """Two versions of the Engine API are asked the same question."""
    assert forms.http_request("GET", "http://x/v1.45/info", None) == forms.http_request(
        "GET", "http://y/v1.51/info", None
    )


def test_an_archive_is_its_files():
    """What the classic builder is sent counts by names and contents, not by dates, and can still be sent."""

    def sent(mtime, content):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            member = tarfile.TarInfo("a")
            member.size, member.mtime = len(content), mtime
            archive.addfile(member, io.BytesIO(content))
        form = forms.http_request("POST", "http://x/v1.45/build", file)
        assert file.tell() == 0
        return form

    assert sent(1, b"x") == sent(2, b"x") != sent(1, b"y")
