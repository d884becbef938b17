"""Bytes by kind: the rules, npm's dev packages, and what went from one image to another."""

from __future__ import annotations

import json
import random
import re
import uuid
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from dmhelpers.errors import ImageNotFound, InputError
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.filesystem import standing
from dmhelpers.measure.kind_rules import kinds_of, kinds_of_standing, rules
from dmhelpers.measure.kinds import (
    Reduction,
    bytes_by_kind,
    count_base_layers,
    count_layers_below,
    reduction,
    subtract,
)
from dmhelpers.measure.records import KindBytes
from dmhelpers.measure.saved import final_files, read_image

ELF = b"\x7fELF"


def image(*layers):
    """Make a saved image: each layer maps a path to a size, or to (size, head), or to JSON content."""
    made = []
    for number, layer in enumerate(layers):
        entries = []
        for path, what in layer.items():
            size, head, content = (*what, None) if isinstance(what, tuple) else (what, b"", None)
            if isinstance(what, dict):
                content = json.dumps(what).encode()
                size, head = len(content), content[:4]
            entries.append(FileEntry(path, size, "file", number, "", head, content))
        made.append(SavedLayer(f"sha256:{number}", tuple(entries)))
    return SavedImage(tuple(made), {})


def kind_of_files(saved):
    """Return the kind of each of an image's final files, in their order; a base's are named for what they are."""
    found = standing(saved)
    return kinds_of_standing(found, found.files())


def kind_of(path, *, head=b"", base=False):
    """Return the kind of one file that stands alone in an image."""
    (only,) = kinds_of(image({path: (1, head)}), base_layers=int(base))
    return only.kind


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/root/.npm/_cacache/content-v2/sha512/aa", "package-manager caches"),
        ("/root/.cache/go-build/00/0a-d", "package-manager caches"),
        ("/go/pkg/mod/github.com/x/y@v1.0.0/y.go", "package-manager caches"),
        ("/usr/local/go/src/fmt/print.go", "compiler and toolchain"),
        ("/usr/local/lib/node_modules/npm/index.js", "compiler and toolchain"),
        ("/app/node_modules/@types/express/index.d.ts", "type definitions"),
        ("/app/node_modules/express/index.js", "production dependencies"),
        ("/app/node_modules/express/lib/types.d.ts", "production dependencies"),
        ("/app/node_modules/.package-lock.json", "production dependencies"),
        ("/app/dist/server.js", "compiled output"),
        ("/app/dist/server.d.ts", "compiled output"),
        ("/app/src/server.ts", "sources"),
        ("/app/main.go", "sources"),
        ("/app/go.sum", "sources"),
        ("/app/tsconfig.json", "sources"),
        ("/app/package-lock.json", "sources"),
        ("/usr/lib/libz.so.1", "system packages"),
        ("/app/picture.png", "other"),
    ],
)
def test_each_path_of_the_exercise_has_its_kind(path, kind):
    """The rules name the places that the exercise's images are made of."""
    assert kind_of(path) == kind


@pytest.mark.parametrize(
    ("kind", "paths"),
    [
        (
            "compiler and toolchain",
            "/usr/bin/gcc /usr/bin/gcc-12 /usr/bin/x86_64-linux-gnu-g++-12 /usr/libexec/gcc/x86_64/12/cc1 "
            "/usr/bin/ld /usr/bin/as /usr/bin/make /usr/local/bin/cmake /usr/bin/clang-14 /usr/include/stdio.h "
            "/usr/lib/libc.a /usr/lib/x86_64-linux-gnu/crt1.o /usr/lib/jvm/java-21/bin/javac /usr/bin/mvn "
            "/opt/gradle/lib/a.jar /usr/local/cargo/bin/cargo /usr/local/rustup/toolchains/stable/bin/rustc "
            "/usr/local/go/bin/go /usr/local/bin/npm /opt/yarn-v1.22.22/bin/yarn.js "
            "/usr/local/lib/node_modules/corepack/dist/corepack.js /usr/local/bin/pip3.12 "
            "/usr/local/lib/python3.12/site-packages/pip/_internal/cli/main.py "
            "/app/.venv/lib/python3.12/site-packages/setuptools/__init__.py",
        ),
        (
            "package-manager caches",
            "/root/.cache/pip/http/a /home/app/.cache/pip/a /usr/local/cargo/registry/src/a/lib.rs "
            "/root/.m2/repository/org/a/a.jar /root/.gradle/caches/modules-2/a.jar /var/lib/apt/lists/a_Packages "
            "/var/cache/apt/archives/a.deb /var/cache/apk/APKINDEX.tar.gz /etc/apk/cache/a.apk /var/cache/dnf/a.solv "
            "/usr/local/share/.cache/yarn/v6/a /root/.local/share/pnpm/store/v3/a /root/go/pkg/mod/x/y.go "
            "/tmp/go-build123/b001/a.o /root/.npm/_logs/a.log",
        ),
        ("shells", "/bin/sh /bin/busybox /usr/bin/bash /bin/dash /bin/ash /usr/bin/zsh /busybox/sh"),
        (
            "certificates",
            "/etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/002c0b4f.0 /etc/ssl/cert.pem "
            "/usr/share/ca-certificates/mozilla/A.crt /etc/pki/tls/certs/a /opt/java/openjdk/lib/security/cacerts",
        ),
        (
            "documentation",
            "/usr/share/doc/curl/copyright /usr/share/man/man1/ls.1.gz /usr/share/info/a.info.gz "
            "/usr/share/licenses/a/COPYING /usr/local/CHANGELOG.md /app/README.md /app/LICENSE",
        ),
        (
            "production dependencies",
            "/usr/local/lib/python3.12/site-packages/flask/app.py /usr/lib/python3/dist-packages/yaml/a.so "
            "/app/lib/guava.jar /app/BOOT-INF/lib/spring.jar /app/node_modules/express/README.md "
            "/app/node_modules/express/LICENSE /app/.venv/lib/python3.12/site-packages/certifi/cacert.pem",
        ),
        (
            "bytecode caches",
            "/usr/local/lib/python3.12/site-packages/flask/__pycache__/app.cpython-312.pyc /app/__pycache__/a.pyc",
        ),
        (
            "language runtime",
            "/usr/local/bin/node /usr/local/bin/python3.12 /usr/local/lib/python3.12/json/decoder.py "
            "/usr/lib/jvm/java-21/lib/modules /opt/java/openjdk/bin/java /usr/lib/x86_64-linux-gnu/perl/5.36/a.so",
        ),
        ("build intermediates", "/app/target/release/deps/a.rlib /app/target/debug/app /app/target/classes/A.class"),
        ("compiled output", "/app/target/release/app /app/target/app.jar /app/app.war /app/A.class"),
        ("application", "/app/main.py /app/src/main.py /app/server.js /docker-entrypoint.sh /app/config.ru.rb"),
        ("sources", "/app/.git/objects/aa/bb /app/Cargo.toml /app/pom.xml /app/src/A.java /app/src/main.rs /app/a.c"),
        ("system packages", "/lib/apk/db/installed /var/lib/dpkg/status /usr/bin/curl /usr/share/locale/de/a.mo"),
    ],
)
def test_the_places_of_other_languages_have_their_kinds(kind, paths):
    """Compilers, caches, shells, certificates, documentation and packages are known where each system keeps them."""
    assert {path: kind_of(path) for path in paths.split()} == dict.fromkeys(paths.split(), kind)


def test_a_base_is_named_for_what_it_is_made_of_where_it_is_not_told_apart():
    """Without base layers a base's shell, npm and runtime have kinds of their own; with them they are the base."""
    saved = image(
        {"/bin/busybox": (1, ELF), "/usr/local/bin/node": (2, ELF), "/usr/local/bin/npm": 3}, {"/app/a.ts": 4}
    )
    assert kind_of_files(saved) == ["sources", "shells", "language runtime", "compiler and toolchain"]
    assert kinds_of(saved, base_layers=None) == kinds_of(saved, base_layers=0) == kinds_of(saved)
    assert kinds_of(saved, base_layers=1) == (KindBytes("base image", 6, 3), KindBytes("sources", 4, 1))


def test_all_names_of_one_file_have_one_kind():
    """Of a file with several hard links the kind is that of the name that comes first among the rules."""
    links = [FileEntry(f"/bin/{name}", 0, "hard link", link_target="/bin/[") for name in ("cat", "sh")]
    saved = SavedImage((SavedLayer("", (FileEntry("/bin/[", 900, "file", head=ELF), *links)),), {})
    assert kind_of_files(saved) == ["shells"] * 3
    assert kinds_of(saved) == (KindBytes("shells", 900, 3),)
    later = SavedLayer("", (FileEntry("/bin/[", 5, "file", layer=1),))
    assert kind_of_files(SavedImage((*saved.layers, later), {})) == ["system packages", "shells", "shells"]


def slow_kind(path, head, dev_folders):
    """Return a file's kind by trying each rule in turn, each of its paths as one pattern."""

    def matches(pattern):
        if pattern.endswith("/*"):
            return fnmatchcase(path, pattern)
        above, slash, name = pattern.rpartition("/")
        folder, _, own = path.rpartition("/")
        return fnmatchcase(own, name) and (not slash or fnmatchcase(folder, above))

    is_dev = any(path.startswith(f"{folder}/") for folder in dev_folders)
    for rule in rules():
        if rule.in_base or (rule.program is not None and rule.program != (head == ELF)):
            continue
        if rule.dev_package is not None and rule.dev_package != is_dev:
            continue
        if not rule.paths or any(matches(pattern) for pattern in rule.paths):
            return rule.kind
    return None


@pytest.mark.parametrize("seed", range(8))
def test_the_quick_answer_is_the_plain_one(seed):
    """Whatever the path, the index finds the rule that trying one rule after another would find."""
    chance = random.Random(seed)  # noqa: S311
    patterns = [path for rule in rules() for path in rule.paths]
    parts = sorted({part for pattern in patterns for part in pattern.split("/") if part} | {"app", "lib", "x"})
    fill = ("", "a", ".js", "12", "3.11")
    paths = set()
    for _ in range(1500):
        pieces = chance.choice(patterns).strip("/").split("/")
        pieces = [
            *chance.choices(parts, k=chance.randint(0, 2)),
            *pieces,
            *chance.choices(parts, k=chance.randint(0, 2)),
        ]
        named = [re.sub(r"\*", lambda _: chance.choice(fill), piece) for piece in pieces]
        paths.add("/" + "/".join(piece or "a" for piece in named))
    heads = {path: chance.choice([ELF, b""]) for path in paths}
    installed = {"packages": {"node_modules/typescript": {"dev": True}, "node_modules/a": {"dev": True}}}
    saved = image(
        {path: (1, head) for path, head in heads.items()}, {"/app/node_modules/.package-lock.json": installed}
    )
    dev_folders = [f"/app/{name}" for name in installed["packages"]]
    found = dict(zip((entry.path for entry in final_files(saved)), kind_of_files(saved), strict=True))
    assert found.pop("/app/node_modules/.package-lock.json") == "production dependencies"
    assert found == {path: slow_kind(path, head, dev_folders) for path, head in heads.items()}


def test_a_path_of_a_thousand_folders_is_no_trouble():
    """A path is as deep as it likes."""
    assert kind_of("/d" * 5000 + "/a.ts") == "sources"


def test_a_compiled_program_is_output_wherever_it_was_copied_to():
    """An ELF executable is compiled output by its first bytes; a system package's program is not."""
    assert kind_of("/server", head=ELF) == "compiled output"
    assert kind_of("/usr/local/bin/server", head=ELF) == "compiled output"
    assert kind_of("/usr/bin/curl", head=ELF) == "system packages"
    assert kind_of("/server", head=b"#!/b") == "other"


def test_what_stands_unchanged_from_the_base_is_the_base():
    """A base file is the base's whatever its name, until a later layer writes it again."""
    assert kind_of("/usr/local/go/bin/go", head=ELF, base=True) == "base image"
    saved = image({"/etc/motd": 5, "/app/src/a.ts": 7}, {"/app/src/a.ts": 9})
    assert kinds_of(saved, base_layers=1) == (KindBytes("sources", 9, 1), KindBytes("base image", 5, 1))


LOCK = {
    "packages": {
        "": {"devDependencies": {"typescript": "^5"}},
        "node_modules/typescript": {"dev": True},
        "node_modules/@scope/tool": {"dev": True},
        "node_modules/express/node_modules/debug": {"dev": True},
        "node_modules/fsevents": {"devOptional": True},
        "node_modules/express": {},
    }
}
INSTALLED = {
    "/app/node_modules/typescript/lib/tsc.js": 100,
    "/app/node_modules/typescript/node_modules/inner/a.js": 10,
    "/app/node_modules/typescript-eslint/a.js": 1000,
    "/app/node_modules/@scope/tool/a.js": 1,
    "/app/node_modules/express/node_modules/debug/a.js": 5,
    "/app/node_modules/express/a.js": 2000,
    "/app/node_modules/fsevents/a.js": 4000,
}


@pytest.mark.parametrize("where", ["/app/node_modules/.package-lock.json", "/app/package-lock.json"])
def test_dev_packages_are_those_that_npm_marks(where):
    """Dev dependencies are what npm's record marks "dev", nested and scoped ones too, and no namesake."""
    kinds = {part.kind: part for part in kinds_of(image({**INSTALLED, where: LOCK}))}
    assert kinds["dev dependencies"] == KindBytes("dev dependencies", 116, 4)
    assert kinds["production dependencies"].size_bytes % 1000 == (len(json.dumps(LOCK)) if "/node" in where else 0)


def test_the_record_of_what_is_installed_goes_before_the_lock_file():
    """Where npm recorded what it installed, package-lock.json has no say."""
    saved = image(
        {**INSTALLED, "/app/node_modules/.package-lock.json": {"packages": {}}, "/app/package-lock.json": LOCK}
    )
    assert "dev dependencies" not in {part.kind for part in kinds_of(saved)}


@pytest.mark.parametrize("content", [[], {"packages": []}, {"packages": {"node_modules/typescript": 1}}, {}])
def test_a_strange_lock_file_marks_nothing(content):
    """A lock file of another shape is no error: its packages count as production dependencies."""
    saved = image({"/app/node_modules/typescript/a.js": 3})
    entry = FileEntry("/app/package-lock.json", 0, "file", content=json.dumps(content).encode())
    saved = SavedImage((SavedLayer("", (*saved.layers[0].entries, entry)),), {})
    assert KindBytes("production dependencies", 3, 1) in kinds_of(saved)


def test_every_rule_says_why():
    """A rule is data with a reason: a kind, and a sentence that ends in a full stop."""
    assert all(rule.kind and rule.why.endswith(".") for rule in rules())
    assert rules()[-1].kind == "other"


def test_every_kind_is_defined_in_the_documentation():
    """docs/contents.md has a row for each kind, in the order of the rules, and for no other."""
    text = (Path(__file__).parents[2] / "docs" / "contents.md").read_text(encoding="utf-8")
    section = text.partition("\n## Kinds\n")[2].partition("\n## ")[0]
    named = [row.split("|")[1].strip() for row in section.splitlines() if row.startswith("| ")]
    assert named[1:] == list(dict.fromkeys(rule.kind for rule in rules()))


def test_every_byte_has_one_kind():
    """The kinds add up to the final filesystem, and the largest stands first."""
    files = {
        **INSTALLED,
        "/app/node_modules/.package-lock.json": LOCK,
        "/x": 3,
        "/server": (7, ELF),
        "/root/.npm/a": 2,
    }
    parts = kinds_of(image(files))
    assert sum(part.files for part in parts) == len(files)
    assert sum(part.size_bytes for part in parts) == image(files).size_bytes
    assert [part.size_bytes for part in parts] == sorted((part.size_bytes for part in parts), reverse=True)


def random_kinds(seed):
    """Return bytes by kind as an image might have them."""
    chance = random.Random(seed)  # noqa: S311
    names = chance.sample(sorted({rule.kind for rule in rules()}), chance.randint(0, 7))
    return [KindBytes(name, chance.choice([0, 5, chance.randint(0, 10**9)]), 1) for name in names]


@pytest.mark.parametrize("seed", range(40))
def test_the_parts_add_up_to_the_difference(seed):
    """Whatever two images are made of, the drops by kind add up exactly to the difference of their sizes."""
    before, after = random_kinds(seed), random_kinds(seed + 1000)
    made = subtract("a", "b", before, after)
    assert sum(part.size_bytes for part in made.parts) == made.before_bytes - made.after_bytes
    assert made.before_bytes == sum(part.size_bytes for part in before)
    assert all(part.size_bytes != 0 for part in (*made.parts, *made.stays))
    assert not {part.kind for part in made.parts} & {part.kind for part in made.stays}


def test_what_both_have_in_equal_amount_stays():
    """A kind of equal bytes in both images is no step of the reduction."""
    base = KindBytes("base image", 132, 10)
    made = subtract("a", "b", [base, KindBytes("sources", 3, 2)], [base])
    assert made.stays == (base,)
    assert made.parts == (KindBytes("sources", 3, 2),)
    assert (made.base_before_bytes, made.base_after_bytes) == (132, 132)


def test_parts_that_do_not_add_up_are_refused():
    """A reduction whose parts do not add up cannot be made."""
    with pytest.raises(InputError, match="add up to 3 bytes, the images differ by 4"):
        Reduction("a", "b", 10, 6, (KindBytes("sources", 3, 1),))


@pytest.fixture
def images(tmp_path):
    """Give a base image, one with a builder's clutter on it, and one from scratch; removed afterwards."""
    from dmhelpers.engine.client import docker_cli

    name = f"dmhelpers-test-kinds-{uuid.uuid4().hex[:12]}"
    lock = json.dumps({"packages": {"node_modules/typescript": {"dev": True}}})
    contents = {"motd": "hello\n", "tsc.js": "x" * 5000, "a.ts": "y" * 300, "out.js": "z" * 40, "lock.json": lock}
    for file, text in contents.items():
        (tmp_path / file).write_text(text)
    (tmp_path / "Dockerfile").write_text(
        "FROM scratch AS base\nCOPY motd /etc/motd\n"
        "FROM base AS builder\nCOPY a.ts /app/src/a.ts\nCOPY tsc.js /app/node_modules/typescript/tsc.js\n"
        "COPY lock.json /app/node_modules/.package-lock.json\nCOPY tsc.js /app/dist/out.js\n"
        "COPY out.js /app/dist/out.js\n"
        "FROM scratch AS final\nCOPY --from=builder /app/dist /app/dist\n"
    )
    stages = ["base", "builder", "final"]
    for stage in stages:
        command = ["buildx", "build", "--quiet", "--provenance=false", "--load", "--target", stage]
        docker_cli([*command, "-t", f"{name}:{stage}", str(tmp_path)], timeout_s=120)
    yield {stage: f"{name}:{stage}" for stage in stages}
    docker_cli(["image", "rm", "--force", *(f"{name}:{stage}" for stage in stages)], timeout_s=120)


@pytest.mark.engine
def test_a_real_image_is_sorted_into_kinds(images):
    """An image on a real engine shows its base, dev dependencies, sources and output, byte for byte."""
    sizes = {part.kind: part.size_bytes for part in bytes_by_kind(images["builder"], base=images["base"])}
    lock = sizes.pop("production dependencies")
    assert lock == len(json.dumps({"packages": {"node_modules/typescript": {"dev": True}}}))
    assert sizes == {"dev dependencies": 5000, "sources": 300, "compiled output": 40, "base image": 6}


@pytest.mark.engine
def test_a_real_reduction_adds_up_to_the_history(images):
    """From a builder to what is left of it: overwritten bytes have their own part, and the sum is exact."""
    made = reduction(images["builder"], images["final"], base=images["base"])
    drops = {part.kind: part.size_bytes for part in made.parts}
    assert drops["overwritten or deleted"] == 5000
    assert drops["dev dependencies"] == 5000
    assert drops["base image"] == 6
    assert KindBytes("compiled output", 40, 1) in made.stays
    assert (made.base_before_bytes, made.base_after_bytes) == (6, 0)


@pytest.mark.engine
def test_an_unknown_base_is_said_to_be_unknown(images):
    """A base that the engine does not have is an error, not a base of no bytes."""
    with pytest.raises(ImageNotFound, match=re.escape("'dmhelpers-test-none:such' to take as the base")):
        bytes_by_kind(images["base"], base="dmhelpers-test-none:such")


@pytest.mark.engine
def test_the_bases_layers_are_counted_without_reading_any(images):
    """What the engine's own list of layers says is what reading the image says; an unknown base is said to be so."""
    saved = read_image(images["builder"])
    assert count_layers_below(images["builder"], images["base"]) == count_base_layers(saved, images["base"]) == 1
    assert count_layers_below(images["final"], images["base"]) == 0
    with pytest.raises(ImageNotFound, match="to take as the base"):
        count_layers_below(images["base"], "dmhelpers-test-none:such")
