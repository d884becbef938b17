"""The notebooks: which there are, how learner copies are made of the solutions, and the command for both.

``python -m dmhelpers.course.notebooks generate | execute [NN …] | rules [NN …] | course``

A solution, complete and with its outputs, is the source. What a learner opens is generated from it:
no outputs, no execution counts, and in the place of each cell tagged ``exercise`` the text that the
cell's metadata hold under ``dmhelpers.stub``.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmhelpers.course.sample_info import checkout
from dmhelpers.errors import DmHelpersError, InputError, near_matches

NAMES = (
    "00_start_here",
    "01_core_concept",
    "02_typescript_api",
    "03_builder",
    "04_runtime",
    "05_building_and_measuring",
    "06_copy_from",
    "07_targeting_a_stage",
    "08_test_stage",
    "09_multi_stage_for_go",
    "10_inspecting_the_final_image",
    "11_the_clinic",
    "12_the_challenge",
    "13_the_build_cache",
)
"""The notebooks in the order of the course; the number is the file's."""

TAGS = frozenset(
    {
        "setup",  # the first code cell: imports, and whether the engine is ready
        "predict",  # the learner's guess
        "do",  # what is then done
        "claim",  # a sentence that would fail if it were untrue
        "exercise",  # the learner's own work: a stub in learner copies
        "check",  # looks at what the learner did
        "hint",  # never the answer
        "puzzle",  # buttons to be worked, or the cell below them that answers: what the engine says is compared
        "recap",  # what was learnt
        "cleanup",  # the last code cell
        "nbval-ignore-output",  # run, not compared: its output is another one on each machine
        "raises-exception",  # its error is the lesson
    }
)
"""The tags that a cell may carry. A new one is added here, with the reason."""

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
"""The metadata of every notebook: what JupyterLab needs to open it, and nothing of the machine it ran on."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where notebooks lie: the learner's in `folder`, the solutions in ``solutions`` below it."""

    folder: Path

    @property
    def solutions(self) -> Path:
        """The folder of the solutions."""
        return self.folder / "solutions"

    def solution(self, name: str) -> Path:
        """Return the path of a solution."""
        return self.solutions / f"{name}.ipynb"

    def learner_copy(self, name: str) -> Path:
        """Return the path of a learner copy."""
        return self.folder / f"{name}.ipynb"

    def written(self, numbers: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the names of the notebooks that have a solution, in the order of the course.

        Args:
            numbers: Two-digit numbers or whole names; all of them for none.

        Raises:
            InputError: One of them is no notebook.
        """
        there = tuple(name for name in NAMES if self.solution(name).is_file())
        wanted = [str(one) for one in numbers]
        known = {key: name for name in there for key in (name, name[:2], str(int(name[:2])))}
        for one in wanted:
            if one not in known:
                raise InputError(f"There is no notebook {one!r}.", hint=near_matches(one, there))
        chosen = {known[one] for one in wanted}
        return tuple(name for name in there if not wanted or name in chosen)


def shelf(folder: Path | None = None) -> Shelf:
    """Return the shelf of the course, or the one in another folder.

    Raises:
        InputError: The course does not run from a checkout, which is where its notebooks are.
    """
    if folder is not None:
        return Shelf(folder)
    root = checkout()
    if root is None:
        raise InputError(
            "The notebooks are not part of the installed package.",
            hint="Run this from a copy of the course's repository.",
        )
    return Shelf(root / "notebooks")


def read(path: Path) -> Json:
    """Return a notebook as its plain JSON.

    Raises:
        InputError: It is not one.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path.name} is not a notebook: {error}.", hint="Make it anew, or restore it.") from error
    if not isinstance(found, dict) or not isinstance(found.get("cells"), list):
        raise InputError(f"{path.name} is not a notebook: it has no cells.", hint="Make it anew, or restore it.")
    return found


def as_text(notebook: Json) -> str:
    """Return a notebook as its file's text: the same for the same content, and laid out as Jupyter does it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write(path: Path, notebook: Json) -> bool:
    """Write a notebook and say whether that changed the file."""
    text = as_text(notebook)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return True


def source(cell: Json) -> str:
    """Return a cell's text, which the format keeps as lines or as one string."""
    raw = cell["source"]
    return raw if isinstance(raw, str) else "".join(raw)


def tags(cell: Json) -> frozenset[str]:
    """Return a cell's tags."""
    return frozenset(cell.get("metadata", {}).get("tags", ()))


def stub(cell: Json) -> str | None:
    """Return what the learner finds in the place of this cell, None if the cell has no stub."""
    found = cell.get("metadata", {}).get("dmhelpers", {}).get("stub")
    return None if found is None else str(found)


def learner_copy(solution: Json) -> Json:
    """Return what a learner opens, made from the solution.

    Args:
        solution: The notebook as plain JSON; it stays as it is.

    Raises:
        InputError: A cell tagged ``exercise`` has no stub.
    """
    cells = [_learner_cell(one) for one in solution["cells"]]
    return {"cells": cells, "metadata": copy.deepcopy(METADATA), "nbformat": 4, "nbformat_minor": 5}


def _learner_cell(cell: Json) -> Json:
    text = source(cell)
    if "exercise" in tags(cell):
        given = stub(cell)
        if given is None:
            raise InputError(
                f"The exercise in cell {cell.get('id')!r} has no stub.",
                hint='Put what the learner finds there into the cell\'s metadata: {"dmhelpers": {"stub": "…"}}',
            )
        text = given
    listed = cell.get("metadata", {}).get("tags")
    made: Json = {"cell_type": cell["cell_type"], "id": cell["id"], "metadata": {"tags": listed} if listed else {}}
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
    return made | {"source": text.splitlines(keepends=True)}


def generate(where: Shelf) -> tuple[Path, ...]:
    """Make the learner copies of all solutions that there are; return those that changed."""
    made = [(where.learner_copy(name), learner_copy(read(where.solution(name)))) for name in where.written()]
    return tuple(path for path, notebook in made if write(path, notebook))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: 0 when all is well, 1 when a notebook failed, a claim is broken or a rule is not kept."""
    parser = argparse.ArgumentParser(
        prog="python -m dmhelpers.course.notebooks", description="The course's notebooks."
    )
    parser.add_argument("command", choices=("generate", "execute", "rules", "course"))
    parser.add_argument("number", nargs="*", help="which notebooks, such as 05; all of them if none is named")
    parser.add_argument("--folder", type=Path, help="where the notebooks are (notebooks, at the repository's root)")
    parser.add_argument("--output", type=Path, default=Path("build/course"), help="where `course` writes")
    arguments = parser.parse_args(argv)
    try:
        return _command(arguments)
    except DmHelpersError as error:
        print(f"notebooks: {error}", file=sys.stderr)  # noqa: T201  this is a command
        return 1


def _command(arguments: argparse.Namespace) -> int:
    from dmhelpers.course import notebook_report, notebook_rules, notebook_run

    where = shelf(arguments.folder)
    if arguments.command == "generate":
        changed = generate(where)
        print(f"{len(where.written())} learner copies, {len(changed)} of them changed.")  # noqa: T201
        return 0
    names = where.written(arguments.number)
    if arguments.command == "rules":
        return notebook_rules.report(where, names)
    if arguments.command == "execute":
        return notebook_run.execute(where, names)
    return notebook_report.course(where, names, arguments.output)


if __name__ == "__main__":
    sys.exit(main())
