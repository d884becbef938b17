"""`dmhelpers workshop status`: the workshop's processes, and each seat with what it uses."""

from __future__ import annotations

from dmhelpers.units import docker_size
from dmhelpers.workshop import disks, machine, roster, seats, services, settings


def table(name: str) -> str:
    """Return the state of a workshop as text.

    Raises:
        NotFound: There is none of that name.
        EngineUnavailable: The engine does not answer.
    """
    workshop = settings.load(settings.folder_of(name))
    running = services.states(workshop)
    told = ", ".join(f"{program} {state.lower()}" for program, state in sorted(running.items()))
    lines = [
        f"{workshop.shown_url}  {told or 'stopped: dmhelpers workshop up --roster FILE starts it again'}",
        f"logs: {workshop.folder / 'log'}",
    ]
    if machine.look(workshop.folder).disk_free_bytes < workshop.reserve_bytes:
        least = docker_size(workshop.reserve_bytes)
        lines.append(
            f"All seats are paused: less than {least} of this machine's disk is free. Make room; they go on."
        )
    taken = {one.login: one for one in seats.all_seats(workshop)}
    lines.append(f"{'learner':<28}{'seat':<10}{'memory':>10}{'disk':>10}")
    for login in roster.load(workshop.roster_file):
        seat = taken.get(login)
        memory = docker_size(seats.memory_bytes(seat.container_id)) if seat and seat.running else "-"
        disk = docker_size(disks.used_bytes(workshop, login)) if workshop.disk(login).exists() else "-"
        state = seat.state if seat else "-"
        lines.append(f"{login:<28}{state:<10}{memory:>10}{disk:>10}")
    return "\n".join(lines)
