"""The packages in an image: what each manager's database says, whole, strange or damaged."""

from __future__ import annotations

import json
import os
import random
import uuid

import pytest

from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.go_buildinfo import read_modules
from dmhelpers.measure.packages import PACKAGE_FILES, Package, packages_of
from dmhelpers.measure.wanted import GO_MAGIC as MAGIC

ELF = b"\x7fELF"


def image(files):
    """Make a saved image of one layer: path to content."""
    entries = [FileEntry(path, len(text), "file", head=text[:4], content=text) for path, text in files.items()]
    return SavedImage((SavedLayer("sha256:0", tuple(entries)),), {})


def found(**files):
    """Return the packages of an image whose files are given by name, as (name, version)."""
    return [(one.name, one.version) for one in packages_of(image(files))]


LOCK = json.dumps(
    {
        "packages": {
            "node_modules/express": {"version": "4.19.2"},
            "node_modules/express/node_modules/debug": {"version": "2.6.9"},
            "node_modules/@types/node": {"version": "20.1.0", "dev": True},
            "node_modules/alias": {"name": "real", "version": "1.0.0"},
            "node_modules/linked": {"link": True, "resolved": "packages/linked"},
            "packages/linked": {"version": "0.0.1"},
        }
    }
).encode()
DPKG = b"""\
Package: curl
Status: install ok installed
Installed-Size: 500
Version: 7.88.1-10
Description: command line tool
 for URLs
 Version: not this one

Package: gone
Status: deinstall ok config-files
Version: 1

Package: half
Status: install reinstreq half-installed
Version: 2
"""
APK = b"""\
C:Q1abc=
P:musl
V:1.2.5-r0
A:x86_64
S:400000
I:667648
F:lib
R:ld-musl-x86_64.so.1

P:busybox
V:1.36.1-r29
I:not a number
"""


def test_npm_by_its_own_record():
    """Where npm recorded what it installed, that is what counts: nested, scoped, dev, renamed; a link is none."""
    saved = image(
        {
            "/app/node_modules/.package-lock.json": LOCK,
            "/app/node_modules/express/package.json": b'{"name": "express", "version": "0.0.0"}',
            "/app/node_modules/left-over/package.json": b'{"name": "left-over", "version": "9"}',
        }
    )
    assert packages_of(saved) == (
        Package("@types/node", "20.1.0", "npm", "/app/node_modules/@types/node", dev=True),
        Package("debug", "2.6.9", "npm", "/app/node_modules/express/node_modules/debug"),
        Package("express", "4.19.2", "npm", "/app/node_modules/express"),
        Package("real", "1.0.0", "npm", "/app/node_modules/alias"),
    )


def test_npm_without_a_record():
    """Else each package's own package.json says its version; a package.json further down is no package."""
    saved = image(
        {
            "/usr/local/lib/node_modules/npm/package.json": b'{"name": "npm", "version": "10.8.2"}',
            "/usr/local/lib/node_modules/npm/node_modules/@npmcli/fs/package.json": b'{"version": "3.1.1"}',
            "/usr/local/lib/node_modules/npm/lib/package.json": b'{"name": "no", "version": "1"}',
            "/usr/local/lib/node_modules/npm/node_modules/@npmcli/package.json": b'{"name": "no", "version": "1"}',
            "/app/package.json": b'{"name": "no", "version": "1"}',
        }
    )
    assert [(one.name, one.version, one.path) for one in packages_of(saved)] == [
        ("@npmcli/fs", "3.1.1", "/usr/local/lib/node_modules/npm/node_modules/@npmcli/fs"),
        ("npm", "10.8.2", "/usr/local/lib/node_modules/npm"),
    ]


def test_npm_with_a_record_that_says_nothing():
    """A record that cannot be read, or lists nothing, hides no package."""
    for text in (b"{", b'{"packages": {}}'):
        files = {
            "/app/node_modules/.package-lock.json": text,
            "/app/node_modules/express/package.json": b'{"version": "4.19.2"}',
        }
        assert found(**files) == [("express", "4.19.2")]


def test_dpkg():
    """Of dpkg's status, packages that are installed count; the size is in KiB there and in bytes here."""
    (curl,) = packages_of(image({"/var/lib/dpkg/status": DPKG}))
    assert curl == Package("curl", "7.88.1-10", "dpkg", "/var/lib/dpkg/status", size_bytes=512_000)


def test_dpkg_of_a_distroless_image():
    """A distroless image has a file a package, without a state, and lists of checksums beside them."""
    files = {
        "/var/lib/dpkg/status.d/base": b"Package: base-files\nVersion: 12.4\n",
        "/var/lib/dpkg/status.d/base.md5sums": b"Package: no\nVersion: 1\n",
    }
    assert found(**files) == [("base-files", "12.4")]


@pytest.mark.parametrize("path", ["/lib/apk/db/installed", "/usr/lib/apk/db/installed"])
def test_apk(path):
    """Of apk's database: name, version and installed size, which is missing where it is no number."""
    assert packages_of(image({path: APK})) == (
        Package("busybox", "1.36.1-r29", "apk", path),
        Package("musl", "1.2.5-r0", "apk", path, size_bytes=667_648),
    )


def test_python():
    """A distribution's METADATA says its name and version before the first empty line."""
    folder = "/usr/lib/python3/site-packages/Flask-3.0.dist-info"
    text = b"Metadata-Version: 2.1\r\nName: Flask\r\nVersion: 3.0.3\r\n\r\nName: no\r\n"
    assert packages_of(image({f"{folder}/METADATA": text})) == (Package("Flask", "3.0.3", "python", folder),)


def varint(number):
    """Write a number as Go's encoding/binary does."""
    parts = []
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def build_info(version, modules, *, flags=2):
    """Write what the linker of Go 1.18 and newer writes into a program."""
    framed = b"\x30\x77\xaf\x0c\x92\x74\x08\x02\x41\xe1\xc1\x07\xe6\xd6\x18\xe6" + modules.encode()
    framed += b"\xf9\x32\x43\x31\x86\x18\x20\x72\x00\x82\x42\x10\x41\x16\xd8\xf2"
    header = MAGIC + bytes([8, flags]) + bytes(16)
    return header + varint(len(version)) + version.encode() + varint(len(framed)) + framed + bytes(64)


MODULES = (
    "path\tgo-server\nmod\tgo-server\t(devel)\t\ndep\tgolang.org/x/text\tv0.14.0\th1:abc=\n"
    "dep\texample.com/old\tv1.0.0\n=>\texample.com/new\tv1.2.0\th1:def=\ndep\tlocal\tv0.1.0\n=>\t./local\t(devel)\t\n"
    "build\tCGO_ENABLED=0\nbuild\tGOOS=linux\n"
)


def test_go():
    """A Go program tells Go's version and its modules; a replaced one is what stands in its place."""
    program = ELF + bytes(12) + MAGIC + bytes(2) + bytes(14) + build_info("go1.22.10", MODULES)
    saved = image({"/server": program, "/notes.txt": program[4:]})
    assert [(one.name, one.version) for one in packages_of(saved)] == [
        ("example.com/new", "v1.2.0"),
        ("go-server", "(devel)"),
        ("golang.org/x/text", "v0.14.0"),
        ("local", "(devel)"),
        ("stdlib", "1.22.10"),
    ]
    assert {(one.manager, one.path) for one in packages_of(saved)} == {("go", "/server")}


def test_go_from_what_was_kept_of_a_program():
    """The bytes from the header on are enough, and a version is taken without its experiments."""
    kept = build_info("go1.24.1 X:nocoverageredesign", "path\ta\n")
    saved = SavedImage((SavedLayer("", (FileEntry("/server", 7_000_000, "file", head=ELF, content=kept),)),), {})
    assert packages_of(saved) == (Package("stdlib", "1.24.1", "go", "/server"),)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        MAGIC,
        build_info("go1.17", MODULES, flags=0),
        build_info("go1.22", MODULES)[:37],
        build_info("nonsense", MODULES),
        MAGIC + bytes([8, 2]) + bytes(16) + b"\xff" * 40,
    ],
    ids=["nothing", "no header", "pointers", "cut", "no version", "endless length"],
)
def test_go_programs_that_say_nothing(content):
    """The pointers of Go before 1.18, half a header, or a version that is none: no module, and no error."""
    assert read_modules(content) == ()


def test_a_go_program_without_modules_still_names_go():
    """A list of modules without its frame, or cut short, leaves Go's own version."""
    assert read_modules(build_info("go1.22.10", "")) == (("stdlib", "1.22.10"),)
    assert read_modules(build_info("go1.22.10", MODULES)[:90]) == (("stdlib", "1.22.10"),)


WHOLE = {
    "/app/node_modules/.package-lock.json": LOCK,
    "/opt/node_modules/a/package.json": b'{"name": "a", "version": "1"}',
    "/var/lib/dpkg/status": DPKG,
    "/lib/apk/db/installed": APK,
    "/x/Flask.dist-info/METADATA": b"Name: Flask\nVersion: 3\n",
    "/server": ELF + build_info("go1.22.10", MODULES),
}


@pytest.mark.parametrize("seed", range(20))
def test_damaged_databases_give_what_can_be_read(seed):
    """Cut, garbled or of another shape: never an exception, and the packages of the other databases stay."""
    chance = random.Random(seed)  # noqa: S311
    for path, text in WHOLE.items():
        cut = text[: chance.randrange(len(text))]
        garbled = bytearray(text)
        for _ in range(20):
            garbled[chance.randrange(len(garbled))] = chance.randrange(256)
        for damaged in (cut, bytes(garbled), os.urandom(300), b"[" * 100_000, b'{"packages": [1]}', b"\xff\xfe"):
            names = {(one.name, one.path) for one in packages_of(image({**WHOLE, path: damaged}))}
            rest = {file: text for file, text in WHOLE.items() if file != path}
            assert {(one.name, one.path) for one in packages_of(image(rest))} <= names


@pytest.mark.parametrize(
    "text",
    [b'{"packages": {"node_modules/a": 1}}', b'{"packages": {"node_modules/a": {"version": 1, "name": []}}}', b"[]"],
)
def test_a_record_of_another_shape(text):
    """Values of another type count as absent."""
    assert {one.version for one in packages_of(image({"/app/node_modules/.package-lock.json": text}))} <= {""}


def test_the_patterns_keep_what_is_read():
    """Every database that is read is among the files to keep."""
    from fnmatch import fnmatchcase

    for path in [*WHOLE, "/var/lib/dpkg/status.d/tzdata", "/usr/lib/apk/db/installed", "/a.egg-info/PKG-INFO"]:
        assert path == "/server" or any(fnmatchcase(path, pattern) for pattern in PACKAGE_FILES)


def test_an_image_of_nothing_has_no_package():
    """Without a database there is no package."""
    assert packages_of(SavedImage((), {})) == ()


@pytest.mark.engine
@pytest.mark.one_store
@pytest.mark.usefixtures("unchanged_engine")
def test_the_packages_of_a_real_go_image():
    """The final image of go-server, built from scratch, tells Go's version and its one module."""
    import dmhelpers as dm
    from dmhelpers.course.sample_info import original
    from dmhelpers.measure.saved import read_image

    tag = f"dmhelpers-test-{uuid.uuid4().hex[:8]}:packages"
    dm.build(original("go-server"), tag=tag, progress="quiet")
    go_server, stdlib = packages_of(read_image(tag, keep=("/server",)))
    assert go_server == Package("go-server", "(devel)", "go", "/server")
    assert (stdlib.name, stdlib.path) == ("stdlib", "/server")
    assert stdlib.version.startswith("1.22")
