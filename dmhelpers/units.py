"""Bytes in, Docker's own printing out."""

from __future__ import annotations

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def docker_size(size_bytes: float) -> str:
    """Return a size as `docker images` prints it: decimal units, three significant digits.

    Args:
        size_bytes: The size in bytes; negative for a reduction.

    Returns:
        For example ``"138MB"``, ``"29.6kB"``, ``"0B"``, ``"-52.1MB"``.

    The rule is that of docker/go-units, `HumanSizeWithPrecision(size, 3)`: divide by 1000 until
    below 1000, then `%.3g`. That prints 999,999 bytes as ``"1e+03kB"``; here it is ``"1MB"``.
    """
    sign = "-" if size_bytes < 0 else ""
    value = abs(float(size_bytes))
    index = 0
    while float(f"{value:.3g}") >= 1000 and index < len(_UNITS) - 1:
        value /= 1000
        index += 1
    return f"{sign}{value:.3g}{_UNITS[index]}"


def percent(fraction: float, *, digits: int = 1) -> str:
    """Return a fraction as a percentage: 0.975 gives ``"97.5%"``.

    Args:
        fraction: The share, 1.0 for all of it.
        digits: Digits after the decimal point.
    """
    return f"{fraction * 100:.{digits}f}%"


def seconds(duration_s: float) -> str:
    """Return a duration as a person reads it: ``"0.3s"``, ``"12.0s"``, ``"2m 05s"``.

    Args:
        duration_s: The duration in seconds.
    """
    if duration_s < 59.95:  # what rounds to 60.0 is a minute
        return f"{duration_s:.1f}s"
    minutes, rest = divmod(round(duration_s), 60)
    return f"{minutes}m {rest:02d}s"
