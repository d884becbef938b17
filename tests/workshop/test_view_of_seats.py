"""The instructor's view of an open workshop: real seats report to it, and only the instructor sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from dmhelpers.workshop.learner import Kernel, Visitor
from tests.course.answers import CELL_01_A
from tests.workshop.conftest import LIMIT_S, until

pytestmark = [pytest.mark.engine, pytest.mark.private_engine, pytest.mark.one_store]

PAGE = "/services/progress/"
NOTEBOOK = "notebooks/01_core_concept.ipynb"
WITHIN_S = 5
LOOK_EVERY_S = 0.2


@contextmanager
def opened_notebook(visitor: Visitor) -> Iterator[Kernel]:
    """Open notebook 01 as JupyterLab does, with a session for its path, and give the session's kernel."""
    base = f"/user/{visitor.login}/api"
    asked = {"path": NOTEBOOK, "name": NOTEBOOK.rpartition("/")[2], "type": "notebook", "kernel": {"name": "python3"}}
    made = visitor.call("POST", f"{base}/sessions", body=asked)
    assert made.status_code == 201, made.text
    place = visitor.url.replace("http:", "ws:")
    kernel = Kernel(f"{place}{base}/kernels/{made.json()['kernel']['id']}/channels", visitor._token)
    try:
        yield kernel
    finally:
        kernel.close()
        visitor.call("DELETE", f"{base}/sessions/{made.json()['id']}")


def cells_of(visitor: Visitor, tag: str) -> list[str]:
    """Return the cells of a learner's own copy of notebook 01 that have a tag."""
    found = visitor.call("GET", f"/user/{visitor.login}/api/contents/{NOTEBOOK}").json()["content"]["cells"]
    return [one["source"] for one in found if tag in one["metadata"].get("tags", ())]


def run(kernel: Kernel, cell: str) -> str:
    """Run a cell, hold that it raised nothing, and return what it shows."""
    told = kernel.run(cell, limit_s=LIMIT_S)
    assert told.error == ""
    return told.text


def in_turn(visitor: Visitor, method: str, *, report: object = None, query: str = "") -> Any:
    """Report as a learner, or take one's report back; wait for a turn where they have just done so."""
    answers: list[requests.Response] = []

    def had_a_turn() -> bool:
        answers.append(visitor.call(method, f"{PAGE}api/report{query}", body=report))
        return answers[-1].status_code != 429

    until(had_a_turn)
    assert answers[-1].status_code == 200, answers[-1].text
    return answers[-1].json()


@pytest.fixture
def looks(room):
    """Log the instructor in and give a function that returns the page as it is now: a learner's states by label."""
    assert room.instructor.log_in() == 200
    # A hub that was started again a moment ago, by another test, has its service up some seconds later.
    until(lambda: room.instructor.session.get(room.workshop.url + PAGE, timeout=LIMIT_S).status_code == 200)

    def look() -> dict[str, dict[str, str]]:
        answer = room.instructor.session.get(room.workshop.url + PAGE, timeout=LIMIT_S)
        assert (answer.status_code, "Who is where" in answer.text) == (200, True)
        rows = re.findall(r'<span class="label">([^<]+)</span>(.*?)</tr>', answer.text, re.DOTALL)
        cell = re.compile(r'<td class="([a-z-]+)[^"]*" data-check="(01-[ab])"')
        return {label: {check: state for state, check in cell.findall(row)} for label, row in rows}

    return look


def shows(look, kernel: Kernel, label: str, check: str, state: str) -> None:
    """Hold that the page shows a learner's state at a check within five seconds.

    Before the next look the kernel, which reports, must have answered: a second in which the machine lets either
    stand still is no look, and so is not counted. On a machine at rest the looks take little more than five seconds.
    """
    for _ in range(int(WITHIN_S / LOOK_EVERY_S)):
        if look().get(label, {}).get(check) == state:
            return
        time.sleep(LOOK_EVERY_S)
        run(kernel, "None")
    pytest.fail(f"after {WITHIN_S} s the page does not show {check} of {label!r} as {state}: {look()}")


def told_where(kernel: Kernel, cell: str) -> str:
    """Run a cell that says beside what a learner stands on the page, until the hub has answered it in time."""
    found: list[str] = []

    def says() -> bool:
        found[:] = re.findall(r"There you are: (.+)\.", run(kernel, cell))
        return bool(found)

    until(says)
    return found[0]


def test_the_page_follows_learners_at_their_seats(room, looks):
    """Opened, stuck and passed, in two real seats, stand on the instructor's page within five seconds."""
    setup, checks = cells_of(room.ann, "setup")[0], cells_of(room.ann, "check")
    with opened_notebook(room.ann) as kernel:
        assert "without your name" in run(kernel, setup)
        label = told_where(kernel, "print(dm.sharing())")
        assert re.fullmatch(r"Learner \d+", label)
        shows(looks, kernel, label, "01-a", "opened")
        for _ in range(3):
            run(kernel, checks[0])
        shows(looks, kernel, label, "01-a", "stuck")
    with opened_notebook(room.ben) as kernel:
        run(kernel, setup)
        assert told_where(kernel, "print(dm.sharing(name=True))") == "ben"
        run(kernel, CELL_01_A)
        assert "01-a done" in run(kernel, checks[0])
        shows(looks, kernel, "ben", "01-a", "passed")
    found = looks()
    assert (found[label]["01-a"], found["ben"]["01-b"]) == ("stuck", "opened")
    assert "ann" not in found


def test_an_open_page_is_told_only_what_changed(room, looks):
    """Asked with the version that the page has, the service answers 204; with an older one, compressed, by rows."""
    report = {"version": 1, "shares_name": True, "opened": {"01_core_concept": 1.0}, "checks": {}}
    in_turn(room.cid, "POST", report=report)
    assert looks()["cid"]["01-a"] == "opened"

    def page() -> tuple[str, str]:
        text = room.instructor.session.get(room.workshop.url + PAGE, timeout=LIMIT_S).text
        return tuple(re.search(rf'{name}="([^"]+)"', text)[1] for name in ("data-version", 'name="_xsrf" value'))

    def ask(version: str, xsrf: str) -> requests.Response:
        address, headers = f"{room.workshop.url}{PAGE}table?since={version}", {"X-XSRFToken": xsrf}
        return room.instructor.session.get(address, headers=headers, timeout=LIMIT_S)

    until(lambda: ask(*page()).status_code == 204)  # a minute may end between the two questions
    older = page()
    in_turn(room.cid, "POST", report=report)
    answer = ask(*older)
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert re.findall(r'class="label">([^<]+)<', answer.text) == ["cid"]
    in_turn(room.cid, "DELETE")


def test_a_learner_who_asks_for_the_page_is_refused(room, looks):
    """The page and its parts are 403 for a learner: in a browser, with a token, and straight from a seat."""
    assert room.ann.log_in() == 200
    for part in ("", "table", "progress.csv"):
        refused = room.ann.session.get(f"{room.workshop.url}{PAGE}{part}", timeout=LIMIT_S)
        assert (refused.status_code, "Learner " in refused.text) == (403, False), part
        assert room.ann.call("GET", f"{PAGE}{part}").status_code == 403, part
    from_seat = (
        "import os, urllib.request, urllib.error\n"
        "asked = urllib.request.Request(os.environ['DMHELPERS_PROGRESS_URL'] + 'table')\n"
        "asked.add_header('Authorization', 'token ' + os.environ['JUPYTERHUB_API_TOKEN'])\n"
        "try: print(urllib.request.urlopen(asked, timeout=100).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    with room.ann.kernel() as kernel:
        assert run(kernel, from_seat) == "403\n"
    assert looks() is not None


@pytest.mark.usefixtures("looks")
def test_who_is_not_logged_in_is_sent_to_the_login(room):
    """The page leads to the hub's login form; what the page asks for while it is open is refused."""
    stranger = Visitor(room.workshop.url, "", "").session
    answer = stranger.get(room.workshop.url + PAGE, timeout=LIMIT_S)
    assert (answer.status_code, answer.url.partition("?")[0]) == (200, f"{room.workshop.url}/hub/login")
    assert 'name="password"' in answer.text
    assert stranger.get(f"{room.workshop.url}{PAGE}table", timeout=LIMIT_S).status_code == 403


def test_nobody_reports_for_another(room, looks):
    """A report that names another learner is its sender's own; without a valid token there is none."""
    check = {"done": True, "tries": 1, "first_try_s": 1.0, "done_s": 1.0}
    report = {"version": 1, "shares_name": True, "opened": {}, "checks": {"01-b": check}}
    assert in_turn(room.cid, "POST", report=report) == {"label": "cid"}
    before = looks()["cid"]
    forged = report | {"checks": {}, "name": "cid", "label": "cid", "user": "cid", "number": 1}
    assert in_turn(room.ben, "POST", report=forged, query="?name=cid&user=cid") == {"label": "ben"}
    for token in ("", "token 0123456789abcdef", "token cid"):
        headers = {"Authorization": token} if token else {}
        stranger = Visitor(room.workshop.url, "cid", "").session
        answer = stranger.post(f"{room.workshop.url}{PAGE}api/report", json=forged, headers=headers, timeout=LIMIT_S)
        assert answer.status_code == 403, token
    assert (looks()["cid"], before["01-b"]) == (before, "passed")
    in_turn(room.cid, "DELETE")
    assert "cid" not in looks()
