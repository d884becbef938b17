"""Bytes by kind: the rules, npm's dev packages, and what went from one image to another."""

from __future__ import annotations

import json
import random
import re
import uuid

import pytest

from dmhelpers.errors import ImageNotFound, InputError
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.kind_rules import kinds_of, rules
from dmhelpers.measure.kinds import Reduction, bytes_by_kind, reduction, subtract
from dmhelpers.measure.records import KindBytes

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
        ("/usr/local/go/src/fmt/print.go", "toolchain"),
        ("/usr/local/lib/node_modules/npm/index.js", "toolchain"),
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
    names = chance.sample([rule.kind for rule in rules() if rule.kind != "compiled output"], chance.randint(0, 7))
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
    docker_cli(["image", "rm", "--force", *(f"{name}:{stage}" for stage in stages)], timeout_s=60)


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
