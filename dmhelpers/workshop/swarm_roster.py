"""The roster of a workshop on a Swarm, written into the folder that all nodes share, before the hub is deployed.

`python -m dmhelpers.workshop.swarm_roster NAMES SHARED URL` writes it, and prints the cards of who is new.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from dmhelpers.errors import DmHelpersError, InputError
from dmhelpers.workshop import roster
from dmhelpers.workshop.view.cards import cards as page

_USAGE = "usage: python -m dmhelpers.workshop.swarm_roster NAMES SHARED URL >cards.html"


def enrol(names: Path, shared: Path) -> tuple[list[roster.Learner], list[roster.Card]]:
    """Return who is to be let in: who was keeps their code, who is not in the file is out, who is new gets a card.

    Args:
        names: A text file with one name a line.
        shared: The folder that every node sees.

    Returns:
        Everybody, the instructor too, and the cards of those who are new.

    Raises:
        InputError: The file cannot be meant, or there is no such folder.
    """
    if not shared.is_dir():
        raise InputError(f"There is no folder {str(shared)!r}.", hint="Name the folder that every node sees.")
    return roster.renewed(roster.load(shared / "roster.json"), roster.read_names(names))


def write(shared: Path, people: Iterable[roster.Learner]) -> None:
    """Write the roster, which the hub reads, and the logins, which `prepare-node --disks` reads."""
    everybody = list(people)
    roster.save(shared / "roster.json", everybody)
    write_logins(shared, (one.login for one in everybody))


def write_logins(shared: Path, logins: Iterable[str]) -> None:
    """Write what `prepare-node --disks` reads on each node: one login a line, whole or not at all."""
    fresh = shared / "seats.new"
    fresh.write_text("".join(f"{one}\n" for one in logins), encoding="utf-8")
    fresh.replace(shared / "seats")


def main(arguments: list[str]) -> int:
    """Print the cards, and write the roster once they are out: a code that nobody has would let nobody in."""
    if len(arguments) != 3:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    shared = Path(arguments[1])
    try:
        people, made = enrol(Path(arguments[0]), shared)
        if made:
            sys.stdout.write(page(made, url=arguments[2]))
            sys.stdout.flush()
        write(shared, people)
    except (DmHelpersError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{len(people)} people, {len(made)} new cards\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
