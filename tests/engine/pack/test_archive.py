"""A pack is whole, or it is refused with the name of its first bad member."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from dmhelpers.cli import main
from dmhelpers.engine.pack.archive import measured, opened, write
from dmhelpers.engine.pack.records import MANIFEST, SUMS, Manifest, Member, read_manifest
from dmhelpers.engine.pack.unpack import unpack
from dmhelpers.errors import PackError

ROOT = Path(__file__).parent.parent.parent.parent
README, TARBALL, WHEEL = "course/README.md", "npm/tarballs/tiny/-/tiny-1.0.0.tgz", "wheels/tiny-1.0-py3-none-any.whl"


def check(file):
    """Verify a pack."""
    with opened(file) as pack:
        pack.check(progress=lambda _: None)
        return pack


def offset_of(file, member):
    """Return where a member's bytes begin in the file."""
    with tarfile.open(file) as tar:
        return tar.getmember(member).offset_data


def rewritten(file, change):
    """Write the archive anew after `change` has changed its list of (name, bytes)."""
    with tarfile.open(file) as tar:
        listed = [(one.name, tar.extractfile(one).read()) for one in tar]
    with tarfile.open(file, "w") as tar:
        for name, content in change(listed):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def test_a_whole_pack_is_verified(make_pack):
    """A pack that nothing happened to is whole, and begins with its manifest and its sums."""
    file = make_pack()
    assert [one.path for one in check(file).manifest.members] == sorted([README, TARBALL, WHEEL])
    with tarfile.open(file) as tar:
        assert tar.getnames()[:2] == [MANIFEST, SUMS]


def test_the_same_content_gives_the_same_bytes(make_pack):
    """Order, times and accounts are fixed: two packs of the same content are equal."""
    assert make_pack().read_bytes() == make_pack(name="again.tar").read_bytes()


def test_tar_and_sha256sum_are_enough(make_pack, tmp_path):
    """Without Python, `tar` opens a pack and `sha256sum -c` checks it."""
    subprocess.run(["tar", "-xf", make_pack(), "-C", tmp_path], check=True, timeout=300)
    subprocess.run(["sha256sum", "--check", "--quiet", SUMS], check=True, timeout=300, cwd=tmp_path)


@pytest.mark.parametrize("member", [README, TARBALL, WHEEL])
@pytest.mark.parametrize("at", [0, -1])
def test_one_altered_byte_names_its_member(make_pack, member, at):
    """A byte that changed, the first or the last of a member, is found, and that member is named."""
    file = make_pack()
    with opened(file) as pack:
        place = pack.offsets[member] + (at % pack.member(member).size_bytes)
    raw = bytearray(file.read_bytes())
    raw[place] ^= 1
    file.write_bytes(raw)
    with pytest.raises(PackError, match=f"{member}: its SHA-256"):
        check(file)


def test_the_first_of_two_is_named(make_pack):
    """Where two members are bad, the first in the file is named."""
    file = make_pack()
    raw = bytearray(file.read_bytes())
    for member in (WHEEL, README):
        raw[offset_of(file, member)] ^= 1
    file.write_bytes(raw)
    with pytest.raises(PackError, match=README):
        check(file)


@pytest.mark.parametrize("member", [README, TARBALL, WHEEL])
def test_a_file_that_ends_in_a_member_is_refused_at_once(make_pack, member):
    """A pack that was cut short is refused when it is opened, before a byte is hashed, with the member it ends in."""
    file = make_pack()
    file.write_bytes(file.read_bytes()[: offset_of(file, member) + 3])
    with pytest.raises(PackError, match=f"{member}.*the file ends"), opened(file):
        pytest.fail("it was opened")


@pytest.mark.parametrize("length", [0, 100, 512, 700])
def test_a_file_that_ends_in_its_beginning_is_refused(make_pack, length):
    """A pack of which hardly anything is left is refused, with what to do."""
    file = make_pack()
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(PackError, match="pack") as caught, opened(file):
        pytest.fail("it was opened")
    assert "Copy the pack again" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda all_: all_[:3] + all_[4:], TARBALL),
        (lambda all_: [*all_, ("extra", b"more")], "extra"),
        (lambda all_: [*all_[:2], all_[3], all_[2], all_[4]], README),
        (lambda all_: [(MANIFEST, all_[0][1].replace(b"0.1.0", b"0.1.1")), *all_[1:]], MANIFEST),
        (lambda all_: [all_[0], (SUMS, all_[1][1].replace(b"README", b"readme")), *all_[2:]], SUMS),
        (lambda all_: all_[2:], MANIFEST),
    ],
    ids=["one missing", "one too many", "order", "manifest", "sums", "no manifest"],
)
def test_other_members_than_the_manifests_are_refused(make_pack, change, named):
    """An archive whose members are not the manifest's, in its order, is refused when it is opened."""
    file = make_pack()
    rewritten(file, change)
    with pytest.raises(PackError, match=named), opened(file):
        pytest.fail("it was opened")


@pytest.mark.parametrize("path", ["../outside", "/etc/outside", "wheels/../../outside", "wheels//a", "wheels\\a"])
def test_a_path_that_leads_elsewhere_is_refused(make_pack, path):
    """A member that would be written outside of its folder is refused, whatever its sum."""
    with pytest.raises(PackError, match="its path leads elsewhere"), opened(make_pack({path: b"x"})):
        pytest.fail("it was opened")


def test_no_pack_at_all(tmp_path):
    """A file that is no tar archive, and a file that is not there, are told apart."""
    (tmp_path / "notes.txt").write_text("no pack" * 200)
    with pytest.raises(PackError, match="is not a pack"), opened(tmp_path / "notes.txt"):
        pytest.fail("it was opened")
    with pytest.raises(PackError, match="No such file"), opened(tmp_path / "none"):
        pytest.fail("it was opened")


def test_a_newer_format_is_refused():
    """A manifest of a format that this course does not know is refused; its version is said."""
    with pytest.raises(PackError, match="format 2"):
        read_manifest(b'{"format": 2}')


def test_unpacking_a_damaged_folder_leaves_nothing(make_pack, tmp_path):
    """What was unpacked before stays when a member turns out to be damaged, and no half stands beside it."""
    file = make_pack()
    raw = bytearray(file.read_bytes())
    raw[offset_of(file, WHEEL)] ^= 1
    file.write_bytes(raw)
    place = tmp_path / "out" / "wheels"
    place.mkdir(parents=True)
    (place / "before").touch()
    with opened(file) as pack, pytest.raises(PackError, match=WHEEL):
        unpack(pack, "wheels", place, unpacked=iter)
    assert [one.name for one in place.parent.iterdir()] == ["wheels"]
    assert [one.name for one in place.iterdir()] == ["before"]


@pytest.mark.parametrize("whole", [True, False])
def test_setup_reads_a_pack_with_a_bare_python(make_pack, tmp_path, whole):
    """`make setup` unpacks wheels with a Python that has no package but its own; a damaged pack ends it with 1."""
    file = make_pack()
    if not whole:
        file.write_bytes(file.read_bytes()[: offset_of(file, WHEEL) + 1])
    command = [sys.executable, "-S", "-m", "dmhelpers.engine.pack.unpack", str(file), "wheels", str(tmp_path / "out")]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (tmp_path / "out").is_dir() == whole
    assert (done.returncode, "Traceback" in done.stderr) == (0 if whole else 1, False)
    assert whole or "Copy the pack again" in done.stderr.splitlines()[-1]


def test_a_pack_that_cannot_be_written_leaves_no_part(tmp_path):
    """A pack that fails while it is written leaves the one before it, and nothing half-made."""
    there = tmp_path / "there"
    there.write_bytes(b"x" * 10)
    gone = Member("wheels/gone.whl", 3, "0" * 64)
    manifest = Manifest("0.1.0", "", "linux/amd64", (), (), (), (), (measured("course/a", there), gone))
    output = tmp_path / "pack.tar"
    output.write_text("the one before")
    with pytest.raises(PackError, match="cannot be written"):
        write(output, manifest, {"course/a": there, "wheels/gone.whl": tmp_path / "gone"})
    assert output.read_text() == "the one before"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["pack.tar", "there"]


def test_the_command_says_what_is_in_it(make_pack, capsys):
    """`dmhelpers pack verify` ends with 0 and lists the folders; for a damaged one with 1 and the member."""
    file = make_pack()
    assert main(["pack", "verify", str(file)]) == 0
    assert "1 for Python 3.12" in capsys.readouterr().out
    file.write_bytes(file.read_bytes()[: offset_of(file, WHEEL) + 1])
    assert main(["pack", "verify", str(file)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert WHEEL in told.err
