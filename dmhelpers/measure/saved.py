"""What is in an image: its layers as the engine saves them, and the final filesystem that they make."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from dmhelpers.engine.client import api, engine_answers
from dmhelpers.measure import layer_cache
from dmhelpers.measure.archive import FileEntry, SavedImage, SavedLayer, read_archive
from dmhelpers.measure.streams import CHUNK_BYTES, as_file

__all__ = ["FileEntry", "SavedImage", "SavedLayer", "final_files", "read_image"]


def read_image(image_id: str, *, keep: Iterable[str] = ()) -> SavedImage:
    """Read an image through the engine's `docker save` stream, or from what was kept when it was read before.

    Args:
        image_id: The image's ID or name.
        keep: Glob patterns (`*` also matches `/`) of small files whose content is wanted.

    Raises:
        ImageNotFound: The engine has no such image.
        EngineUnavailable: No engine answers.
        EngineError: What the engine sent is damaged or incomplete.
    """
    from dmhelpers.measure.images import image_id_of

    return _read(image_id_of(image_id), image_id, tuple(keep))


@functools.lru_cache(maxsize=6)
def _read(image_id: str, name: str, keep: tuple[str, ...]) -> SavedImage:
    """Read once what never changes: an ID names one content. Six images' records take a few megabytes."""
    known = layer_cache.load(image_id, keep)
    if known is not None:
        return known
    with engine_answers():
        chunks = api().get_image(image_id, chunk_size=CHUNK_BYTES)
        saved = read_archive(as_file(chunks), name=name, keep=keep)
    layer_cache.store(image_id, keep, saved)
    return saved


def final_files(saved: SavedImage) -> Iterator[FileEntry]:
    """Give the files of the final filesystem, sorted by path: what a container would see.

    Directories are left out. Of several hard links to one file that still stand, the first carries its bytes.
    """
    state: dict[str, FileEntry] = {}
    owners: dict[str, tuple[int, str]] = {}
    sizes: dict[tuple[int, str], FileEntry] = {}
    for layer in saved.layers:
        _remove_hidden(state, layer)
        for entry in layer.entries:
            state[entry.path] = entry
            key = (entry.layer, entry.path)
            if entry.type == "hard link":
                key = owners.get(entry.link_target, key)
            else:
                sizes[key] = entry
            owners[entry.path] = key
    counted: set[tuple[int, str]] = set()
    for path in sorted(state):
        entry, key = state[path], owners[path]
        if entry.type == "directory":
            continue
        original = sizes.get(key, entry)
        if original is entry and key not in counted:
            yield entry
        else:
            shown = 0 if key in counted else original.size_bytes
            yield replace(entry, size_bytes=shown, head=original.head, content=original.content)
        counted.add(key)


def _remove_hidden(state: dict[str, FileEntry], layer: SavedLayer) -> None:
    """Take out of `state` what this layer deletes, hides, or replaces by something that is no directory."""
    gone = set(layer.whiteouts)
    emptied = {path.rstrip("/") for path in layer.opaque}
    for entry in layer.entries:
        old = state.get(entry.path)
        if old is not None and old.type == "directory" and entry.type != "directory":
            emptied.add(entry.path)
    if not gone and not emptied:
        return
    for path in [path for path in state if _is_hidden(path, gone, emptied)]:
        del state[path]


def _is_hidden(path: str, gone: set[str], emptied: set[str]) -> bool:
    if path in gone:
        return True
    parent = path
    while parent:
        parent = parent.rpartition("/")[0]
        if parent in gone or parent in emptied:
            return True
    return False
