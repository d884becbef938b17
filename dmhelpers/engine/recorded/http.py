"""The Engine API's side of a recording: a transport under docker-py that keeps, or gives, whole answers."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Mapping
from io import BufferedReader
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from dmhelpers.engine.recorded import requests as forms
from dmhelpers.engine.recorded.privacy import is_pruned, of_the_course
from dmhelpers.engine.recorded.replaying import Player, not_recorded
from dmhelpers.errors import NotRecorded

if TYPE_CHECKING:
    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter

    from dmhelpers.engine.recorded.recording import Recorder

_STREAMED = "/images/get"
"""`docker save`: hundreds of megabytes, of which what was read is kept as documents instead."""

_GONE = json.dumps({"message": "not in the recording"}).encode()


class Recording:
    """Asks the engine through another transport and keeps what it answered."""

    def __init__(self, inner: BaseAdapter) -> None:
        self._inner = inner

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:
        """Send a request, and keep its answer."""
        from dmhelpers.engine.recorded.session import recorder

        keep = recorder(anyhow=_path(request) == "/info")
        if keep is None or _path(request) == _STREAMED:
            return self._inner.send(request, *args, **kwargs)
        form = _form(request)
        begun = time.monotonic()
        kind, images = _kind(request), _images(request, keep.tags)
        answer = self._inner.send(request, *args, **kwargs)
        body = answer.raw.read(decode_content=True)
        kept = _course_part(request, body, answer.status_code, keep)
        headers = {name: value for name, value in answer.headers.items() if name.lower() in _KEPT}
        chunked = answer.headers.get("Transfer-Encoding") == "chunked"
        note_tags(request, answer.status_code, body, keep.tags)
        made = {"status": answer.status_code, "headers": headers, "chunked": chunked, "body": keep.keep(kept)}
        keep.note(kind, form, made, time.monotonic() - begun, images)
        # Lists are used as they are kept, so that what follows from them is what follows in recorded mode.
        return response(request, made, body if _path(request) == "/info" else kept)

    def close(self) -> None:
        """Close the other transport."""
        self._inner.close()


class Replaying:
    """Answers from a recording."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def send(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Response:  # noqa: ARG002  a transport's own
        """Answer a request.

        Raises:
            NotRecorded: Nobody asked this when the recording was made.
        """
        asked = f"{request.method} {_path(request)}"
        if _path(request) == _STREAMED:
            raise not_recorded("what is in the image's layers", self._player)
        named = forms.image_inspected(request.method or "", request.url or "")
        if named is not None and self._player.is_unbuilt(named):
            return response(request, _missing(), json.dumps({"message": f"No such image: {named}"}).encode())
        try:
            found = self._player.answer(_kind(request), _form(request), asked=_asked(request, asked))
        except NotRecorded:
            if request.method != "DELETE":
                raise
            return response(request, _missing(), _GONE)
        body = self._player.recording.bytes_of(found["body"])
        if found["status"] == 200 and _path(request) == "/images/json":
            body = self._without_unbuilt(body)
        note_tags(request, found["status"], body, self._player.tags)
        return response(request, found, body)

    def _without_unbuilt(self, body: bytes) -> bytes:
        listed = []
        for one in json.loads(body):
            tags = one.get("RepoTags") or []
            kept = [name for name in tags if not self._player.is_unbuilt(name)]
            listed += [{**one, "RepoTags": kept}] if kept or not tags else []
        return json.dumps(listed).encode()

    def close(self) -> None:
        """Nothing is open."""


def _missing() -> dict[str, Any]:
    return {"status": 404, "headers": {}, "chunked": False}


_KEPT = ("content-type", "x-docker-container-path-stat")


class _Body(BufferedReader):
    """An answer's bytes as docker-py looks at them: a file below it, and a chunk a line."""

    chunked = False

    @property
    def chunk_left(self) -> int:
        """The bytes that are left of this line, as far as they are at hand."""
        there = self.peek()
        return there.find(b"\n") + 1 or len(there)

    @property
    def fp(self) -> _Body:
        """Itself: where docker-py expects the answer of `http.client`, and in it the socket's file."""
        return self


def response(request: PreparedRequest, made: Mapping[str, Any], body: bytes) -> Response:
    """Return an answer made of its kept parts."""
    from requests import Response
    from urllib3 import HTTPResponse

    file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  closed with the answer
    file.write(body)
    file.seek(0)
    below = _Body(file)
    below.chunked = bool(made["chunked"])
    answer = Response()
    answer.status_code = int(made["status"])
    answer.headers.update(made["headers"])
    answer.raw = HTTPResponse(body=below, status=answer.status_code, headers=made["headers"], preload_content=False)
    answer.url = request.url or ""
    answer.request = request
    return answer


def note_tags(request: PreparedRequest, status: int, body: bytes, tags: dict[str, str]) -> None:
    """Keep in mind which image a name means, where a request asked for that."""
    name = forms.image_inspected(request.method or "", request.url or "")
    if name is None:
        return
    if status == 200:
        tags[name] = str(json.loads(body)["Id"])
    elif status == 404:
        tags.pop(name, None)


def _course_part(request: PreparedRequest, body: bytes, status: int, keep: Recorder) -> bytes:
    if status != 200 or not is_pruned(_path(request)):
        return body
    part = of_the_course(_path(request), json.loads(body), since=keep.begun, names=keep.tags)
    return json.dumps(part).encode()


def _path(request: PreparedRequest) -> str:
    path = urlsplit(request.url or "").path
    return unquote(f"/{path.split('/', 2)[2]}" if path.startswith("/v") and path.count("/") > 1 else path)


def _form(request: PreparedRequest) -> str:
    return forms.http_request(request.method or "", request.url or "", request.body)


def _kind(request: PreparedRequest) -> str:
    return "create" if request.method == "POST" and _path(request) == "/containers/create" else "http"


def _images(request: PreparedRequest, tags: Mapping[str, str]) -> dict[str, str] | None:
    name = forms.image_named(request.method or "", request.url or "", request.body)
    return {name: tags[name]} if name is not None and name in tags else None


def _asked(request: PreparedRequest, plain: str) -> str:
    image = forms.image_inspected(request.method or "", request.url or "")
    if image is not None:
        return f"the image {image}"
    if _kind(request) != "create":
        return plain
    sent = json.loads(request.body or "{}")
    return f"a container of {sent.get('Image')} that runs {' '.join(sent.get('Cmd') or ['its own command'])}"
