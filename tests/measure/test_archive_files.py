"""Archives given as a file or a folder: every packing and layout, several images in one, and what is no archive."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile

import pytest
import zstandard

from dmhelpers.errors import ArchiveError, InputError
from dmhelpers.measure import saved as reading
from dmhelpers.measure import tar_scan
from dmhelpers.measure.contents import contents_of
from dmhelpers.measure.entries import FileEntry
from dmhelpers.measure.wanted import GO_BUILD_INFO, Wanted
from dmhelpers.measure.windows import Window, filler
from tests.measure.archives import archive, digest_of, final, layer_tar, layout_files, pack, read

LAYERS = (layer_tar(("app", None), ("app/a", b"12345")), layer_tar(("app/b", b"123"), ("app/.wh.a", b"")))
PLAIN = archive(*LAYERS)


@pytest.fixture
def write(tmp_path):
    """Write a file and return its path."""

    def written(data, name="image.tar"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return written


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
@pytest.mark.parametrize("layout", ["both", "oci", "docker"])
def test_a_whole_archive_may_be_packed(write, packed, layout):
    """An archive that was packed as a whole reads as the plain one, in every layout."""
    found = contents_of(write(packed(archive(*LAYERS, layout=layout))))
    assert (list(found.paths), list(found.sizes), list(found.layers)) == (["/app/b"], [3], [1])
    assert [one.wasted_bytes for one in found.by_layer] == [5, 0]


@pytest.mark.parametrize("packed", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_an_oci_layout_may_be_a_folder(tmp_path, packed):
    """An OCI layout that lies in a folder is read from its index, whatever its layers are packed with."""
    for name, data in layout_files(*LAYERS, layout="oci", packed=packed).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    assert list(contents_of(tmp_path).paths) == ["/app/b"]


def test_text_that_looks_like_a_path_is_one(write, monkeypatch, tmp_path):
    """A name that ends like an archive, or begins like a path, is looked for on disk and not on the engine."""
    write(PLAIN)
    monkeypatch.chdir(tmp_path)
    for name in ("image.tar", "./image.tar", str(tmp_path / "image.tar")):
        assert list(contents_of(name).paths) == ["/app/b"]


def several():
    """Return an archive of two images with names."""
    files: dict[str, bytes] = {}
    lists = []
    for number, tag in enumerate(("first:latest", "second:1.0")):
        one = layout_files(layer_tar((f"file{number}", b"1")), tags=[tag])
        lists += json.loads(one["manifest.json"])
        files |= one
    return pack({**files, "manifest.json": json.dumps(lists).encode()})


def test_one_of_several_images_is_named(write):
    """Of an archive of several images one is chosen by name; without a name, those that there are are listed."""
    path = write(several())
    assert list(contents_of(path, name="first").paths) == ["/file0"]
    assert list(contents_of(path, name="second:1.0").paths) == ["/file1"]
    for wanted in (None, "third"):
        with pytest.raises(InputError, match=r"first:latest, second:1\.0") as caught:
            contents_of(path, name=wanted)
        assert str(caught.value).splitlines()[-1].startswith("Name ")


def test_of_several_platforms_this_machines_is_taken(write, monkeypatch):
    """An index of several platforms gives the image of this machine's."""
    from dmhelpers.measure import layouts

    files: dict[str, bytes] = {}
    listed = []
    for architecture in ("s390x", "arm64"):
        one = layout_files(layer_tar((architecture, b"1")), layout="oci", architecture=architecture)
        listed += json.loads(one["index.json"])["manifests"]
        files |= one
    path = write(pack({**files, "index.json": json.dumps({"manifests": listed}).encode()}))
    monkeypatch.setattr(layouts.platform, "machine", lambda: "aarch64")
    assert list(contents_of(path).paths) == ["/arm64"]


def header(name="x", **fields):
    """Return the header of one entry, with fields of one's own."""
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(records):
    """Return an extended header with these bytes for records."""
    return header("pax", type=tarfile.XHDTYPE, size=len(records)) + records + bytes(-len(records) % 512)


END = bytes(1024)
HARMFUL = {
    "a path out of the root": layer_tar(("../../etc/passwd", b"x")),
    "a path out of the root by detours": layer_tar(("a/../../b", b"x")),
    "a link out of the root": layer_tar(("a", (tarfile.LNKTYPE, "../../etc/passwd"))),
    "a name of megabytes": header("long", type=tarfile.GNUTYPE_LONGNAME, size=50_000_000) + b"a" * 2048 + END,
    "a path longer than any": layer_tar(("d/" * 60_000 + "x", b"")),
    "records that do not add up": pax(b"99999 path=a\n") + header() + END,
    "records of no length": pax(b"0 \n") + header() + END,
    "a size that is none": pax(b"13 size=ten!\n") + header() + END,
    "a size larger than any": header(size=1 << 60) + END,
    "a file larger than its layer": header(size=1 << 30) + b"short" + bytes(507) + END,
    "a header that is none": header() + b"\x01" * 512 + END,
    "a sparse file without its map": header(type=tarfile.GNUTYPE_SPARSE)[:482] + b"\x01" + bytes(29),
}


@pytest.mark.parametrize("case", HARMFUL)
def test_a_layer_made_to_do_harm_is_an_error(write, case, tmp_path):
    """Whatever a layer's headers say, the error is the course's own: a sentence that names the file, and a cure."""
    layer = HARMFUL[case]
    path = write(archive(layer))
    before = sorted(one.name for one in tmp_path.iterdir())
    with pytest.raises(ArchiveError) as caught:
        contents_of(path)
    message, cure = str(caught.value).splitlines()
    assert str(path) in message
    assert cure == "Save the image once more: docker save -o FILE IMAGE"
    assert sorted(one.name for one in tmp_path.iterdir()) == before


def test_a_bomb_of_names_ends_early(write, monkeypatch):
    """A layer with more entries than any image has is given up, whatever its size."""
    monkeypatch.setattr(tar_scan, "ENTRY_LIMIT", 1000)
    bomb = gzip.compress(layer_tar(*((f"f{number}", b"") for number in range(2000))))
    with pytest.raises(ArchiveError, match="more than 1,000 entries"):
        contents_of(write(archive(layer_tar(*((f"f{number}", b"") for number in range(2000))))))
    assert len(bomb) < 100_000


DOCUMENTS = {
    "no archive": b"hello, this is no archive\n" * 100,
    "an empty file": b"",
    "gzip of nothing": gzip.compress(b""),
    "gzip of text": gzip.compress(b"hello" * 1000),
    "gzip that is cut": gzip.compress(PLAIN)[:300],
    "zstd that is cut": zstandard.compress(PLAIN)[:120],
    "a document nested too deeply": pack({"manifest.json": b"[" * 200_000}),
    "a digest that is a path": pack({"index.json": b'{"manifests": [{"digest": "sha256:../../../etc/passwd"}]}'}),
    "an index of itself": pack(
        {
            "index.json": b'{"manifests": [{"digest": "sha256:%s"}]}' % (b"a" * 64),
            "blobs/sha256/" + "a" * 64: b'{"manifests": [{"digest": "sha256:%s"}]}' % (b"a" * 64),
        }
    ),
    "layers and no checksums": archive(LAYERS[0], diff_ids=["sha256:1", "sha256:2", "sha256:3"]),
}


@pytest.mark.parametrize("case", DOCUMENTS)
def test_what_is_no_image_is_an_error(write, case):
    """A file that holds no image, or only a part of one, is named with the reason and a cure."""
    path = write(DOCUMENTS[case])
    with pytest.raises(ArchiveError, match="cannot be read as an image: ") as caught:
        contents_of(path)
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A path at which nothing lies is said to be empty."""
    with pytest.raises(ArchiveError, match="There is no file"):
        contents_of(tmp_path / "none.tar")


def test_no_cut_gives_a_partial_table(write):
    """Wherever an archive is cut, the answer is the error or the whole, never a part."""
    whole = list(contents_of(write(PLAIN)).paths)
    places = random.Random(1)  # noqa: S311  the same places each time
    for end in [*range(0, len(PLAIN), 512), *places.sample(range(len(PLAIN)), 60)]:
        try:
            found = contents_of(write(PLAIN[:end]))
        except ArchiveError:
            continue
        assert list(found.paths) == whole


def test_no_flipped_bit_gives_a_traceback(write):
    """Wherever a bit is flipped, what is raised is the course's own; a layer's own bits never pass unseen."""
    places = random.Random(2)  # noqa: S311  the same places each time
    for _ in range(300):
        damaged = bytearray(PLAIN)
        damaged[places.randrange(len(PLAIN))] ^= 1 << places.randrange(8)
        try:
            found = contents_of(write(bytes(damaged)))
        except (ArchiveError, InputError):
            continue
        assert list(found.paths) == ["/app/b"]


def sparse_tar():
    """Return a layer with a sparse file in the old GNU form: 1,000,000 bytes, of which 512 are stored."""
    block = bytearray(header("sparse", type=tarfile.GNUTYPE_SPARSE, size=512))
    block[386:410] = b"%011o\0" % 999_488 + b"%011o\0" % 512
    block[483:495] = b"%011o\0" % 1_000_000
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + b"x" * 512 + header("after") + END


def test_a_sparse_file_has_its_real_size():
    """A file of which only a part is stored has the size that it has for a reader, and what follows is found."""
    assert final(archive(sparse_tar())) == {"/sparse": 1_000_000, "/after": 0}
    with tarfile.open(fileobj=io.BytesIO(sparse_tar())) as independent:
        assert {one.name: one.size for one in independent} == {"sparse": 1_000_000, "after": 0}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["GNU", "PAX"])
def test_long_names_and_large_numbers_come_through(form):
    """Names, links and owners that do not fit a plain header are read from the headers before it."""
    name, target = "n" * 300, "t" * 300
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        info = tarfile.TarInfo(name)
        info.uid, info.gid, info.mode = 3_000_000, 4_000_000, 0o4711
        tar.addfile(info)
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, target
        tar.addfile(link)
    (layer,) = read(archive(out.getvalue())).layers
    first = FileEntry(f"/{name}", 0, "file", mode=0o4711, uid=3_000_000, gid=4_000_000)
    assert layer.entries[0] == first
    assert (layer.entries[1].path, layer.entries[1].link_target) == ("/link", target)


def test_a_global_header_holds_for_all_that_follow():
    """What a global extended header says is kept until another says otherwise."""
    record = b"12 uid=1000\n"
    start = header("g", type=tarfile.XGLTYPE, size=len(record)) + record + bytes(-len(record) % 512)
    (layer,) = read(archive(start + header("a") + header("b") + END)).layers
    assert [one.uid for one in layer.entries] == [1000, 1000]


def test_contents_that_are_too_large_are_not_kept(monkeypatch):
    """Of wanted files only what fits the bound is kept; the file itself is listed all the same."""
    monkeypatch.setattr(tar_scan, "FILE_LIMIT_BYTES", 10)
    layer = layer_tar(("d/a.json", b"0123456789"), ("d/b.json", b"0123456789+"))
    kept = {one.path: one.content for one in read(archive(layer), keep=["*.json"]).layers[0].entries}
    assert kept == {"/d/a.json": b"0123456789", "/d/b.json": None}


def test_a_link_to_an_older_layers_file_carries_its_bytes():
    """Some builders link to a file of an older layer: it counts once, and survives its first name."""
    lower, link = layer_tar(("a", b"12345")), ("b", (tarfile.LNKTYPE, "a"))
    assert final(archive(lower, layer_tar(link))) == {"/a": 5, "/b": 0}
    assert final(archive(lower, layer_tar(link), layer_tar((".wh.a", b"")))) == {"/b": 5}
    assert final(archive(layer_tar(("b", (tarfile.LNKTYPE, "none")), ("c", (tarfile.LNKTYPE, "c"))))) == {
        "/b": 0,
        "/c": 0,
    }


def test_hashes_tell_layers_apart(write):
    """Archives are not trusted by name: a layer under another's digest is an error, not that other's files."""
    honest = layer_tar(("a", b"1"))
    with pytest.raises(ArchiveError, match="checksum"):
        contents_of(write(archive(honest, diff_ids=[f"sha256:{digest_of(b'another')}"])))


def test_what_an_archive_held_is_not_kept_for_the_engine(write, tmp_path, monkeypatch):
    """Reading a file writes nothing into the cache of the engine's images."""
    monkeypatch.setenv("DMHELPERS_HOME", str(tmp_path / "home"))
    reading.read_file(write(PLAIN))
    assert not (tmp_path / "home").exists()


class General:
    """A layer's tar that is read entry by entry, by the reader that knows everything."""

    def __init__(self, source):
        self._source = source

    def run(self, entries, wanted):
        """Add nothing at once."""

    def __getattr__(self, name):
        return getattr(self._source, name)


def mixed_layer():
    """Write a layer in which plain entries and all others follow each other."""
    choose = random.Random(3)  # noqa: S311  the same each time
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(3000):
            form = choose.choice(["d/{}", "./d/{}", "d/.{}", "d/" + "n" * 99 + "{}", "é/{}"])
            info = tarfile.TarInfo(form.format(number))
            info.mode = choose.choice([0o644, 0o755, 0o4755, 0o1777])
            info.uid, info.gid = choose.choice([(0, 0), (1000, 1001), (0, 3_000_000)])
            info.type = choose.choice([tarfile.REGTYPE] * 6 + [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.FIFOTYPE])
            info.linkname = "target" if info.type == tarfile.SYMTYPE else ""
            info.size = choose.choice([0, 3, 512, 700, 600_000]) if info.type == tarfile.REGTYPE else 0
            data = choose.choice([b"\x7fELF", b"#!/bi"]) * (info.size // 4 + 1)
            tar.addfile(info, io.BytesIO(data[: info.size]))
    return out.getvalue()


@pytest.mark.parametrize(
    "keep", [(), ("*1", "d/*"), ("*/7", GO_BUILD_INFO)], ids=["nothing", "by pattern", "by name"]
)
def test_many_at_a_time_reads_as_one_by_one(keep):
    """The quick reader of plain entries and the general one give the same entries, in the same order."""
    data = mixed_layer()

    def entries(wrap):
        source = io.BytesIO(data)
        return tar_scan.Scan(Wanted(keep)).layer(wrap(tar_scan.Streamed(Window(filler(source.readinto)))))

    assert entries(lambda source: source) == entries(General)
    assert len(entries(General)[0]) == 3000
