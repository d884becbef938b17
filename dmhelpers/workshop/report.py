"""A rehearsal as text: a table of the learners, the peak, and how many this machine can seat, with the arithmetic."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from dmhelpers.units import docker_size

if TYPE_CHECKING:
    from dmhelpers.workshop.findings import Rehearsal


def as_text(found: Rehearsal) -> str:
    """Return the report of a rehearsal."""
    return "\n".join(
        [*_head(found), "", *_table(found), "", *_drill(found), *_summary(found), "", *_arithmetic(found)]
    )


def _head(found: Rehearsal) -> list[str]:
    from dmhelpers.engine.info import engine_info

    facts, host = engine_info(), found.machine
    return [
        f"Class rehearsal of {found.created}: {len(found.places)} learners, notebook 05, cold start",
        f"{host.cpus} CPUs, {docker_size(host.memory_bytes)} memory, {host.platform}; Docker Engine {facts.version}, "
        f"{facts.store} image store; {'with a pack' if found.pack else 'without a pack'}",
    ]


def _table(found: Rehearsal) -> list[str]:
    rows = [f"{'learner':<14}{'seat':>8}{'notebook':>10}{'memory':>10}{'disk':>10}  verdict"]
    for one in found.places:
        told = one.failure or "reached"
        rows.append(
            f"{one.login:<14}{one.seat_s:>6.0f} s{one.notebook_s:>8.0f} s{docker_size(one.memory_bytes):>10}"
            f"{docker_size(one.disk_bytes):>10}  {told}"
        )
    return rows


def _drill(found: Rehearsal) -> list[str]:
    if not found.faults:
        return []
    rows = [f"{'broken on purpose':<36}{'at work':>8}{'for':>7}{'back after':>12}  seen"]
    for one in found.faults:
        lasted = f"{one.lasted_s:.0f} s" if one.lasted_s else "-"
        back = f"{one.back_s:.1f} s" if one.came_back else "never"
        rows.append(f"{one.what:<36}{one.at_work:>8}{lasted:>7}{back:>12}  {one.seen}".rstrip())
    saves, cuts = sum(one.saves for one in found.places), sum(one.cuts for one in found.places)
    again = sum(one.again for one in found.places)
    told = (
        f"During the drill {saves} saves were acknowledged, {cuts} connections to kernels were opened again, and "
        f"{again} cells that had failed were run again."
    )
    return [*rows, "", told, ""]


def _summary(found: Rehearsal) -> list[str]:
    failed = [one for one in found.places if one.failure]
    seats, notebooks = [one.seat_s for one in found.places], [one.notebook_s for one in found.places]
    return [
        f"All seats answered after {found.seats_s:.0f} s (median {median(seats):.0f} s); "
        f"the notebook took {median(notebooks):.0f} s in the median, {max(notebooks):.0f} s at most; "
        f"all together {found.whole_s:.0f} s.",
        f"At the peak: {docker_size(found.peak.memory_bytes)} memory, {docker_size(found.peak.disk_bytes)} disk, "
        f"load {found.peak.load:.0f}.",
        f"{len(found.places) - len(failed)} of {len(found.places)} reached the verdict"
        + (f"; {len(failed)} failed." if failed else "; none failed."),
    ]


def _arithmetic(found: Rehearsal) -> list[str]:
    from dmhelpers.workshop import findings as r

    host, by_memory, by_disk = found.machine, r.seats_by_memory(found), r.seats_by_disk(found)
    tenth_memory, tenth_disk = host.memory_bytes / 10, host.disk_bytes / 10
    return [
        "How many this machine can seat, a tenth kept free:",
        f"  memory: ({docker_size(host.available_bytes)} available - {docker_size(int(tenth_memory))}) / "
        f"{docker_size(int(r.mean_memory(found)))} a seat at the peak = {by_memory}",
        f"  disk:   ({docker_size(host.disk_free_bytes)} free - {docker_size(int(tenth_disk))}) / "
        f"{docker_size(int(r.mean_disk(found)))} a seat after notebook 05 = {by_disk}",
        f"  so {min(by_memory, by_disk)} seats. Time grows with their number: it is the processors that are shared.",
    ]
