"""The labels that the course puts on everything it makes."""

from __future__ import annotations

COURSE = "io.dmhelpers.course"
"""On every image, container, volume and network of the course, with the value ``"1"``."""

BASE_NAME = "io.dmhelpers.base"
"""On an assembled base image: the name it stands in for. Images built on it inherit the label."""

BASE_ORIGIN = "io.dmhelpers.base-origin"
"""On an assembled base image: ``"assembled"``. Images built on it inherit the label."""

PACK = "io.dmhelpers.pack"
"""On a base image that came from a pack: the beginning of the pack's ID. Images built on it inherit the label."""

PACK_MIRROR = "io.dmhelpers.pack-mirror"
"""On a base image that came from a pack: the mirror that its builds ask, ``""`` for none."""

COURSE_LABELS = {COURSE: "1"}
