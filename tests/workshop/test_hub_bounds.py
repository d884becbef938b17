"""How much a learner can make the hub keep on the machine's own disk, tried on a real JupyterHub."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from dmhelpers.workshop.roster import new_code
from tests.workshop.room_hub import CALLBACK, LIMIT_S, SECRET, RoomHub

pytest.importorskip("jupyterhub", reason="`make test` installs the extra `workshop`")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoomHub]:
    """Start a workshop's hub."""
    with RoomHub(tmp_path_factory.mktemp("room")) as started:
        yield started


@pytest.fixture
def ann(hub: RoomHub) -> requests.Session:
    """Log in as a learner."""
    browser, answer = hub.log_in(hub.code)
    assert answer.status_code == 200
    return browser


def asked(hub: RoomHub, query: str) -> Any:
    """Return the one value that a query of the hub's database gives."""
    with sqlite3.connect(f"file:{hub.folder}/hub.sqlite?mode=ro", uri=True, timeout=LIMIT_S) as base:
        return base.execute(query).fetchone()[0]


def database_bytes(folder: Path) -> int:
    """Return what the hub's database takes of the disk."""
    total = 0
    for one in folder.glob("hub.sqlite*"):
        with suppress(FileNotFoundError):  # the journal of a change that has just been written
            total += one.stat().st_size
    return total


def test_a_note_of_megabytes_is_refused(hub: RoomHub, ann: requests.Session) -> None:
    """A token's note and a seat's options of megabytes are not taken, and the hub's database does not grow."""
    before = database_bytes(hub.folder)
    headers = {"X-XSRFToken": next(one.value for one in ann.cookies if one.name == "_xsrf" and one.path == "/hub/")}
    for path, size in (("tokens", 10_000), ("tokens", 5_000_000), ("server", 5_000_000)):
        url, body = f"{hub.url}/hub/api/users/ann/{path}", {"note": "x" * size}
        try:
            assert ann.post(url, json=body, headers=headers, timeout=LIMIT_S).status_code in (400, 413)
        except requests.ConnectionError:
            assert size > 64 * 1024  # the hub closes while the rest is still under way
    assert database_bytes(hub.folder) - before < 100_000
    assert hub.ask_token(ann, note="y" * 2000).status_code == 201
    assert asked(hub, "select max(length(note)) from api_tokens") == 1023


def test_a_person_has_few_tokens(hub: RoomHub, ann: requests.Session) -> None:
    """Whoever has twenty tokens is told to revoke one, and gets another after that; none lives longer than a day."""
    made = [hub.ask_token(ann, note="one of many") for _ in range(21)]
    last = made[-1]
    assert (last.status_code, "Revoke one" in last.text) == (403, True)
    assert asked(hub, "select count(*) from api_tokens where user_id is not null and client_id = 'jupyterhub'") == 20
    assert asked(hub, "select count(*) from api_tokens where user_id is not null and expires_at is null") == 0
    url = f"{hub.url}/hub/api/users/ann/tokens"
    headers = {"Authorization": f"token {made[0].json()['token']}"}
    for one in requests.get(url, headers=headers, timeout=LIMIT_S).json()["api_tokens"]:
        requests.delete(f"{url}/{one['id']}", headers=headers, timeout=LIMIT_S)
    assert hub.ask_token(ann, note="again").status_code == 201


def open_service(hub: RoomHub, browser: requests.Session) -> str:
    """Let a browser into a service that the hub knows, as a seat's page does, and return the code for its token."""
    query = {"client_id": "service-box", "redirect_uri": CALLBACK, "response_type": "code", "state": "s"}
    answer = browser.get(f"{hub.url}/hub/api/oauth2/authorize", params=query, allow_redirects=False, timeout=LIMIT_S)
    assert answer.status_code == 302
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def token_for(hub: RoomHub, code: str) -> str:
    """Return the token that a service gets for a code."""
    form = {"client_id": "service-box", "client_secret": SECRET, "redirect_uri": CALLBACK, "code": code}
    url = f"{hub.url}/hub/api/oauth2/token"
    answer = requests.post(url, data={**form, "grant_type": "authorization_code"}, timeout=LIMIT_S)
    return str(answer.json()["access_token"])


def test_the_oldest_logins_into_a_seat_end(hub: RoomHub, ann: requests.Session) -> None:
    """Opening a seat again and again leaves the newest fifty codes and tokens, with session IDs cut to 255."""
    ann.cookies.set("jupyterhub-session-id", "s" * 5000, path="/")
    tokens = [token_for(hub, open_service(hub, ann)) for _ in range(55)]
    assert asked(hub, "select count(*) from api_tokens where client_id = 'service-box'") == 50
    assert asked(hub, "select max(length(session_id)) from api_tokens") == 255
    for token, status in ((tokens[0], 403), (tokens[-1], 200)):
        asks = {"Authorization": f"token {token}"}
        assert requests.get(f"{hub.url}/hub/api/user", headers=asks, timeout=LIMIT_S).status_code == status
    for _ in range(55):
        open_service(hub, ann)
    assert asked(hub, "select count(*) from oauth_codes") == 50
    assert asked(hub, "select max(length(session_id)) from oauth_codes") == 255


def test_a_flood_of_wrong_codes_is_told_to_wait_and_keeps_nobody_out(hub: RoomHub) -> None:
    """Of many wrong codes at once some are told to try again; meanwhile whoever came in before comes in."""
    from concurrent.futures import ThreadPoolExecutor

    hub.log_in(hub.code)
    with ThreadPoolExecutor(24) as pool:
        flood = [pool.submit(hub.log_in, new_code()) for _ in range(72)]
        assert hub.log_in(hub.code)[1].status_code == 200
        answers = [one.result()[1] for one in flood]
    assert {one.status_code for one in answers} == {403, 429}
    assert all("then try again" in one.text for one in answers if one.status_code == 429)
    assert hub.log_in(hub.code)[1].status_code == 200
