"""What the second stage of a proposed split starts from and takes, for each kind of project."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from dmhelpers.measure.clinic.installs import built_language
from dmhelpers.measure.clinic.subject import Subject, image_name
from dmhelpers.measure.clinic.tools import is_full

_MAKE_USER = "RUN useradd --system --uid 10001 app"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The second stage: its base, its lines after FROM, and how it is started.

    `builder_first` and `builder_last` are added to the first stage. `command` replaces CMD and ENTRYPOINT; None keeps
    the person's own. `sources_go_along` repeats their COPY lines; `keeps_env` their ENV, `keeps_user` their USER.
    """

    base: str
    lines: list[str]
    user: list[str]
    builder_first: list[str] = field(default_factory=list)
    builder_last: list[str] = field(default_factory=list)
    command: tuple[str, ...] | None = None
    no_shell: bool = False
    sources_go_along: bool = False
    keeps_env: bool = True
    keeps_user: bool = True


def node(subject: Subject) -> Runtime:
    """A Node project: the compiled folder, and the packages that production needs."""
    workdir, base = _workdir(subject), _slim(subject.final_base())
    user = ["USER node"] if image_name(base).short == "node" else ["USER 10001"]
    if not any(built_language(one) == "node" for run in subject.runs() for one in run.commands):
        return Runtime(base, [f"WORKDIR {workdir}", f"COPY --from=builder {workdir} ./"], user)
    manifests, install = _node_install(subject)
    out = _out_folder(subject)
    lines = [
        f"WORKDIR {workdir}",
        "ENV NODE_ENV=production",
        f"COPY {' '.join(manifests)} ./",
        f"RUN {install}",
        f"COPY --from=builder {posixpath.join(workdir, out)} ./{out}",
    ]
    return Runtime(base, lines, user)


def python(subject: Subject) -> Runtime:
    """A Python project: a virtual environment that the builder fills."""
    workdir, base = _workdir(subject), _slim(subject.final_base())
    path = 'ENV PATH="/opt/venv/bin:$PATH"'
    lines = [
        "# Add here the libraries that are needed at run time, such as libpq5 where the builder has libpq-dev",
        f"WORKDIR {workdir}",
        "COPY --from=builder /opt/venv /opt/venv",
        path,
    ]
    user = [_MAKE_USER, "USER app"] if "alpine" not in base else ["RUN adduser -S -u 10001 app", "USER app"]
    first = ["RUN python -m venv /opt/venv", path]
    return Runtime(base, lines, user, builder_first=first, sources_go_along=True)


def go(subject: Subject) -> Runtime:
    """A Go program: one static file on scratch."""
    built = _go_program(subject)
    program = built or posixpath.join(_workdir(subject), _go_name(subject))
    lines = [
        "# scratch is empty: a program that needs certificates or time zones starts from a distroless image instead",
        f"WORKDIR {_workdir(subject)}",
        f"COPY --from=builder {program} {program}",
    ]
    started = [word for one in subject.started() for word in one.words]
    own = any(posixpath.basename(word) == posixpath.basename(program) for word in started[:1])
    return Runtime(
        "scratch",
        lines,
        ["USER 10001"],
        builder_first=["ENV CGO_ENABLED=0"],
        builder_last=[] if built else [f"RUN go build -o {program} ."],
        command=None if own else (program,),
        no_shell=True,
        keeps_user=False,
    )


def rust(subject: Subject) -> Runtime:
    """A Rust program: the release binary on a slim Debian."""
    found = re.search(r'^\s*name\s*=\s*"([^"]+)"', subject.context.read("Cargo.toml"), re.MULTILINE)
    name = found[1] if found else "app"
    installed = any(one.bare[:2] == ("cargo", "install") for run in subject.runs() for one in run.commands)
    folder = "/usr/local/cargo/bin" if installed else posixpath.join(_workdir(subject), "target/release")
    suite = re.search(r"bookworm|bullseye|trixie", image_name(subject.final_base()).tag)
    alpine = "alpine" in image_name(subject.final_base()).tag
    base = "alpine:3.20" if alpine else f"debian:{suite[0] if suite else 'bookworm'}-slim"
    lines = [f"WORKDIR {_workdir(subject)}", f"COPY --from=builder {folder}/{name} /usr/local/bin/{name}"]
    return Runtime(base, lines, ["USER 10001"], command=(f"/usr/local/bin/{name}",), keeps_user=False)


def java(subject: Subject) -> Runtime:
    """A Java program: its archive on a runtime without the compiler."""
    tag = image_name(subject.final_base()).tag
    version = re.search(r"(?:temurin|jdk|corretto|openjdk)-?(\d+)", tag) or re.search(r"^(\d+)", tag)
    known = version is not None and image_name(subject.final_base()).short != "maven"
    number = version[1] if version and (known or "-" in tag) else "21"
    words = [word for one in subject.started() for word in one.words]
    jar = next((word for word in words if word.endswith(".jar") and "*" not in word), None)
    workdir = _workdir(subject)
    gradle = any(one.program in ("gradle", "gradlew") for run in subject.runs() for one in run.commands)
    made = posixpath.join(workdir, jar or ("build/libs/*.jar" if gradle else "target/*.jar"))
    lines = [f"WORKDIR {workdir}", f"COPY --from=builder {made} {workdir.rstrip('/')}/app.jar"]
    command = ("java", "-jar", f"{workdir.rstrip('/')}/app.jar")
    user = [_MAKE_USER, "USER app"]
    return Runtime(f"eclipse-temurin:{number}-jre", lines, user, command=command, keeps_user=False)


def _workdir(subject: Subject) -> str:
    placed = subject.placed()
    folder = placed[-1].workdir if placed else "/"
    return folder if folder != "/" else "/app"


def _slim(base: str) -> str:
    return f"{base}-slim" if is_full(base) else base


def _node_install(subject: Subject) -> tuple[list[str], str]:
    """Return the manifests to copy, and the command that installs what production needs."""
    has = subject.context.has_file
    if has("yarn.lock"):
        return ["package.json", "yarn.lock"], "yarn install --frozen-lockfile --production && yarn cache clean"
    if has("pnpm-lock.yaml"):
        return ["package.json", "pnpm-lock.yaml"], "corepack enable && pnpm install --frozen-lockfile --prod"
    if has("package-lock.json"):
        return ["package.json", "package-lock.json"], "npm ci --omit=dev && npm cache clean --force"
    return ["package.json"], "npm install --omit=dev && npm cache clean --force"


def _out_folder(subject: Subject) -> str:
    found = re.search(r'"outDir"\s*:\s*"(?:\./)?([^"]+?)/?"', subject.context.read("tsconfig.json"))
    if found:
        return found[1]
    words = [word for one in subject.started() for word in one.words if word.endswith((".js", ".mjs", ".cjs"))]
    folder = words[0].removeprefix("./").partition("/")[0] if words and "/" in words[0].removeprefix("./") else ""
    return folder or "dist"


def _go_program(subject: Subject) -> str | None:
    """Return where `go build` puts its program, None where nothing is built."""
    for run in subject.runs():
        for command in run.commands:
            if command.bare[:2] != ("go", "build"):
                continue
            words = command.bare
            out = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "-o"), None)
            if out and not out.endswith("/"):
                return run.placed.absolute(out)
            package = words[-1] if words[-1].startswith("./") and words[-1] not in ("./", "./...") else ""
            name = posixpath.basename(package.rstrip("/")) or _go_name(subject)
            return run.placed.absolute(posixpath.join(out or "", name))
    return None


def _go_name(subject: Subject) -> str:
    found = re.search(r"^\s*module\s+(\S+)", subject.context.read("go.mod"), re.MULTILINE)
    return posixpath.basename(re.sub(r"/v\d+$", "", found[1])) if found else "app"
