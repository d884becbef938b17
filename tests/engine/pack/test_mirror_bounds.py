"""What a stranger can take of a pack's mirror: nothing that the others would miss."""

from __future__ import annotations

import gzip
import http.client
import socket
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from dmhelpers.engine.pack import mirror_bounds
from dmhelpers.engine.pack.mirror import Mirror
from dmhelpers.engine.pack.mirror_bounds import Descriptions, Places
from dmhelpers.engine.pack.npm import ORIGIN

TARBALL_BYTES = 50_000_000
DESCRIPTION = f'{{"name": "tiny", "tarball": "{ORIGIN}/tiny/-/tiny-1.0.0.tgz"}}'.encode() * 4000


@pytest.fixture
def server(tmp_path):
    """Serve one package with a long description and a big tarball."""
    for path in ("npm/packuments", "npm/tarballs/tiny/-"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "npm/packuments/tiny.json").write_bytes(DESCRIPTION)
    with (tmp_path / "npm/tarballs/tiny/-/tiny-1.0.0.tgz").open("wb") as tarball:
        tarball.truncate(TARBALL_BYTES)
    with Mirror(("127.0.0.1", 0), tmp_path) as started:
        threading.Thread(target=started.serve_forever, args=(0.02,), daemon=True).start()
        yield started
        started.shutdown()


def ask(server, path="/tiny", host=None, came_from="127.0.0.1", **headers):
    """Return the status and the body of an answer."""
    port = server.server_port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300, source_address=(came_from, 0))
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}", **named})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize(
    "host", ["x" * 15_000, "a" * 256, "a b", "evil.example/path", '"', "a:b", "a:1234567", "me@there"]
)
def test_a_host_that_is_none_is_refused(server, host):
    """A `Host` header that is long or names no host is answered with 400, and no description is made for it."""
    assert ask(server, host=host)[0] == 400


def test_a_request_longer_than_any_is_refused(server):
    """A `Host` header of 65,000 bytes, many headers or a long path end the connection, and cost no memory."""
    tracemalloc.start()
    for path, headers in (
        ("/tiny", {"host": "h" * 65_000}),
        ("/" + "p" * 60_000, {}),
        ("/tiny", {f"h{number}": "x" * 9_000 for number in range(50)}),
    ):
        with suppress(ConnectionError):  # closed while the rest was still under way
            assert ask(server, path, **headers)[0] == 431
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000
    assert ask(server)[0] == 200


@pytest.mark.parametrize(
    "host", ["localhost:{}", "mirror.example", "host.docker.internal:{}", "[::1]:{}", "my_pack:1"]
)
def test_whatever_name_leads_to_it_is_in_the_description(server, host):
    """Under each name that a person may have for it, tarballs lie where it was asked, packed or not."""
    named = host.format(server.server_port)
    expected = DESCRIPTION.replace(ORIGIN.encode(), f"http://{named}".encode())
    assert ask(server, host=named) == (200, expected)
    assert gzip.decompress(ask(server, host=named, Accept_Encoding="gzip")[1]) == expected


def test_invented_names_push_nothing_of_ones_own_out(server, monkeypatch):
    """Many at once with invented names get right answers, and what builds ask for is packed once."""
    packed = []
    really = mirror_bounds._packed
    monkeypatch.setattr(mirror_bounds, "_STRANGE_WAIT_S", 120)
    monkeypatch.setattr(mirror_bounds, "_packed", lambda file, host: (packed.append(host), really(file, host))[1])
    own = f"127.0.0.1:{server.server_port}"
    names = [own if number % 3 == 0 else f"name-{number}.example" for number in range(90)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda name: ask(server, host=name, Accept_Encoding="gzip"), names))
    for name, (status, body) in zip(names, answers, strict=True):
        assert status == 200
        assert gzip.decompress(body) == DESCRIPTION.replace(ORIGIN.encode(), f"http://{name}".encode())
    assert packed.count(own) == 1
    assert len(server.descriptions._kept) <= 4


def test_few_descriptions_for_strangers_are_in_memory(tmp_path, monkeypatch):
    """While eight are being sent to names that are no address of this machine, a ninth waits, and then is refused."""
    monkeypatch.setattr(mirror_bounds, "_STRANGE_WAIT_S", 0.1)
    (tmp_path / "tiny.json").write_bytes(DESCRIPTION)
    made = Descriptions()
    opened = [made.opened(tmp_path / "tiny.json", f"h{one}", own=False, packed=True) for one in range(9)]
    assert None not in [one.__enter__() for one in opened[:8]]
    assert opened[8].__enter__() is None
    with made.opened(tmp_path / "tiny.json", "own", own=True, packed=True) as content:
        assert content
    for one in opened:
        one.__exit__(None, None, None)


def test_who_does_not_read_keeps_no_file_in_memory(server):
    """Tarballs that are asked for and not read stay on the disk."""
    tracemalloc.start()
    lazy = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(8)]
    for one in lazy:
        one.sendall(b"GET /tiny/-/tiny-1.0.0.tgz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert one.recv(1000).startswith(b"HTTP/1.1 200")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    for one in lazy:
        one.close()
    status, body = ask(server, "/tiny/-/tiny-1.0.0.tgz")
    assert (status, len(body)) == (200, TARBALL_BYTES)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a second loopback address without being told")
def test_whoever_opens_many_connections_leaves_places(server):
    """An address has as many connections as are left free; the next one has its answer, and places come back."""
    server.places = Places(8)
    held = [socket.create_connection(("127.0.0.1", server.server_port)) for _ in range(7)]
    for one in held:
        one.settimeout(120)
    assert [one.recv(1) for one in held[4:]] == [b""] * 3
    assert ask(server, came_from="127.0.0.2", Connection="close")[0] == 200
    for one in held:
        one.close()
    assert ask_until(server)


def ask_until(server):
    """Return whether the mirror answers within two minutes."""
    limit = time.monotonic() + 120
    while time.monotonic() < limit:
        try:
            return ask(server)[0] == 200
        except (ConnectionError, http.client.HTTPException):
            time.sleep(0.1)
    return False


def test_places_are_counted():
    """Half of the places are one address's at most, half of the rest the next one's; what is left is taken again."""
    places = Places(8)
    assert [places.take("a") for _ in range(5)] == [True] * 4 + [False]
    assert [places.take("b") for _ in range(3)] == [True] * 2 + [False]
    assert [places.take("c") for _ in range(2)] == [True, False]
    assert places.are_few
    for address in "aaaabbc":
        places.leave(address)
    assert not places.are_few
    assert [places.take("b") for _ in range(5)] == [True] * 4 + [False]
