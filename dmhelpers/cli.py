"""`dmhelpers …`: the course's commands.

Exit codes: 0 well, 1 an error that was explained, 2 a wrong call, 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dmhelpers.cli_pack import add_pack
from dmhelpers.errors import DmHelpersError
from dmhelpers.workshop.commands import add_workshop

Command = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Args:
        argv: The arguments after `dmhelpers`; those of this process for None.
    """
    parser = make_parser()
    arguments = parser.parse_args(argv)
    command: Command | None = getattr(arguments, "command", None)
    if command is None:
        parser.print_help()
        return 2
    try:
        exit_code = command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except DmHelpersError as error:
        print(f"dmhelpers: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dmhelpers: stopped; what was running was cancelled.", file=sys.stderr)
        return 130
    else:
        return exit_code


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    from dmhelpers import __version__

    parser = argparse.ArgumentParser(
        prog="dmhelpers", description="Docker multi-stage builds, measured on your engine."
    )
    parser.add_argument("--version", action="version", version=f"dmhelpers {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="")

    _add(commands, "doctor", "check one by one what the course needs, with the cure for what is amiss", _doctor)
    _add_measure(commands)
    _add_clinic(commands)
    _add_record(commands)
    _add_engine(commands)
    _add_bases(commands)
    add_pack(commands, _add)
    add_workshop(commands, _add)
    _add(
        commands, "cleanup", "remove what the course made on the engine (base images stay) and nothing else", _cleanup
    )
    return parser


def _add_measure(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    measure = _add(commands, "measure", "build, run, tabulate and plot the sample projects on your engine", _measure)
    measure.add_argument(
        "sample", nargs="*", help="sample projects; all that have images to compare if none is named"
    )
    measure.add_argument("--output", type=Path, default=Path("build/measure"), help="where to write (build/measure)")
    measure.add_argument("--format", choices=("text", "json"), default="text", help="what to print")
    measure.add_argument("--no-cache", action="store_true", help="run every step again")


def _add_clinic(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    clinic = _add(
        commands, "clinic", "read your own Dockerfile and give ranked advice; nothing of yours changes", _clinic
    )
    clinic.add_argument("path", help="your project's folder (the build context), or the Dockerfile in it")
    clinic.add_argument("--file", default="Dockerfile", help="the Dockerfile, relative to the folder (Dockerfile)")
    clinic.add_argument("--target", metavar="STAGE", help="the stage that you ship (the last one)")
    clinic.add_argument("--build", action="store_true", help="build it and look inside; the image is removed again")
    clinic.add_argument("--lint", action="store_true", help="ask BuildKit's own checks and hadolint too")
    clinic.add_argument("--format", choices=("text", "json"), default="text", help="what to print")
    severities = ("high", "medium", "low", "never")
    help_text = "end with 1 if there is advice of this severity or above (never)"
    clinic.add_argument("--fail-on", choices=severities, default="never", help=help_text)


def _add_record(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    record = _add(commands, "record", "keep an engine's answers, to read the course where none can run", _record)
    record.add_argument("number", nargs="*", help="notebooks, by number; all of them if none is named")
    default = Path("build/recordings")
    record.add_argument("--output", type=Path, default=default, metavar="DIR", help=f"where to write ({default})")
    record.add_argument(
        "--force", action="store_true", help="write over a recording of another version of the course"
    )


def _add_engine(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    engine = _add(commands, "engine", "install, start and stop a Docker Engine where there is none", None)
    verbs = engine.add_subparsers(metavar="up | status | down", required=True)
    up = _add(verbs, "up", "use the engine that is there; else install and start one", _engine_up)
    up.add_argument("--image-store", choices=("default", "overlay2", "containerd"), default="default")
    _add(verbs, "status", "say which engine is used and who started it", _engine_status)
    _add(verbs, "down", "stop the engine, if `dmhelpers engine up` started it", _engine_down)


def _add_bases(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    bases = _add(commands, "bases", "list, prepare or remove the base images of the course", None)
    verbs = bases.add_subparsers(metavar="list | prepare | remove", required=True)
    _add(verbs, "list", "list the base images and where each comes from", _bases_list)
    prepare = _add(verbs, "prepare", "pull them, or assemble stand-ins where no registry answers", _bases_prepare)
    prepare.add_argument("name", nargs="*", help="base images; all of them if none is named")
    remove = _add(verbs, "remove", "remove those that the course pulled or assembled", _bases_remove)
    remove.add_argument("name", nargs="?", help="one base image; all of them if none is named")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str, command: Command | None
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary}.")
    if command is not None:
        parser.set_defaults(command=command)
    return parser


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _doctor(_: argparse.Namespace) -> int:
    from dmhelpers.engine.doctor import doctor

    report = doctor()
    print(report)
    return 0 if report.ok else 1


def _measure(arguments: argparse.Namespace) -> int:
    from dmhelpers.course.measuring import measure

    report = measure(arguments.sample, output=arguments.output, no_cache=arguments.no_cache, say=_say)
    print(report.as_json() if arguments.format == "json" else report)
    return 0


def _record(arguments: argparse.Namespace) -> int:
    from dmhelpers.course.notebooks import shelf
    from dmhelpers.course.recording import record

    return record(shelf(), arguments.number, output=arguments.output, force=arguments.force, say=_say)


def _clinic(arguments: argparse.Namespace) -> int:
    from dmhelpers.show.clinic import clinic

    report = clinic(
        arguments.path,
        file=arguments.file,
        target=arguments.target,
        build=arguments.build,
        lint=arguments.lint,
        say=_say,
    )
    print(report.as_json() if arguments.format == "json" else report)
    return 1 if report.at_least(arguments.fail_on) else 0


def _engine_up(arguments: argparse.Namespace) -> int:
    from dmhelpers.engine import embedded

    print(embedded.up(image_store=arguments.image_store, progress=_say))
    return 0


def _engine_status(_: argparse.Namespace) -> int:
    from dmhelpers.engine import embedded

    print(embedded.status())
    return 0


def _engine_down(_: argparse.Namespace) -> int:
    from dmhelpers.engine import embedded

    print(embedded.down())
    return 0


def _bases_list(_: argparse.Namespace) -> int:
    from dmhelpers.engine import bases
    from dmhelpers.units import docker_size

    for one in bases.status():
        size = docker_size(one.size_bytes) if one.present and one.size_bytes else "-"
        maker = "from the pack" if one.packed else "made by the course" if one.course_made else ""
        print(f"{one.name:<24} {one.origin or 'not here':<10} {size:>8}  {maker}".rstrip())
    return 0


def _bases_prepare(arguments: argparse.Namespace) -> int:
    from dmhelpers.engine import bases
    from dmhelpers.units import docker_size

    for one in bases.ensure_many(arguments.name or bases.known(), progress=_say):
        print(f"{one.name:<24} {one.origin:<10} {docker_size(one.size_bytes):>8}")
    return 0


def _bases_remove(arguments: argparse.Namespace) -> int:
    from dmhelpers.engine import bases

    print(bases.remove(arguments.name))
    return 0


def _cleanup(_: argparse.Namespace) -> int:
    from dmhelpers.engine.cleanup import cleanup

    print(cleanup())
    return 0
