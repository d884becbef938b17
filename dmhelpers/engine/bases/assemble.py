"""Assembling a stand-in base image from its recipe: fetch, write the layers, load, enter in the ledger."""

from __future__ import annotations

import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dmhelpers.engine import ledger
from dmhelpers.engine.bases.archive import ImageArchive, make_archive, stream, write_layer
from dmhelpers.engine.bases.certificates import CA_KEY, bundle_digest, host_bundle
from dmhelpers.engine.bases.debian import debian_files, version_of
from dmhelpers.engine.bases.recipe import DebianPackage, LayerRecipe, Recipe, Wheel, applets
from dmhelpers.engine.bases.tree import (
    Tree,
    folder_entry,
    link_entry,
    read_debian,
    read_wheel,
    select,
    text_entry,
)
from dmhelpers.engine.bases.wheels import wheel_file
from dmhelpers.engine.client import api, engine_answers
from dmhelpers.engine.info import engine_info
from dmhelpers.engine.labels import BASE_NAME, BASE_ORIGIN, COURSE_LABELS
from dmhelpers.engine.places import cache_folder
from dmhelpers.errors import BaseImageError
from dmhelpers.units import docker_size

_UNPACK_LIMIT_S = 120.0
MADE_FROM = "io.dmhelpers.base-made-from"
"""On an assembled base image: its packages and their exact versions."""


def assemble(recipe: Recipe, *, progress: Callable[[str], None]) -> str:
    """Assemble a base image on the engine under its official name.

    The caller holds the lock. Half-made layers live in a work folder that is removed, whatever happens;
    the engine names the image as the last thing it does.

    Args:
        recipe: What it is made of.
        progress: Told before each thing that takes a while.

    Returns:
        The image's ID.

    Raises:
        BaseImageError: A package cannot be had, or the engine did not take the image.
    """
    with _work_folder() as work:
        try:
            archive = build_archive(recipe, work, progress=progress)
        except OSError as error:
            raise BaseImageError(
                f"The stand-in for {recipe.name} could not be written: {error.strerror or error}.",
                hint=f"It needs 600 MB free, for a moment, in {cache_folder()}; DMHELPERS_HOME moves that folder.",
            ) from error
        progress(f"Loading the stand-in for {recipe.name} ({docker_size(archive.size_bytes)}) into the engine")
        _load(archive)
    engine: Any = api()
    with engine_answers():
        image_id = str(engine.inspect_image(recipe.name)["Id"])
    ledger.record(engine_info().engine_id, "base", [image_id])
    return image_id


def build_archive(recipe: Recipe, work: Path, *, progress: Callable[[str], None]) -> ImageArchive:
    """Fetch a recipe's packages and write its layers; needs no engine.

    Args:
        recipe: What to make, for any architecture.
        work: An empty folder that the layers are written to.
        progress: Told before each thing that takes a while.
    """
    wheels = {key: one for key, one in recipe.sources.items() if isinstance(one, Wheel)}
    packages = {key: one for key, one in recipe.sources.items() if isinstance(one, DebianPackage)}
    wheel_files = {key: wheel_file(one, progress=progress) for key, one in wheels.items()}
    fetched = debian_files(tuple(packages.values()), recipe.architecture, work=work, progress=progress)
    names = ", ".join(one.package for one in recipe.sources.values())
    progress(f"Assembling the stand-in for {recipe.name} from {names}")
    with ExitStack() as stack:
        trees = {key: read_wheel(stack.enter_context(zipfile.ZipFile(file))) for key, file in wheel_files.items()}
        trees |= {key: read_debian(_unpack(fetched[one.package])) for key, one in packages.items()}
        layers = tuple(
            write_layer(_tree(one, trees), one.created_by, work / f"layer-{number}.tar", created=recipe.created)
            for number, one in enumerate(recipe.layers)
        )
    versions = [f"{one.package} {one.version}" for one in wheels.values()]
    versions += [f"{one.package} {version_of(fetched[one.package])}" for one in packages.values()]
    labels = {
        **COURSE_LABELS,
        BASE_NAME: recipe.name,
        BASE_ORIGIN: "assembled",
        MADE_FROM: ", ".join(versions),
        CA_KEY: bundle_digest(),
    }
    return make_archive(recipe, layers, labels)


def _tree(layer: LayerRecipe, sources: dict[str, Tree]) -> Tree:
    tree: Tree = {one.path: folder_entry(one.mode, one.owner) for one in layer.folders}
    for one in layer.take:
        tree |= select(sources[one.source], one.origins, one.to, include=one.include, exclude=one.exclude)
    if layer.applets:
        tree |= {path: link_entry(layer.applets) for path in applets() if path != layer.applets}
    if layer.ca_bundle:
        tree[layer.ca_bundle] = text_entry(host_bundle())
    tree |= {path: text_entry(text.encode()) for path, text in layer.files.items()}
    tree |= {path: link_entry(target) for path, target in layer.links.items()}
    return tree


def _unpack(file: Path) -> bytes:
    done = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", str(file)], capture_output=True, timeout=_UNPACK_LIMIT_S, check=False
    )
    if done.returncode != 0:
        raise BaseImageError(f"{file.name} is not a whole Debian package.", hint=f"Remove it and try again: {file}")
    return done.stdout


def _load(archive: ImageArchive) -> None:
    engine: Any = api()
    with engine_answers():
        for event in engine.load_image(stream(archive), quiet=False):
            if "error" in event:
                raise BaseImageError(
                    f"The engine did not take the stand-in for {archive.name}: {event['error']}",
                    hint="See what takes the engine's space: docker system df",
                )


@contextmanager
def _work_folder() -> Iterator[Path]:
    parent = cache_folder() / "bases" / "work"
    # The lock is held, so what stands here was left by a process that was killed.
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(parents=True)
    try:
        yield parent
    finally:
        shutil.rmtree(parent, ignore_errors=True)
