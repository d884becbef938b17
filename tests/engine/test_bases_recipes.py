"""The recipe files: complete, pinned, and readable for both architectures."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

from dmhelpers.engine.bases.recipe import (
    ARCHITECTURES,
    DebianPackage,
    Wheel,
    applets,
    certificate_check,
    known,
    recipe,
)
from dmhelpers.errors import BaseImageError

EVERY = [(name, architecture) for name in known() for architecture in ARCHITECTURES]


def test_the_exercises_bases_have_recipes() -> None:
    """Both base images of the exercise can be assembled."""
    assert known() == ("golang:1.22-alpine", "node:20-alpine")


@pytest.mark.parametrize(("name", "architecture"), EVERY)
def test_every_wheel_is_pinned_by_version_and_digest(name: str, architecture: str) -> None:
    """A wheel is named by exact version and SHA-256, for each architecture by its own file."""
    wheels = [one for one in recipe(name, architecture).sources.values() if isinstance(one, Wheel)]
    assert wheels
    for wheel in wheels:
        assert re.fullmatch(r"\d+\.\d+\.\d+", wheel.version)
        assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
        assert wheel.platform.endswith({"amd64": "x86_64", "arm64": "aarch64"}[architecture])


@pytest.mark.parametrize(("name", "architecture"), EVERY)
def test_every_layer_takes_from_a_source_that_is_there(name: str, architecture: str) -> None:
    """What a layer takes comes from a source of the same architecture, and every source is used."""
    read = recipe(name, architecture)
    taken = {take.source for layer in read.layers for take in layer.take}
    assert taken == set(read.sources)
    assert all(take.to.startswith("/") for layer in read.layers for take in layer.take)


@pytest.mark.parametrize(("name", "architecture"), EVERY)
def test_a_recipe_has_a_fixed_time_and_a_history(name: str, architecture: str) -> None:
    """The image's time is written down, and each layer says in the history what it holds."""
    read = recipe(name, architecture)
    assert datetime.fromisoformat(read.created).tzinfo is not None
    assert len(read.layers) >= 3
    assert all(layer.created_by for layer in read.layers)


@pytest.mark.parametrize(("name", "architecture"), EVERY)
def test_the_image_says_that_it_is_a_stand_in(name: str, architecture: str) -> None:
    """/etc/os-release names the image that it stands in for and does not claim to be Alpine."""
    files = {path: text for layer in recipe(name, architecture).layers for path, text in layer.files.items()}
    assert f"Stand-in for {name}" in files["/etc/os-release"]
    assert "ID=alpine" not in files["/etc/os-release"]


def test_only_musl_that_knows_relative_relocations_is_taken() -> None:
    """The node of the wheel needs musl 1.2.4; an older one ends in a segmentation fault."""
    assert recipe("node:20-alpine", "amd64").sources["musl"] == DebianPackage("musl", "1.2.4")


def test_busybox_is_not_linked_to_itself() -> None:
    """The list of busybox's commands holds those that the exercise uses, and not busybox."""
    assert "/bin/busybox" not in applets()
    assert {"/bin/sh", "/bin/ls", "/bin/grep", "/usr/bin/which", "/usr/bin/env", "/usr/bin/wget"} <= set(applets())


def test_no_recipe_holds_an_address() -> None:
    """Where packages come from is the machine's own configuration, never a recipe."""
    for name, architecture in EVERY:
        assert "://" not in repr(recipe(name, architecture))


def test_a_wrong_name_offers_the_near_one() -> None:
    """A name without a recipe is answered with the one that was probably meant."""
    with pytest.raises(BaseImageError, match="Did you mean 'node:20-alpine'"):
        recipe("node:20-alpin", "amd64")


def test_an_architecture_without_a_recipe_is_said_plainly() -> None:
    """Another architecture than the two gets an error that names it."""
    with pytest.raises(BaseImageError, match="riscv64"):
        recipe("node:20-alpine", "riscv64")


def test_every_recipe_knows_how_to_ask_about_certificates() -> None:
    """Each base has a command that fails where this network's certificates are not trusted."""
    for name in known():
        check = certificate_check(name)
        assert check is not None
        assert check.check
        assert check.env
    assert certificate_check("alpine:3.20") is None
