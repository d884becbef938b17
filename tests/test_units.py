"""Docker's printing of sizes, and a person's of shares and seconds."""

from __future__ import annotations

import random
import re

import pytest

from dmhelpers.units import docker_size, percent, seconds

FACTORS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}


def many_sizes():
    """Return sizes of every magnitude, and the edges between two units."""
    chosen = random.Random(0)  # noqa: S311  the same values on every run
    values = [chosen.randrange(10**digits) for digits in range(1, 18) for _ in range(200)]
    edges = [10**digits + offset for digits in range(1, 17) for offset in (-6, -5, -1, 0, 1)]
    return [one for one in values + edges if one >= 0]


@pytest.mark.parametrize(
    ("size_bytes", "shown"),
    [
        (0, "0B"),
        (1, "1B"),
        (999, "999B"),
        (1000, "1kB"),
        (29_600, "29.6kB"),
        (1_982_262, "1.98MB"),
        (6_968_000, "6.97MB"),
        (132_453_000, "132MB"),
        (999_499, "999kB"),
        (999_999, "1MB"),
        (1_000_000_000, "1GB"),
        (1_234_567_890_123, "1.23TB"),
        (5 * 10**18, "5e+03PB"),
        (-52_100_000, "-52.1MB"),
        (1536.7, "1.54kB"),
    ],
)
def test_sizes_read_like_docker_images(size_bytes, shown):
    """A size is printed as `docker images` prints it."""
    assert docker_size(size_bytes) == shown


def test_a_size_keeps_three_digits():
    """Printed and read back, a size is off by at most half of its third digit, and never in powers of ten."""
    for size_bytes in many_sizes():
        shown = docker_size(size_bytes)
        number, unit = re.fullmatch(r"([\d.]+)([kMGTP]?B)", shown).groups()
        assert float(number) * FACTORS[unit] == pytest.approx(size_bytes, rel=0.00501)
        assert float(number) < 1000
        assert len(number.replace(".", "").lstrip("0")) <= 3


def test_larger_never_reads_smaller():
    """Of two sizes the larger one never reads as the smaller one."""
    ordered = [docker_size(one) for one in sorted(many_sizes())]
    values = [float(re.match(r"[\d.]+", one)[0]) * FACTORS[re.search(r"[kMGTP]?B", one)[0]] for one in ordered]
    assert values == sorted(values)


def test_a_reduction_reads_like_a_size_with_a_sign():
    """A negative size is the positive one with a minus sign."""
    for size_bytes in many_sizes()[:500]:
        assert docker_size(-size_bytes) == ("-" if size_bytes else "") + docker_size(size_bytes)


@pytest.mark.parametrize(
    ("fraction", "digits", "shown"),
    [(0.975, 1, "97.5%"), (1.0, 0, "100%"), (0.0, 1, "0.0%"), (-0.25, 1, "-25.0%"), (0.12345, 2, "12.35%")],
)
def test_shares(fraction, digits, shown):
    """A share is printed in percent with the digits asked for."""
    assert percent(fraction, digits=digits) == shown


@pytest.mark.parametrize(
    ("duration_s", "shown"),
    [
        (0, "0.0s"),
        (0.04, "0.0s"),
        (0.26, "0.3s"),
        (12, "12.0s"),
        (59.94, "59.9s"),
        (59.96, "1m 00s"),
        (60, "1m 00s"),
        (125, "2m 05s"),
        (119.7, "2m 00s"),
        (3600, "60m 00s"),
    ],
)
def test_durations(duration_s, shown):
    """A duration is read in tenths of a second below a minute, in minutes and seconds above; never as 60 seconds."""
    assert seconds(duration_s) == shown
