"""Saving what learners made, hostile trees too: plain folders stand for the learners' disks, no engine is needed."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from dmhelpers.errors import EngineError, InputError
from dmhelpers.workshop import disks, saving, trees
from dmhelpers.workshop.settings import Limits, Workshop

LEARNERS = ("ann", "ben", "cid")
DISK_BYTES = 50_000_000
NESTED = 3_000


@dataclass
class Class:
    """A workshop's folder with the homes of three learners, where its archives go, and what was said."""

    workshop: Workshop
    kept: Path
    said: list[str] = field(default_factory=list)
    broken: dict[str, Exception] = field(default_factory=dict)

    def course(self, login: str) -> Path:
        """Return a learner's own folder."""
        return self.workshop.home(login) / "course"

    def mount(self, _workshop: Workshop, login: str) -> Path:
        """Stand for a disk's mount."""
        if login in self.broken:
            raise self.broken[login]
        return self.workshop.home(login)

    def limit(self, disk_bytes: int) -> None:
        """Give the learners disks of another size."""
        self.workshop = replace(self.workshop, limits=Limits(disk_bytes=disk_bytes))

    def save(self, *learners: str) -> None:
        """Save the work of learners, all of them for none named."""
        saving.check_folder(self.workshop, self.kept, learners or LEARNERS)
        saving.save(self.workshop, self.kept, learners or LEARNERS, self.said.append)

    def archives(self) -> list[str]:
        """Return the names of all files in the archives' folder."""
        return sorted(one.name for one in self.kept.iterdir())

    def members(self, login: str) -> dict[str, tarfile.TarInfo]:
        """Return what an archive holds, read to its end."""
        with tarfile.open(self.kept / f"{login}.tar.gz") as archive:
            return {one.name: one for one in archive.getmembers()}

    def content(self, login: str, name: str) -> bytes:
        """Return a file's bytes as an archive has them."""
        with tarfile.open(self.kept / f"{login}.tar.gz") as archive:
            return archive.extractfile(name).read()

    def left_out(self, login: str) -> str:
        """Return the list in an archive of what is left out of it."""
        return self.content(login, f"{login}-left-out.txt").decode()


@pytest.fixture
def room(tmp_path, monkeypatch) -> Iterator[Class]:
    """Lay out three learners' homes, each with a diary; folders too deep for pytest are removed after."""
    keys = dict.fromkeys(("image", "address", "hub_address", "engine_host", "pack"), "")
    ports = dict.fromkeys(("port", "hub_port", "proxy_port", "view_port", "mirror_port"), 0)
    limits = Limits(disk_bytes=DISK_BYTES)
    workshop = Workshop(name="saving", folder=tmp_path / "state", limits=limits, **keys, **ports)
    made = Class(workshop, tmp_path / "kept")
    for login in LEARNERS:
        made.course(login).mkdir(parents=True)
        (made.course(login) / "diary.txt").write_text(f"written by {login}")
    monkeypatch.setattr(disks, "mount", made.mount)
    yield made
    subprocess.run(["rm", "-rf", str(tmp_path / "state")], check=True)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """Let this process open no more than 256 files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in a folder, so that what is made there may lie deeper than a path can say."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def open_descriptors() -> int:
    """Return how many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def nest(folder: Path, depth: int, name: str = "d") -> None:
    """Nest folders, with a file in the last."""
    with inside(folder):
        for _ in range(depth):
            os.mkdir(name)  # noqa: PTH102  a Path would be as long as the nest is deep
            os.chdir(name)
        Path("end").write_text("the end")


def once_before(monkeypatch, name: str, happens: Callable[[], None], on: str) -> None:
    """Let something happen just before a function of `os` is called on a name."""
    whole = getattr(os, name)

    def after(path, *args, **options):
        if path == on:
            happens()
        return whole(path, *args, **options)

    monkeypatch.setattr(os, name, after)


def test_honest_work_comes_back_byte_for_byte(room, tmp_path):
    """Files, modes, times, empty folders, links and odd names come back from the archive, by GNU tar too."""
    course = room.course("ann")
    (course / "work" / "empty").mkdir(parents=True)
    (course / "work" / ("long" * 50)).write_bytes(b"x" * 511)
    (course / "Zoë \n ünï").write_bytes(b"y" * 512)
    bulk = os.urandom(3_000_001)
    (course / "work" / "bulk").write_bytes(bulk)
    (course / "work" / "bulk").chmod(0o640)
    os.utime(course / "work" / "bulk", (1e9, 1_234_567_890.25))
    (course / "work" / "run.sh").write_text("#!/bin/sh\n")
    (course / "work" / "run.sh").chmod(0o755)
    (course / "work" / "again").hardlink_to(course / "work" / "bulk")
    (course / "old").touch()
    os.utime(course / "old", (0, -86_400))
    os.utime(course / "work" / "empty", (1e9, 1e9))
    (course / "work" / "empty").chmod(0o700)
    room.save()
    assert room.archives() == ["ann.tar.gz", "ben.tar.gz", "cid.tar.gz"]
    assert room.said == ["Saving ann", "Saving ben", "Saving cid"]
    subprocess.run(["tar", "-xzpf", str(room.kept / "ann.tar.gz"), "-C", str(tmp_path)], check=True)
    back, names = tmp_path / "ann", sorted(one.relative_to(course) for one in course.rglob("*"))
    assert sorted(one.relative_to(back) for one in back.rglob("*")) == names
    for one in names:
        was, now = (course / one).lstat(), (back / one).lstat()
        assert (was.st_mode, was.st_uid, was.st_gid, was.st_nlink) == (
            now.st_mode,
            now.st_uid,
            now.st_gid,
            now.st_nlink,
        )
        assert now.st_mtime == pytest.approx(was.st_mtime, abs=1e-5)
        assert (course / one).is_dir() or (course / one).read_bytes() == (back / one).read_bytes()


def test_no_depth_and_no_path_is_too_long(room, few_descriptors):
    """Folders nested 3,000 deep are kept to the last file, with no more descriptors than any process has."""
    nest(room.course("ann"), NESTED)
    before = open_descriptors()
    room.save()
    assert open_descriptors() == before
    assert room.content("ann", "/".join(["ann", *["d"] * NESTED, "end"])) == b"the end"
    assert "tar --transform" in room.left_out("ann")
    assert room.content("ann", "ann/diary.txt") == b"written by ann"


def test_names_of_nested_folders_are_bounded_by_the_disk(room):
    """Where the names of nested folders alone would outgrow the disk, the deepest are left out, nothing else."""
    room.limit(3_000_000)
    nest(room.course("ann"), 250, "d" * 250)
    room.save("ann")
    assert 100 < len(room.members("ann")) < 250
    assert "names of its folders outgrow the disk" in room.left_out("ann")
    assert room.content("ann", "ann/diary.txt") == b"written by ann"


def test_a_file_of_holes_costs_nothing(room):
    """A file of 15 TB that takes no room is left out and named, in no time; a sparse one that fits is kept whole."""
    with (room.course("ann") / "huge").open("wb") as file:
        file.truncate(15 * 2**40)
    with (room.course("ann") / "sparse").open("wb") as file:
        file.seek(20_000_000)
        file.write(b"end")
    begun = time.process_time()  # reading 15 TB, be they holes, takes hours of it
    room.save()
    assert time.process_time() - begun < 60
    assert "ann/huge" not in room.members("ann")
    assert "'ann/huge': 16.5TB of it are holes" in room.left_out("ann")
    assert any("see ann-left-out.txt in the archive: 'ann/huge'" in one for one in room.said)
    assert room.content("ann", "ann/sparse") == bytes(20_000_000) + b"end"
    assert (room.kept / "ann.tar.gz").stat().st_size < 1_000_000


def test_many_sparse_files_share_one_bound(room):
    """A hundred files of holes, each smaller than the disk, add no more than the disk's size to an archive."""
    for number in range(100):
        with (room.course("ann") / f"sparse{number}").open("wb") as file:
            file.truncate(DISK_BYTES // 4)
    room.save("ann")
    assert len([one for one in room.members("ann") if "sparse" in one]) == 4
    assert room.left_out("ann").count("are holes") == 96


def test_no_bytes_are_slow_to_pack(room):
    """Two letters in random order, which take gzip at its highest level hours, are packed as fast as others."""
    used_s, noise = {}, os.urandom(1_000_000)
    for login, content in (("ann", noise), ("ben", noise.translate(b"ab" * 128))):
        (room.course(login) / "bulk").write_bytes(content)
        used_s[login] = min(_processor_s(lambda login=login: room.save(login)) for _ in range(3))
    assert used_s["ben"] < 10 * used_s["ann"]


def test_further_names_of_one_file_are_kept_as_names_and_bounded(room):
    """A file under many names is stored once, and names beyond what a disk of files could have end a folder."""
    room.limit(40 * 4096)
    (room.course("ann") / "bulk").write_bytes(os.urandom(100_000))
    for number in range(60):
        (room.course("ann") / f"name{number}").hardlink_to(room.course("ann") / "bulk")
    room.save("ann")
    files = [one for one in room.members("ann").values() if one.isreg() and one.size == 100_000]
    assert (len(files), len(room.members("ann"))) == (1, 42)
    assert "more names than such a disk has files" in room.left_out("ann")
    assert (room.kept / "ann.tar.gz").stat().st_size < 120_000


def test_links_are_kept_as_links_and_never_followed(room, tmp_path):
    """A link to /etc/shadow, to a folder outside, to itself or to nothing is kept as a link, without content."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("not the learner's")
    says = {
        "shadow": "/etc/shadow",
        "folder": str(tmp_path / "outside"),
        "up": "../..",
        "self": "self",
        "no": "nowhere",
    }
    for name, target in says.items():
        (room.course("ann") / name).symlink_to(target)
    room.save()
    links = {one.name.removeprefix("ann/"): one.linkname for one in room.members("ann").values() if one.issym()}
    assert links == says
    assert sorted(room.members("ann")) == sorted(["ann", "ann/diary.txt", *(f"ann/{one}" for one in says)])


def test_a_course_that_is_a_link_or_no_folder_is_not_followed(room, tmp_path):
    """A link, a file or nothing in the place of a learner's folder gives an archive that says so, and no content."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").touch()
    for login in LEARNERS:
        shutil.rmtree(room.course(login))
    room.course("ann").symlink_to(tmp_path / "outside")
    room.course("ben").touch()
    room.save()
    for login in LEARNERS:
        assert list(room.members(login)) == [f"{login}-left-out.txt"]
        assert "no folder `course`" in room.left_out(login)


def test_what_is_no_file_is_left_out_and_named(room):
    """A FIFO, which would be waited for without end, and a socket are left out; the list shows names safely."""
    os.mkfifo(room.course("ann") / "pipe\x1b[2J")
    with inside(room.course("ann")), socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
    room.save()
    assert sorted(room.members("ann")) == ["ann", "ann-left-out.txt", "ann/diary.txt"]
    assert r"'ann/pipe\x1b[2J': a device, FIFO or socket" in room.left_out("ann")
    assert "'ann/socket': a device, FIFO or socket" in room.left_out("ann")
    assert len([one for one in room.said if "left-out" in one and "and 1 more" in one]) == 1
    assert not [one for one in room.said if "\x1b" in one]


def test_a_list_of_what_is_left_out_stays_short(room):
    """Of many things left out the first hundred are named, and the others counted."""
    for number in range(130):
        os.mkfifo(room.course("ann") / f"pipe{number}")
    room.save("ann")
    assert room.left_out("ann").count("FIFO") == 100
    assert room.left_out("ann").endswith("and 30 more\n")


def test_a_name_that_is_no_text_is_kept(room, tmp_path):
    """A name that is no UTF-8 comes back as the same bytes, as does a link's target."""
    name, course = b"caf\xe9\xff", os.fsencode(room.course("ann"))
    Path(os.fsdecode(course + b"/" + name)).write_text("odd")
    (room.course("ann") / "link").symlink_to(os.fsdecode(name))
    room.save()
    subprocess.run(["tar", "-xzf", str(room.kept / "ann.tar.gz"), "-C", str(tmp_path)], check=True)
    assert (tmp_path / "ann" / os.fsdecode(name)).read_text() == "odd"
    assert os.fsencode((tmp_path / "ann" / "link").readlink()) == name
    assert os.fsdecode(b"ann/" + name) in room.members("ann")


@pytest.mark.parametrize("becomes", ["nothing", "a link", "a FIFO", "a folder"])
def test_what_changes_meanwhile_is_left_out_and_not_followed(room, monkeypatch, becomes):
    """A file that is something else when it is opened than when it was looked at is left out and named."""
    file = room.course("ann") / "file"
    file.write_text("here now")

    def change() -> None:
        file.unlink()
        {
            "nothing": lambda: None,
            "a link": lambda: file.symlink_to("/etc/passwd"),
            "a FIFO": lambda: os.mkfifo(file),
            "a folder": file.mkdir,
        }[becomes]()

    once_before(monkeypatch, "open", change, "file")
    room.save()
    assert sorted(room.members("ann")) == ["ann", "ann-left-out.txt", "ann/diary.txt"]
    assert "'ann/file': gone while it was saved" in room.left_out("ann")


def test_a_folder_that_becomes_a_link_is_not_followed(room, tmp_path, monkeypatch):
    """A folder that is a link to another when it is opened is left out and named."""
    folder, outside = room.course("ann") / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    (outside / "secret").touch()
    once_before(monkeypatch, "open", lambda: (folder.rmdir(), folder.symlink_to(outside)), "folder")
    room.save()
    assert sorted(room.members("ann")) == ["ann", "ann-left-out.txt", "ann/diary.txt"]
    assert "'ann/folder': gone while it was saved" in room.left_out("ann")


def test_the_way_up_leads_to_nowhere_else(room, tmp_path, monkeypatch):
    """A folder that is moved while it is read does not lead out of the learner's folder; others are saved."""
    folder, outside = room.course("ben") / "folder", tmp_path / "outside"
    folder.mkdir()
    outside.mkdir()
    once_before(monkeypatch, "open", lambda: folder.rename(outside / "folder"), "..")
    with pytest.raises(EngineError, match=r"work of ben could not be saved in .*folders were moved"):
        room.save()
    assert room.archives() == ["ann.tar.gz", "cid.tar.gz"]


def test_a_file_that_grows_shorter_is_filled_up(room, monkeypatch):
    """A file that loses bytes while it is read is kept with zeros in their place, and what follows it is whole."""
    file = room.course("ann") / "log"
    file.write_bytes(b"x" * 3_000_000)
    monkeypatch.setattr(trees, "_info", _after_first(trees._info, "ann/log", lambda: os.truncate(file, 1_500_000)))
    room.save()
    assert room.content("ann", "ann/log") == b"x" * 1_500_000 + bytes(1_500_000)
    assert "its last 1.5MB are zeros" in room.left_out("ann")
    assert room.content("ann", "ann/diary.txt") == b"written by ann"


def test_one_disk_that_cannot_be_mounted_keeps_nobody_else_back(room):
    """Disks that do not mount are named with why, all others are saved; the next try saves those too."""
    room.broken = {
        "ann": EngineError("`mount` ended with 32: wrong fs type,\n bad superblock.", hint="df -h"),
        "cid": subprocess.TimeoutExpired(["mount"], 300),
    }
    with pytest.raises(EngineError) as raised:
        room.save()
    assert room.archives() == ["ben.tar.gz"]
    lines = str(raised.value).splitlines()
    assert lines[0].endswith(": `mount` ended with 32: wrong fs type, bad superblock.")
    assert lines[0].startswith("The work of ann could not be saved in ")
    assert lines[1].startswith("The work of cid could not be saved in ")
    assert "timed out after 300 seconds" in lines[1]
    assert "`dmhelpers workshop up --roster FILE`" in lines[2]
    assert "Make room" not in lines[2]
    room.broken.clear()
    (room.course("ben") / "diary.txt").write_text("one line more")
    room.save()
    assert room.archives() == ["ann.tar.gz", "ben.tar.gz", "cid.tar.gz"]
    assert room.content("ben", "ben/diary.txt") == b"one line more"


@pytest.mark.parametrize("fails", ["scandir", "stat", "open"])
def test_a_disk_that_cannot_be_read_is_named(room, monkeypatch, fails):
    """An error of reading loses one learner's archive whole, says where it was, and leaves no half archive."""
    (room.course("ben") / "bad").write_text("unreadable")
    identity = room.course("ben").stat()

    def broken(path, *args, **options):
        if path == "bad" or (isinstance(path, int) and os.path.samestat(os.fstat(path), identity)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return whole(path, *args, **options)

    whole = getattr(os, fails)
    monkeypatch.setattr(os, fails, broken)
    with pytest.raises(EngineError, match=r"work of ben could not be saved in .*'ben(/bad)?': Input/output error\."):
        room.save()
    monkeypatch.undo()
    assert room.archives() == ["ann.tar.gz", "cid.tar.gz"]


def test_a_full_target_is_named_and_keeps_no_half_archive(room, monkeypatch):
    """Where the room ends the hint says to make some, and smaller archives than that one are still written."""
    (room.course("ann") / "bulk").write_bytes(os.urandom(2_000_000))
    whole = saving.write_tree

    def in_little_room(write, *args):
        written = 0

        def put(block: bytes) -> None:
            nonlocal written
            written += len(block)
            if written > 1_000_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(block)

        return whole(put, *args)

    monkeypatch.setattr(saving, "write_tree", in_little_room)
    with pytest.raises(EngineError, match=r"work of ann could not be saved in .* No space left") as raised:
        room.save()
    assert "Make room, or choose another folder" in raised.value.hint
    assert room.archives() == ["ben.tar.gz", "cid.tar.gz"]


def test_ctrl_c_leaves_no_half_archive(room, monkeypatch):
    """Ctrl-C in the middle ends it at once: archives before it are whole, none is half, no descriptor stays open."""

    def pressed() -> None:
        raise KeyboardInterrupt

    (room.course("ben") / "sub").mkdir()
    (room.course("ben") / "sub" / "last").touch()
    once_before(monkeypatch, "stat", pressed, "last")
    open_before = open_descriptors()
    with pytest.raises(KeyboardInterrupt):
        room.save()
    assert open_descriptors() == open_before
    assert room.archives() == ["ann.tar.gz"]
    assert room.content("ann", "ann/diary.txt") == b"written by ann"


def test_another_workshops_archives_are_refused(room):
    """Archives that this workshop did not write are not written over; its own are."""
    room.kept.mkdir()
    (room.kept / "ben.tar.gz").write_bytes(b"of last week")
    with pytest.raises(InputError, match="did not write: ben"):
        room.save()
    assert (room.kept / "ben.tar.gz").read_bytes() == b"of last week"
    (room.kept / "ben.tar.gz").unlink()
    room.save()
    room.save()
    assert stat.S_ISREG((room.kept / "ben.tar.gz").stat().st_mode)


def _processor_s(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _after_first(function, path: str, happens: Callable[[], None]):
    def after(name, *args):
        made = function(name, *args)
        if name == path:
            happens()
        return made

    return after
