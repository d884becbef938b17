"""Reporting in a workshop: it waits for nobody, breaks nothing, says little, and heals what was lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dmhelpers.course import progress, reporting, sharing
from dmhelpers.course.reporting import ADDRESS, TOKEN

LIMIT_S = 120


class Service:
    """A stand-in for the service that keeps what it was sent, and answers how and when it is told."""

    def __init__(self):
        self.received, self.status, self.location = [], 200, None
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                service.asked.set()
                service.may_answer.wait(LIMIT_S)
                status = service.status  # told before what is received is: a test may change it then
                headers = {"token": self.headers.get("Authorization"), "path": self.path, "method": self.command}
                service.received.append({**headers, "body": json.loads(body) if body else None})
                self.send_response(status)
                if service.location:
                    self.send_header("Location", service.location)
                self.end_headers()
                self.wfile.write(b'{"label": "Learner 7"}')

            do_DELETE = do_GET = do_POST  # noqa: N815  the base class's names

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/services/progress/"

    def wait_for(self, count):
        """Wait until so many messages have come, and return the last one."""
        deadline = time.monotonic() + LIMIT_S
        while len(self.received) < count:
            assert time.monotonic() < deadline, self.received
            time.sleep(0.01)
        return self.received[-1]


@pytest.fixture
def service(tmp_path, monkeypatch):
    """Give each test a service, a workspace and a reporter of its own, in a workshop."""
    made = Service()
    monkeypatch.setenv("DMHELPERS_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv(ADDRESS, made.address)
    monkeypatch.setenv(TOKEN, "ada-s-token")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(reporting, "TIME_LIMIT_S", LIMIT_S)
    reporting._reporter.cache_clear()
    yield made
    reporting._reporter.cache_clear()
    made.server.shutdown()
    made.server.server_close()


def test_what_is_sent_is_the_state_and_no_more(service, monkeypatch):
    """A report holds notebooks and checks with their ages, under one's own token; never guesses, code or a name."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/05_building_and_measuring-Copy1.ipynb")
    progress.note_guesses("05-size", {"single": "450MB"})
    progress.note_check("05-a", done=False)
    progress.note_check("05-b", done=True)
    reporting.notebook_opened()
    sent = service.wait_for(1)
    assert (sent["path"], sent["token"]) == ("/services/progress/api/report", "token ada-s-token")
    body = sent["body"]
    assert set(body) == {"version", "shares_name", "opened", "checks"}
    assert body["shares_name"] is False
    assert list(body["opened"]) == ["05_building_and_measuring"]
    assert body["checks"]["05-a"] | {"first_try_s": 0} == {
        "done": False,
        "tries": 1,
        "first_try_s": 0,
        "done_s": None,
    }
    assert 0 <= body["checks"]["05-b"]["done_s"] < LIMIT_S


def test_a_slow_service_holds_up_no_cell(service):
    """Reporting returns at once, and what happens while a message is under way comes as one message more."""
    service.may_answer.clear()
    for _ in range(200):
        reporting.report()
    assert service.received == [], "no answer was waited for"
    progress.note_check("01-a", done=True)
    reporting.report()
    service.may_answer.set()
    assert service.wait_for(2)["body"]["checks"]["01-a"]["done"]
    assert reporting._reporter().wait(LIMIT_S)
    assert len(service.received) == 2


def test_what_was_lost_is_sent_again(service, monkeypatch):
    """While the service fails the state is tried again, by itself and with the next event, until it has arrived."""
    monkeypatch.setattr(reporting, "Reporter", lambda: _made_with(pause_s=0.2))
    service.status = 500
    progress.note_check("01-a", done=False)
    reporting.report()
    service.wait_for(2)
    service.status = 200
    count = len(service.received)
    service.wait_for(count + 1)
    assert reporting._reporter().wait(LIMIT_S)


_made_with = reporting.Reporter


def test_a_refusal_is_not_repeated(service):
    """What the service will not take now it would not take in a minute either: it is not repeated."""
    service.status = 403
    reporting.report()
    service.wait_for(1)
    assert reporting._reporter().wait(LIMIT_S)
    assert len(service.received) == 1


def test_the_token_follows_no_redirect(service):
    """A service that points elsewhere is not followed there, for the token is for it alone."""
    other = Service()
    service.status, service.location = 302, other.address
    with pytest.raises(reporting.Unsent):
        reporting.send(reporting.message())
    assert other.received == []
    other.server.shutdown()
    other.server.server_close()


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/", "file:///etc/", "nonsense", "http://[::1"])
def test_no_service_breaks_nothing(service, monkeypatch, capfd, address):
    """With nobody there, or an address that is none, checks and openings go on without a word about it."""
    monkeypatch.setenv(ADDRESS, address)
    sharing.tell_once()
    reporting.notebook_opened()
    reporting.report()
    with pytest.raises(reporting.Unsent):
        reporting.send(reporting.message())
    assert capfd.readouterr() == ("", "")


def test_a_process_that_cannot_start_a_thread_goes_on(service, monkeypatch):
    """At a learner's limit of processes no thread starts: then nothing is reported, and nothing is raised."""

    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    reporting.report()


def test_the_last_event_before_the_end_still_goes_out(service):
    """A program that ends right after its check has it reported, and does not wait for a service that is gone."""
    code = f"""
from dmhelpers.course import progress, reporting
reporting.TIME_LIMIT_S = reporting._AT_EXIT_S = {LIMIT_S}
progress.note_check('01-a', done=True)
reporting.report()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT_S)
    assert service.wait_for(1)["body"]["checks"]["01-a"]["done"]


def test_outside_a_workshop_nothing_is_sent_or_written(service, tmp_path, monkeypatch, capsys):
    """Without the hub's variable there is no thread, no message, no file and no notice."""
    monkeypatch.delenv(ADDRESS)
    monkeypatch.setenv("JPY_SESSION_NAME", "01_core_concept.ipynb")
    reporting.notebook_opened()
    reporting.report()
    assert reporting._reporter.cache_info().currsize == 0
    assert not (tmp_path / "workspace").exists()
    assert "no workshop" in str(sharing.sharing(name=True))
    assert capsys.readouterr().out == ""
    assert service.received == []


def test_the_learner_is_told_once_and_chooses(service, capsys):
    """The first notebook says what is seen; a name is shared and progress withheld only by the learner's own call."""
    reporting.notebook_opened()
    reporting.notebook_opened()
    assert capsys.readouterr().out.count("This is a workshop") == 1
    assert service.wait_for(1)["body"]["shares_name"] is False
    assert reporting._reporter().wait(LIMIT_S)
    assert "There you are: Learner 7." in str(sharing.sharing(name=True))
    assert service.received[-1]["body"]["shares_name"] is True
    assert "deleted" in str(sharing.sharing(progress=False))
    assert (service.received[-1]["method"], service.received[-1]["body"]) == ("DELETE", None)
    count = len(service.received)
    reporting.report()
    reporting.notebook_opened()
    assert reporting._reporter().wait(LIMIT_S)
    assert len(service.received) == count
    assert sharing.choice() == sharing.Choice(name=True, progress=False, told=True)


def test_what_is_deleted_does_not_come_back(service):
    """A report that is under way while the learner has everything deleted arrives before that, not after it."""
    service.may_answer.clear()
    reporting.report()
    assert service.asked.wait(LIMIT_S)
    deleting = threading.Thread(target=sharing.sharing, kwargs={"progress": False})
    deleting.start()
    while sharing.choice().progress:
        time.sleep(0.01)
    service.may_answer.set()
    deleting.join(LIMIT_S)
    assert reporting._reporter().wait(LIMIT_S)
    assert [one["method"] for one in service.received] == ["POST", "DELETE"]


def test_a_choice_that_did_not_arrive_is_kept_and_said(service):
    """With the service away the choice holds, and the learner hears that the page does not know of it yet."""
    service.status = 503
    assert "does not know yet: the workshop's hub answered with 503" in str(sharing.sharing(name=True))
    assert sharing.choice().name
    assert "Call this again" in str(sharing.sharing(progress=False))
    assert not sharing.choice().progress


@pytest.mark.parametrize("content", ["", "[]", '{"name": 1, "progress": "no", "more": true}'])
def test_a_damaged_choice_counts_as_none(service, content):
    """What is not readable as a choice never shares a name."""
    sharing.tell_once()
    (progress.progress_file().parent / sharing.FILE).write_text(content)
    assert sharing.choice() == sharing.Choice()
