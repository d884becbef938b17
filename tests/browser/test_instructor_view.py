"""The instructor's view in a real JupyterHub: two learners work, the instructor looks, and nobody else does."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from dmhelpers.workshop import proxy
from tests.browser import workshop_hub
from tests.browser.going import go
from tests.browser.workshop_hub import ask
from tests.course.answers import CELL_01_A

pytestmark = [pytest.mark.browser, pytest.mark.engine, pytest.mark.timeout(1800)]
SCREENSHOTS = Path(__file__).parent.parent.parent / "build" / "browser"
LIMIT_MS = 120_000
WITHIN_MS = 5_000
ASKED = """performance.getEntriesByType("resource")
  .filter(one => one.name.includes("/progress/table")).map(one => one.startTime)"""
MOST_REPORTS = 300
FORGED = """() => {
  const send = () => fetch("clear", {method: "POST"})
  return send().catch(send).then(answer => answer.status)
}"""
"""Sent once more where it was not sent: containers come and go, and Chromium sees another network each time."""


@pytest.fixture(scope="module")
def hub(home, tmp_path_factory):
    """Start a hub, and give each learner a token and a server of their own."""
    if proxy.find() is None:
        pytest.skip("no configurable-http-proxy; make test-browser installs it")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(4)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    with workshop_hub.running(tmp_path_factory.mktemp("hub"), ports) as made:
        yield made


def token_of(kernel):
    """Return the token that the hub gave to a learner's server, as the learner can read it."""
    return kernel.run("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])").strip()


def cell(page, label, check):
    """Return what stands in the grid for a learner and a check."""
    row = page.locator("tbody tr").filter(has=page.locator(f".label:text-is('{label}')"))
    return row.locator(f"td[data-check='{check}']")


def test_the_page_shows_who_is_where_and_only_to_the_instructor(hub, browser, unchanged_engine):
    """The page follows two learners, asking at least every 5 s, names who agreed, and refuses all others."""
    page = hub.log_in(browser, "teacher", viewport={"width": 1280, "height": 800})
    requests = []
    page.on("request", lambda one: requests.append(one.url))
    assert go(page, hub.view).status == 200
    assert "Nobody has opened" in page.inner_text("main")

    windows = {name: hub.log_in(browser, name) for name in ("ada", "ben")}
    ada, ben = (hub.start_server(windows[name], name) for name in windows)
    assert "without your name" in ada.run("%load_ext dmhelpers", notebook="01_core_concept")
    cell(page, "Learner 1", "01-a").get_by_text("opened").wait_for(timeout=LIMIT_MS)

    ada.run("import dmhelpers as dm\nfor _ in range(3): verdict = dm.check('01-a')")
    cell(page, "Learner 1", "01-a").get_by_text("stuck 3").wait_for(timeout=LIMIT_MS)
    assert "Learner 1 on 01-a: 3 tries" in page.inner_text(".help")

    ben.run("%load_ext dmhelpers", notebook="01_core_concept")
    assert "There you are: ben." in ben.run("import dmhelpers as dm\ndm.sharing(name=True)")
    ben.run(CELL_01_A)
    assert "01-a done" in ben.run("dm.check('01-a')")
    cell(page, "ben", "01-a").get_by_text("passed").wait_for(timeout=LIMIT_MS)
    assert page.locator("tfoot td").all_inner_texts() == ["1", "0"]
    assert "ada" not in page.content()

    asked_ms = page.evaluate(ASKED)
    # The shortest time between two: the others are as long as the machine is busy.
    assert min(later - one for one, later in pairwise(asked_ms)) < WITHIN_MS
    looks(page)
    assert {one.split("/")[2] for one in requests if not one.startswith("data:")} == {hub.address.split("/")[2]}
    exported(page)
    refused(hub, windows["ada"], token_of(ada), page)
    hostile(hub, token_of(ada), token_of(ben), page)
    restarted(hub, page)

    ben.run("dm.sharing(progress=False)")
    page.locator(".label:text-is('ben')").wait_for(state="detached", timeout=LIMIT_MS)
    ben.run("dm.cleanup()")
    page.get_by_text("Delete everything").click()
    page.get_by_role("button", name="Delete all rows").click()
    page.get_by_text("Nobody has opened").wait_for(timeout=LIMIT_MS)


def looks(page):
    """Keep a picture of the page in light, dark and print."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, media in (("light", {}), ("dark", {"color_scheme": "dark"}), ("print", {"media": "print"})):
        page.emulate_media(**{"color_scheme": "light", "media": "screen", **media})
        page.screenshot(path=SCREENSHOTS / f"instructor_{name}.png", full_page=True)
    page.emulate_media(media="screen")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def exported(page):
    """The CSV has a line for each learner and check, and no name that was not shared."""
    with page.expect_download() as download:
        page.get_by_text("Download as CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    rows = {(row["learner"], row["check"]): row for row in csv.DictReader(io.StringIO(text))}
    assert (rows["Learner 1", "01-a"]["state"], rows["Learner 1", "01-a"]["tries"]) == ("stuck", "3")
    assert rows["ben", "01-a"]["state"] == "passed"
    assert "ada" not in text


def refused(hub, learner, token, page):
    """Whoever is no instructor sees nothing: not in a browser, not with a learner's own token, not without one."""
    answer = go(learner, hub.view)
    assert answer.status == 403
    assert "Learner 1" not in learner.content()
    for path in ("", "table", "progress.csv"):
        status, text = ask("GET", hub.view + path, token=token)
        assert status == 403
        assert "Learner 1" not in text
    for path in ("table", "progress.csv"):
        assert ask("GET", hub.view + path)[0] == 403
    assert ask("POST", hub.view + "clear", body=b"", token=token)[0] == 403
    forged = page.evaluate(FORGED)
    assert forged == 403
    assert cell(page, "ben", "01-a").count() == 1


def hostile(hub, ada, ben, page):
    """A learner's own words reach neither the page nor another's row, and no report can be large, odd or endless."""
    report = hub.view + "api/report"
    odd = {
        "version": 1,
        "shares_name": False,
        "name": "ben",
        "opened": {"<script>alert(1)</script>": 1},
        "checks": {},
    }
    status, text = ask("POST", report, body=json.dumps(odd).encode(), token=ada)
    assert (status, json.loads(text)) == (200, {"label": "Learner 1"})
    cell(page, "Learner 1", "01-a").wait_for(state="attached")
    page.locator("tbody tr").first.get_by_text("stuck").wait_for(state="detached", timeout=LIMIT_MS)
    assert cell(page, "ben", "01-a").inner_text().split() == ["●", "passed"]
    assert "alert(1)" not in page.content()
    assert ask("POST", report, body=b"{}", token=ada)[0] == 400
    assert ask("POST", report, body=b"{}")[0] == 403
    assert ask("POST", report, body=b"{}", token="0" * 32)[0] == 403
    assert ask("POST", report, body=b" " * 20_000, token=ada)[0] in (400, 413)
    answers = [400]
    while answers[-1] == 400 and len(answers) < MOST_REPORTS:
        answers.append(ask("POST", report, body=b"{}", token=ada)[0])
    assert answers[-1] == 429, "a loop finds its end"
    assert ask("POST", report, body=b"{}", token=ben)[0] == 400, "another learner's turns are their own"


def restarted(hub, page):
    """A service that is killed is started again by the hub, its rows are there, and the open page goes on."""
    started = psutil.Process(hub.process.pid).children()
    (service,) = (one for one in started if "dmhelpers.workshop.view" in one.cmdline())
    hub.process.send_signal(signal.SIGSTOP)  # else it might start the next one before the page has asked
    try:
        service.kill()
        page.get_by_text("No answer since").wait_for(timeout=LIMIT_MS)
    finally:
        hub.process.send_signal(signal.SIGCONT)
    page.get_by_text("Live: refreshed").wait_for(timeout=LIMIT_MS)  # the hub looks every 30 s
    assert cell(page, "ben", "01-a").inner_text().split() == ["●", "passed"]


def test_a_service_whose_hub_was_killed_leaves_the_port_to_the_next(tmp_path):
    """A hub that is killed outright leaves no service behind that would hold the port with a token of yesterday."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "dmhelpers.workshop.view", "--state", str(tmp_path)]
    hub = "import subprocess, sys, time; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(600)"
    own = {"JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}", "JUPYTERHUB_API_TOKEN": "t"}
    with subprocess.Popen(
        [sys.executable, "-c", hub, *command], stdout=subprocess.PIPE, env={**os.environ, **own}, text=True
    ) as parent:
        service = psutil.Process(int(parent.stdout.readline()))
        address = f"http://127.0.0.1:{port}/services/progress/static/view.css"
        deadline = time.monotonic() + LIMIT_MS / 1000
        while not answers(address):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        parent.kill()
    psutil.wait_procs([service], timeout=LIMIT_MS / 1000)
    assert not answers(address)


def answers(address):
    """Say whether something answers there."""
    try:
        return ask("GET", address)[0] == 200
    except OSError:
        return False
