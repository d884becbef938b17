"""The fact that surprises everyone, on the real sample: a failing test stage stops no build that does not need it."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

import dmhelpers as dm
from dmhelpers.errors import BuildFailed

pytestmark = [pytest.mark.engine, pytest.mark.one_store, pytest.mark.usefixtures("unchanged_engine")]

FILE = "Dockerfile.test"


@pytest.fixture
def broken_api(tmp_path: Path) -> Path:
    """A copy of my-api with one test that fails."""
    folder = dm.sample("my-api", workspace=tmp_path).path
    (folder / "test" / "broken.test.js").write_text(
        '"use strict";\n'
        'require("node:test").it("holds what it cannot", () => { throw new Error("broken on purpose"); });\n'
    )
    # An image of its own: with equal contents, somebody else's my-api would be the same image.
    (folder / "src" / "once.ts").write_text(f'export const once = "{uuid.uuid4()}";\n')
    return folder


def test_broken_test_stage(broken_api, explained) -> None:
    """The image is built and reports stage `test` as not built; asked for by name, `test` fails with its line."""
    built = dm.build(broken_api, file=FILE, tag="faults-my-api:latest")
    states = dict(zip(built.stages["stage"], built.stages["state"], strict=True))
    assert states["test"] == "not built"
    assert {states["builder"], states["runtime"]} <= {"ran", "cached"}
    assert dm.run(built.tag, ["ls", "dist"]).exit_code == 0

    lines = (broken_api / FILE).read_text().splitlines()
    line = 1 + lines.index("RUN npm test")
    with explained(
        BuildFailed, "RUN npm test", f"{FILE} line {line} (stage test)", "exit code 1", cure="Read the lines above"
    ) as caught:
        dm.build(broken_api, file=FILE, tag="faults-my-api:test", target="test")
    assert (caught.value.stage, caught.value.line, caught.value.exit_code) == ("test", line, 1)
    assert "broken on purpose" in caught.value.log
    assert list(dm.images("faults-my-api")["tag"]) == ["latest"]
