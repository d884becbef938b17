"""Parsons problems on a real engine: what builds and passes is right, in whatever order; what does not says why."""

from __future__ import annotations

import pytest

from dmhelpers.course.progress import puzzle_records
from dmhelpers.course.puzzles.library import problems
from dmhelpers.course.puzzles.parsons import parsons
from dmhelpers.engine import bases, ledger
from dmhelpers.engine.cleanup import cleanup
from dmhelpers.engine.info import engine_info

pytestmark = [pytest.mark.engine, pytest.mark.one_store]


@pytest.fixture(scope="module", autouse=True)
def base_images(home):
    """Have the base images ready; what the builds left in the build cache serves all tests here, and goes then."""
    bases.ensure_many(["node:20-alpine", "golang:1.22-alpine"])
    yield
    cleanup()


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    """Give each test an empty workspace of its own, and hold that it leaves no image on the engine."""
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    yield
    engine_id = engine_info().engine_id
    assert not ledger.recorded(engine_id, "image")
    assert not ledger.recorded(engine_id, "container")


def solved(name, *, swap=None, put=None, out=(), end=None):
    """Judge a solution with lines replaced (`swap`), put before another (`put`), left out or added at the end."""
    posed = parsons(name)
    number = {line.text: line.number for line in posed.problem.lines}
    order = list(posed.problem.solution)
    for old, new in (swap or {}).items():
        order[order.index(number[old])] = number[new]
    for new, before in (put or {}).items():
        order.remove(number[new]) if number[new] in order else None
        order.insert(order.index(number[before]), number[new])
    order = [one for one in order if one not in {number[text] for text in out}]
    return posed.answer([*order, number[end]] if end else order)


@pytest.mark.parametrize("name", [one.name for one in problems()])
def test_the_solution_of_each_is_right(name):
    """The solution builds and passes every probe, and is noted as solved."""
    judged = solved(name)
    assert judged.done, str(judged)
    assert len(judged.seen) == 1 + len(parsons(name).problem.probes)
    assert (judged.about, judged.engine, judged.trouble) == ((), (), "")
    assert puzzle_records()[f"parsons {name}"].done


def test_another_order_that_builds_is_as_right():
    """Lines whose order makes no difference may stand in either; the text is not compared."""
    assert solved("go-scratch", put={"COPY --from=builder /hello /hello": GO_CERTIFICATES}).done
    assert solved("cache-order", put={"COPY vendor/ ./vendor/": "COPY package.json package-lock.json ./"}).done
    early = 'CMD ["node", "/app/dist/app.js"]'
    assert solved("two-stages", put={early: "COPY --from=builder /build/dist /app/dist"}).done


GO_CERTIFICATES = "COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt"


def test_a_line_that_is_not_needed_but_harmless_is_right_and_named():
    """An answer with a line too many that still builds and passes is right, and says what the line does."""
    judged = solved("cache-order", swap={"COPY main.js ./": "COPY . ."})
    assert judged.done, str(judged)
    assert "COPY . . does no harm here" in judged.about[0]


def test_what_does_not_build_says_what_the_engine_said():
    """A failing build is not yet, with the engine's own reason, and the line that does not belong has its own."""
    judged = solved(
        "two-stages",
        swap={"COPY --from=builder /build/dist /app/dist": "COPY --from=builder dist /app/dist"},
    )
    assert not judged.done
    assert judged.missing == ("the Dockerfile does not build",)
    assert "dist" in " ".join(judged.engine)
    assert "not at its WORKDIR" in judged.about[0]
    assert not puzzle_records()["parsons two-stages"].done


def test_of_a_step_that_fails_the_telling_line_is_shown():
    """A RUN that fails is named with its line and stage, and with the line of its output that says why."""
    judged = solved("two-stages", put={"COPY make.js greeting.txt ./": "WORKDIR /build"})
    assert not judged.done
    assert judged.engine[0].startswith("RUN node make.js ended with exit code 1 at Dockerfile line 4")
    assert "Cannot find module" in judged.engine[1]


def test_a_dockerfile_that_cannot_be_read_is_not_yet():
    """A first line that is no FROM is answered by the reader, without a build."""
    judged = parsons("two-stages").answer([7])
    assert not judged.done
    assert judged.engine


@pytest.mark.parametrize(
    ("name", "change", "missing"),
    [
        (
            "two-stages",
            {"swap": {"FROM node:20-alpine AS runtime": "FROM builder AS runtime"}},
            "the sources are in the image that you ship, such as /build/make.js",
        ),
        ("two-stages", {"out": ['CMD ["node", "/app/dist/app.js"]']}, "is to print the greeting"),
        ("cache-order", {"swap": {"COPY package.json package-lock.json ./": "COPY . ."}}, "npm ci runs again"),
        (
            "test-stage",
            {"swap": {"COPY --from=test /app/src /app/src": "COPY --from=builder /app/src /app/src"}},
            "with a test broken in a copy, a plain build still makes the image",
        ),
        (
            "test-stage",
            {"swap": {"RUN node --test test/": "RUN node --test test/ || true"}},
            "with a test broken in a copy, a plain build still makes the image",
        ),
        (
            "test-stage",
            {"swap": {"FROM node:20-alpine AS runtime": "FROM test AS runtime"}},
            "the tests are in the image that you ship",
        ),
        ("go-scratch", {"swap": {'ENTRYPOINT ["/hello"]': "ENTRYPOINT /hello"}}, "is to run the program"),
        ("go-scratch", {"out": [GO_CERTIFICATES]}, "the certificates are not in the image"),
        ("go-scratch", {"end": "RUN chmod +x /hello"}, "does not build"),
        (
            "go-scratch",
            {"swap": {"COPY --from=builder /hello /hello": "COPY --from=builder /src/hello /hello"}},
            "does not build",
        ),
        ("go-scratch", {"out": ["FROM scratch"]}, "does not build"),
    ],
)
def test_a_wrong_answer_is_not_yet_and_says_what_is_missing(name, change, missing):
    """Each typical mistake is found by what the engine made of it."""
    judged = solved(name, **change)
    assert not judged.done, str(judged)
    assert any(missing in one for one in judged.missing), str(judged)
