"""What is in an image: its layers, from the engine, from an archive, or from what was kept of an earlier look."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path

from dmhelpers.engine import recorded
from dmhelpers.engine.client import endpoint, get_json
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.saving import save_stream
from dmhelpers.errors import ArchiveError, EngineError, EngineRefused, ImageNotFound
from dmhelpers.measure import archive, layer_cache, layouts
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.filesystem import final_entries, final_files
from dmhelpers.measure.layer_store import NOT_READABLE, LayerStore
from dmhelpers.measure.windows import filler

__all__ = ["FileEntry", "SavedImage", "SavedLayer", "final_entries", "final_files", "read_file", "read_image"]


def read_image(image: str, *, keep: Iterable[str] = ()) -> SavedImage:
    """Read an image from what was kept when it was read before, the engine's storage, or its `docker save` stream.

    Args:
        image: The image's ID or name.
        keep: Glob patterns (`*` also matches `/`) of small files whose content is wanted, and
            `dmhelpers.measure.wanted.GO_BUILD_INFO` for the notes in programs that Go made.

    Raises:
        ImageNotFound: The engine has no such image.
        EngineUnavailable: No engine answers.
        EngineError: What the engine sent is damaged or incomplete.
    """
    from dmhelpers.measure.images import image_id_of

    return _read(image_id_of(image), image, tuple(keep))


def read_file(path: str | os.PathLike[str], *, image: str | None = None, keep: Iterable[str] = ()) -> SavedImage:
    """Read an image from an archive of `docker save`, plain or packed, or from an OCI layout (a folder, or a tar).

    Args:
        path: The file or folder.
        image: Which image, by its name, where the archive holds several.
        keep: As in `read_image`.

    Raises:
        ArchiveError: There is no such archive, or it is damaged.
        InputError: It holds several images and none, or another, was named.
    """
    where = Path(path).expanduser()
    if not where.exists():
        raise ArchiveError(f"There is no file {str(where)!r}.", hint="Make one with: docker save -o FILE IMAGE")
    cure = "Save the image once more: docker save -o FILE IMAGE"
    with archive.damage_is(ArchiveError, f"{str(where)!r} cannot be read as an image", hint=cure):
        try:
            found = list(_images_of(where, tuple(keep)))
        except OSError as error:
            raise ArchiveError(
                f"{str(where)!r} cannot be read: {error.strerror}.", hint="See whether you may read it."
            ) from error
        chosen = layouts.choose([listed for listed, _ in found], image, repr(str(where)))
        return next(saved for listed, saved in found if listed is chosen)


def forget() -> None:
    """Let go of what this process keeps of the images that it read last; the cache folder stays."""
    _read.cache_clear()


def _images_of(where: Path, keep: tuple[str, ...]) -> Iterable[tuple[layouts.Listed, SavedImage]]:
    if where.is_dir():
        yield from archive.read_layout(where, keep=keep)
        return
    with where.open("rb", buffering=0) as file:
        yield from archive.read_archive(filler(file.readinto), keep=keep)


@functools.lru_cache(maxsize=2)
def _read(image_id: str, name: str, keep: tuple[str, ...]) -> SavedImage:
    """Read once what never changes: an ID names one content. Two images are what most questions are about."""
    known = layer_cache.load(image_id, keep)
    if known is not None:
        return known
    saved = _from_storage(image_id, keep) or _from_stream(image_id, name, keep)
    layer_cache.store(image_id, keep, saved)
    return saved


def _from_storage(image_id: str, keep: tuple[str, ...]) -> SavedImage | None:
    if recorded.player() is not None:
        return None
    engine = engine_info()
    if engine.store != "overlay2" or not endpoint().host.startswith("unix://"):
        return None
    try:
        return LayerStore(Path(engine.data_root)).read(
            image_id, keep=keep, known=lambda diff_id: layer_cache.load_layer(diff_id, keep)
        )
    except NOT_READABLE:
        return None


def _from_stream(image_id: str, name: str, keep: tuple[str, ...]) -> SavedImage:
    import docker.errors

    what = f"What the engine saved of image {name!r} cannot be read"
    cure = "Try again; if it stays so, rebuild the image with --no-cache."
    try:
        with archive.damage_is(EngineError, what, hint=cure), save_stream([image_id]) as readinto:
            (_, saved), *_ = archive.read_archive(readinto, keep=keep, verified=False)
            return saved
    except EngineRefused:
        empty = _without_layers(image_id)
        if empty is None:
            raise
        return empty
    except docker.errors.NotFound as error:
        raise ImageNotFound(
            f"The engine has no image {name!r} any more.", hint="See which there are with: docker images"
        ) from error


def _without_layers(image_id: str) -> SavedImage | None:
    """Return an image that has no layers, which engines refuse to save; None where it has some."""
    found = get_json(f"/images/{image_id}/json")
    return None if (found["RootFS"].get("Layers")) else SavedImage((), {"config": found["Config"]})
