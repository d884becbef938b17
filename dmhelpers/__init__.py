"""A hands-on course on Docker multi-stage builds, measured on your own engine.

``import dmhelpers as dm`` gives the names below and nothing heavier: each is imported when it is
first used, no process is started and no network is touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dmhelpers.course.checks import check, hint
    from dmhelpers.course.claims import claim
    from dmhelpers.course.classic import classic_build
    from dmhelpers.course.predictions import compare_guess, predict
    from dmhelpers.course.progress import progress
    from dmhelpers.course.puzzles.parsons import parsons
    from dmhelpers.course.puzzles.quiz import quiz
    from dmhelpers.course.samples import sample, samples
    from dmhelpers.course.scores import score
    from dmhelpers.course.sharing import sharing
    from dmhelpers.engine.cleanup import cleanup
    from dmhelpers.engine.containers import run, serve
    from dmhelpers.engine.doctor import doctor
    from dmhelpers.errors import DmHelpersError
    from dmhelpers.show.builds import Build, build
    from dmhelpers.show.clinic import clinic
    from dmhelpers.show.contents import contents, left_behind
    from dmhelpers.show.figures import plot_layers, plot_reduction, plot_sizes, plot_timeline, plot_treemap
    from dmhelpers.show.stage_graph import stage_graph
    from dmhelpers.show.stage_graph.plan import would_build
    from dmhelpers.show.stage_picker import stage_picker
    from dmhelpers.show.surface import attack_surface, packages
    from dmhelpers.show.tables import compare, history, images, readable, stages
    from dmhelpers.show.treemap_svg import treemap

__version__ = "0.1.0"

_HOMES = {
    "Build": "dmhelpers.show.builds",
    "DmHelpersError": "dmhelpers.errors",
    "attack_surface": "dmhelpers.show.surface",
    "build": "dmhelpers.show.builds",
    "check": "dmhelpers.course.checks",
    "claim": "dmhelpers.course.claims",
    "classic_build": "dmhelpers.course.classic",
    "cleanup": "dmhelpers.engine.cleanup",
    "clinic": "dmhelpers.show.clinic",
    "compare": "dmhelpers.show.tables",
    "contents": "dmhelpers.show.contents",
    "compare_guess": "dmhelpers.course.predictions",
    "doctor": "dmhelpers.engine.doctor",
    "hint": "dmhelpers.course.checks",
    "history": "dmhelpers.show.tables",
    "images": "dmhelpers.show.tables",
    "left_behind": "dmhelpers.show.contents",
    "packages": "dmhelpers.show.surface",
    "parsons": "dmhelpers.course.puzzles.parsons",
    "plot_layers": "dmhelpers.show.figures",
    "plot_reduction": "dmhelpers.show.figures",
    "plot_sizes": "dmhelpers.show.figures",
    "plot_timeline": "dmhelpers.show.figures",
    "plot_treemap": "dmhelpers.show.figures",
    "predict": "dmhelpers.course.predictions",
    "progress": "dmhelpers.course.progress",
    "quiz": "dmhelpers.course.puzzles.quiz",
    "readable": "dmhelpers.show.tables",
    "run": "dmhelpers.engine.containers",
    "sample": "dmhelpers.course.samples",
    "samples": "dmhelpers.course.samples",
    "score": "dmhelpers.course.scores",
    "serve": "dmhelpers.engine.containers",
    "sharing": "dmhelpers.course.sharing",
    "stage_graph": "dmhelpers.show.stage_graph",
    "stage_picker": "dmhelpers.show.stage_picker",
    "stages": "dmhelpers.show.tables",
    "treemap": "dmhelpers.show.treemap_svg",
    "would_build": "dmhelpers.show.stage_graph.plan",
}

__all__ = [  # noqa: RUF022  in the order of a lesson
    "doctor",
    "sample",
    "samples",
    "stages",
    "stage_graph",
    "would_build",
    "stage_picker",
    "build",
    "Build",
    "classic_build",
    "images",
    "history",
    "compare",
    "readable",
    "contents",
    "left_behind",
    "packages",
    "attack_surface",
    "plot_sizes",
    "plot_layers",
    "plot_reduction",
    "plot_treemap",
    "plot_timeline",
    "treemap",
    "run",
    "serve",
    "predict",
    "compare_guess",
    "claim",
    "check",
    "hint",
    "parsons",
    "quiz",
    "progress",
    "score",
    "sharing",
    "clinic",
    "cleanup",
    "DmHelpersError",
]


def load_ipython_extension(shell: Any) -> None:
    """Add the course's cell magic, `%%dockerfile`, to a notebook: this is what `%load_ext dmhelpers` calls.

    In a workshop, it also reports that the notebook was opened.
    """
    from dmhelpers.course.magic import register
    from dmhelpers.course.reporting import notebook_opened

    register(shell)
    notebook_opened(shell)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        from dmhelpers.errors import near_matches

        raise AttributeError(f"dmhelpers has no {name!r}. {near_matches(name, __all__)}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
