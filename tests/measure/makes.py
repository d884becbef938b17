"""Images of different make, each as a Dockerfile and its files: what readers of images trip over."""

from __future__ import annotations

import io
import tarfile

NODE = "FROM node:20-alpine\n"
LONG = "/".join([f"a folder with a long name, number {number}" for number in range(12)])


def packed_tar(form: int) -> bytes:
    """Write a tar for ADD, with names that need an extended header in its format."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name in ("short.txt", "n" * 120 + ".txt", LONG + "/漢字.txt"):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            archive.addfile(member, io.BytesIO(name.encode()[: len(name)]))
        link = tarfile.TarInfo("link-" + "l" * 120)
        link.type, link.linkname = tarfile.SYMTYPE, "n" * 120 + ".txt"
        archive.addfile(link)
    return out.getvalue()


MAKES: dict[str, dict[str, str | bytes]] = {
    "one file on scratch": {"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "1"},
    "a file twice": {"Dockerfile": "FROM scratch\nCOPY a /a\nCOPY b /a\n", "a": "old", "b": "newer"},
    "a deleted file": {"Dockerfile": NODE + "RUN echo big > /big; echo small > /small\nRUN rm /big\n"},
    "a deleted folder": {"Dockerfile": NODE + "RUN mkdir -p /d/e && touch /d/x /d/e/y\nRUN rm -r /d\n"},
    "a folder made anew": {
        "Dockerfile": NODE
        + "RUN mkdir /d && echo 1 > /d/x && echo 2 > /d/y\nRUN rm -r /d && mkdir /d && echo 3 > /d/z\n"
    },
    "a folder becomes a file": {
        "Dockerfile": NODE + "RUN mkdir /d && echo 1 > /d/x\nRUN rm -r /d && echo file > /d\n"
    },
    "a file becomes a folder": {"Dockerfile": NODE + "RUN echo 1 > /d\nRUN rm /d && mkdir /d && echo 2 > /d/x\n"},
    "hard links": {"Dockerfile": NODE + "RUN echo 12345 > /z && ln /z /a && mkdir /d && ln /a /d/b\nRUN rm /z\n"},
    "a hard link in a later layer": {"Dockerfile": NODE + "RUN echo 12345 > /first\nRUN ln /first /second\n"},
    "symbolic links": {
        "Dockerfile": NODE
        + "RUN mkdir /d && ln -s /d /to-folder && ln -s nowhere /broken\nRUN echo 1 > /to-folder/x\n"
    },
    "long and odd names": {
        "Dockerfile": "FROM scratch\nCOPY . /\n",
        LONG + "/file.txt": "1",
        "ein Ordner/漢字 $x.txt": "22",
        ".hidden/..almost": "333",
    },
    "owners and rights": {
        "Dockerfile": NODE + "RUN echo 1 > /s && chmod 4755 /s && mkdir /t && chmod 1777 /t\n"
        "COPY --chown=1000:1001 --chmod=640 a /owned/a\n",
        "a": "1",
    },
    "empty files and folders": {"Dockerfile": NODE + "RUN mkdir -p /empty/more && touch /empty/file\nRUN true\n"},
    "a hundred layers": {
        "Dockerfile": "FROM scratch\n" + "".join(f"COPY a /f{number % 40}\n" for number in range(100)),
        "a": "x" * 1000,
    },
    "a sparse file": {"Dockerfile": NODE + "RUN truncate -s 3000000 /sparse && echo end >> /sparse\n"},
    "a pipe": {"Dockerfile": NODE + "RUN mkfifo /pipe && echo 1 > /beside\n"},
    "two stages": {
        "Dockerfile": NODE.replace("\n", " AS builder\n")
        + "RUN mkdir /out && echo made > /out/file\n"
        + "FROM scratch\nCOPY --from=builder /out /\nCOPY --from=builder /bin/sh /sh\n"
    },
    "copied by link": {"Dockerfile": "FROM scratch\nCOPY a /d/a\nCOPY --link b /d/b\n", "a": "1", "b": "22"},
    "an archive with PAX headers": {
        "Dockerfile": "FROM scratch\nADD files.tar /in/\n",
        "files.tar": packed_tar(tarfile.PAX_FORMAT),
    },
    "an archive with GNU headers": {
        "Dockerfile": "FROM scratch\nADD files.tar /in/\n",
        "files.tar": packed_tar(tarfile.GNU_FORMAT),
    },
    "whiteouts of what never was": {
        "Dockerfile": NODE + "RUN touch /a && rm /a && mkdir /b && rmdir /b\nRUN echo 1 > /c\n"
    },
    "nothing at all": {"Dockerfile": "FROM scratch\nLABEL empty=yes\n"},
}
