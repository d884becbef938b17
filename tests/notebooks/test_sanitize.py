"""The sanitize file makes equal what varies from machine to machine, and leaves all else to be compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from nbval.plugin import get_sanitize_patterns

FILE = Path(__file__).parent.parent.parent / "notebooks" / "sanitize.cfg"
PATTERNS = get_sanitize_patterns(FILE.read_text(encoding="utf-8"))


def sanitized(text):
    """Return a text as nbval compares it."""
    for pattern, replacement in PATTERNS:
        text = re.sub(pattern, replacement, text)
    return text


COLD = """\
  done 0.0s    [builder 1/7] FROM docker.io/library/node:20-alpine
  …            [builder 4/7] RUN npm ci
  done 12.3s   [builder 4/7] RUN npm ci
  done 1m 02s  [builder 7/7] RUN npm run build
"""
WARM = """\
node:20-alpine is a stand-in, assembled from packages: its size is not quite the original's.
  cached       [builder 4/7] RUN npm ci
The engine lost a layer while it stored the image: building once more, from the build cache.
  cached       [builder 1/7] FROM docker.io/library/node:20-alpine
"""
EQUAL = {
    "sizes": ("my-api:latest 139MB, 5.84 MB more", "my-api:latest 1.2GB, 980 kB more"),
    "a table's columns": ("0  my-api  139MB\n1    node    7MB\n", "0  my-api  1.01MB\n1    node  133MB\n"),
    "bytes": ("size_bytes 139000123", "size_bytes 7012"),
    "bytes with commas": ("139,000,123 bytes", "7,012 bytes"),
    "times": ("built in 0.3s", "built in 2m 05s"),
    "seconds": ("after 1 second", "after 12.5 seconds"),
    "shares": ("97.4% less", "89.9 % less"),
    "decimals": ("duration 0.123", "duration 14.5"),
    "digests": ("sha256:" + "a1" * 32, "sha256:" + "b2" * 32),
    "short IDs": ("image 4a3f50ba201b", "image 44f1ea48f75f"),
    "dates": ("2026-11-23 21:26:43+00:00", "2027-01-02 03:04:05+00:00"),
    "ages": ("2 minutes ago", "About an hour ago".lower()),
    "versions": ("Docker Engine 26.1.5, buildx 0.13.1", "Docker Engine 28.5.2+dfsg1, buildx v0.29.1"),
    "image stores": ("on overlay2", "on containerd"),
    "chosen ports": ("http://localhost:32768/", "http://localhost:49153/"),
    "a build's progress": (COLD, WARM),
    "cached or run": (
        "<tr><td>builder</td><td>ran</td><td>1.2s</td></tr>",
        "<tr><td>builder</td><td>cached</td><td></td></tr>",
    ),
    "cached or run, in words": (
        "  builder  ran  1.2s\n  runtime  ran  0.3s",
        "  builder  cached\n  runtime  ran  3.1s",
    ),
    "cached or run, drawn": (
        '<g data-state="ran"><rect x="118.5" fill="#E69F00"/></g>',
        '<g data-state="cached"><rect x="118.5" fill="none"/><path d="M1 2"/></g>',
    ),
    "origin of the base": ("<td>139MB</td>\n<td>assembled</td>", "<td>135MB</td>\n<td></td>"),
    "a plot's note": (
        'xlabel="All. The base image is a stand-in made from packages; the\\noriginal\'s size differs."',
        'xlabel="All."',
    ),
}
DIFFERENT = {
    "verdicts": ("holds:    yes", "holds:    no"),
    "a stage that was not built": ("<td>not built</td><td></td>", "<td>cached</td><td></td>"),
    "a stage that was not built, drawn": (
        '<g data-state="not built"><rect/></g>',
        '<g data-state="cached"><rect/></g>',
    ),
    "counts": ("3 stages", "2 stages"),
    "steps": ("[builder 4/7]", "[builder 5/7]"),
    "whole percentages": ("97% less", "89% less"),
    "exit codes": ("exit code 0", "exit code 1"),
    "signs": ("-12MB", "12MB less"),
    "a guess's verdict": ("runtime: close (139MB)", "runtime: off by 139MB"),
    "targets": ("docker build --target builder -t my-api:builder .", "docker build --target test -t my-api:test ."),
    "file names": ("/app/dist/server.js", "/app/src/server.ts"),
    "errors": ("stage test failed in line 12", "stage test failed in line 13"),
    "image and number": ("node:20-alpine", "node:22-alpine"),
    "nothing at all": ("139MB", ""),
}


@pytest.mark.parametrize("what", EQUAL)
def test_what_varies_is_made_equal(what):
    """Two machines' figures become the same text."""
    one, other = EQUAL[what]
    assert one != other
    assert sanitized(one) == sanitized(other)


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_counts_stays_different(what):
    """Words, names, counts and verdicts are still compared."""
    one, other = DIFFERENT[what]
    assert sanitized(one) != sanitized(other)


def test_every_pattern_has_its_replacement():
    """Every line that begins with regex is read as a pair, and none relies on a blank at a line's end."""
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert len(PATTERNS) == sum(line.startswith("regex:") for line in lines)
    assert not [line for line in lines if line != line.rstrip()]
