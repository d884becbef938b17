"""What an attacker finds in an image: commands by name and through links, rights, secrets, and the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from dmhelpers.errors import InputError
from dmhelpers.measure.entries import FileEntry, SavedImage, SavedLayer
from dmhelpers.measure.surface import Finding, surface_of, surface_rows, surface_rules
from dmhelpers.show.surface import _surface_table, attack_surface


def program(path, **more):
    """Return an executable file."""
    return FileEntry(path, 100, "file", **{"mode": 0o755, **more})


def link(path, target):
    """Return a symlink."""
    return FileEntry(path, len(target), "symlink", link_target=target, mode=0o777)


def image(*entries, **config):
    """Make a saved image of one layer."""
    return SavedImage((SavedLayer("", entries),), {"config": config})


def found(*entries, **config):
    """Return what is found: row to paths, without rows of nothing and the user."""
    rows = {}
    for finding in surface_of(image(*entries, **config)):
        if finding.what != "runs as":
            rows.setdefault(finding.what, []).append(finding.path)
    return rows


def test_each_command_comes_under_its_row():
    """Shells, package managers, download tools, compilers and interpreters are known by their names."""
    names = "bash apk wget gcc-12 python3.12 grep"
    assert found(*(program(f"/usr/bin/{name}") for name in names.split())) == {
        "shells": ["/usr/bin/bash"],
        "package managers": ["/usr/bin/apk"],
        "download tools": ["/usr/bin/wget"],
        "compilers": ["/usr/bin/gcc-12"],
        "interpreters": ["/usr/bin/python3.12"],
    }


def test_a_link_to_busybox_is_the_command_of_its_own_name():
    """`/bin/sh -> busybox` is a shell and `wget` a download tool, by symlink or hard link; `ls` is nothing."""
    symbolic = [link(f"/bin/{name}", "/bin/busybox") for name in ("ls", "sh", "wget")]
    assert found(program("/bin/busybox"), *symbolic) == {
        "shells": ["/bin/busybox", "/bin/sh"],
        "download tools": ["/bin/wget"],
    }
    hard = [FileEntry(f"/bin/{name}", 0, "hard link", link_target="/bin/[") for name in ("busybox", "cat", "sh")]
    assert found(program("/bin/["), *hard) == {"shells": ["/bin/busybox", "/bin/sh"]}


def test_a_link_is_what_it_leads_to():
    """A shell by another name is a shell, through links in folders too; a link that leads nowhere is nothing."""
    entries = (
        program("/usr/bin/bash"),
        link("/bin", "usr/bin"),
        link("/usr/local/bin/run", "../../../bin/bash"),
        link("/usr/local/bin/sh", "/usr/bin/dash"),
        link("/usr/local/bin/zsh", "zsh"),
    )
    assert found(*entries) == {"shells": ["/usr/bin/bash", "/usr/local/bin/run"]}
    assert Finding("shells", "/usr/local/bin/run", "link to /usr/bin/bash") in surface_of(image(*entries))


def test_a_command_is_an_executable_in_a_folder_of_commands():
    """The image's own PATH counts; a file without the right to run, or elsewhere, is no command."""
    entries = (program("/opt/app/bin/perl"), program("/app/perl"), program("/usr/bin/ruby", mode=0o644))
    assert found(*entries) == {}
    assert found(*entries, Env=["A=b", "PATH=/opt/app/bin:/usr/bin"]) == {"interpreters": ["/opt/app/bin/perl"]}


def test_a_compiler_is_found_where_it_hides():
    """GCC's own compilers and TypeScript's stand in no folder of commands, and are found."""
    entries = (program("/usr/libexec/gcc/x86_64/12/cc1"), program("/app/node_modules/typescript/bin/tsc"))
    assert sorted(found(*entries)["compilers"]) == sorted(one.path for one in entries)


def test_rights():
    """Setuid and setgid programs are found with whose rights they give, and what everybody may write."""
    found_here = surface_of(
        image(
            program("/app/su", mode=0o4755),
            program("/app/mail", mode=0o2755, gid=8),
            FileEntry("/app/data.sh", 3, "file", mode=0o4644),
            FileEntry("/tmp", 0, "directory", mode=0o1777),
            FileEntry("/srv", 0, "directory", mode=0o777),
            FileEntry("/app/config", 3, "file", mode=0o666),
            FileEntry("/dev/null", 0, "other", mode=0o666),
            link("/app/link", "config"),
        )
    )
    assert found_here[:-1] == (
        Finding("setuid or setgid files", "/app/mail", "runs as group gid 8"),
        Finding("setuid or setgid files", "/app/su", "runs as user root"),
        Finding("writable by everybody", "/app/config", "file, mode 0666"),
        Finding("writable by everybody", "/srv", "folder, mode 0777"),
    )


def test_keys_and_secrets_by_name():
    """Files that hold keys and tokens are found by name; examples, empty files and published packages are not."""
    named = (
        "/root/.ssh/id_ed25519 /root/.ssh/id_ed25519.pub /app/.env /app/.env.example /app/.env.local /app/.npmrc "
        "/app/server.key /app/node_modules/a/test/key.pem /usr/local/go/src/crypto/tls/testdata/example-key.pem"
    )
    entries = [FileEntry(path, 9, "file", mode=0o644) for path in named.split()]
    assert found(*entries, FileEntry("/opt/.env", 0, "file")) == {
        "keys and secrets, by name": [
            "/app/.env",
            "/app/.env.local",
            "/app/.npmrc",
            "/app/server.key",
            named.split()[0],
        ]
    }


def test_version_control_is_one_finding_a_folder():
    """A `.git` folder is found once, whatever is in it; a file of that name is none."""
    entries = [FileEntry(f"/app/.git/{name}", 9, "file") for name in ("HEAD", "objects/aa/bb")]
    assert found(*entries, FileEntry("/lib/.git", 9, "file")) == {"version control": ["/app/.git"]}


PASSWD = b"root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\ntoor:x:0:0:::\nbroken\n"


@pytest.mark.parametrize(
    ("given", "user"),
    [
        (None, "root"),
        ("", "root"),
        ("root", "root"),
        ("0", "root"),
        ("00:5", "root"),
        ("toor", "root"),
        ("node", "node (uid 1000)"),
        ("node:node", "node (uid 1000)"),
        ("1000:1000", "uid 1000"),
        ("nobody", "nobody"),
    ],
)
def test_the_user(given, user):
    """Whoever has the number 0 is root, by whichever name; no user given means root."""
    entry = FileEntry("/etc/passwd", len(PASSWD), "file", content=PASSWD)
    assert surface_of(image(entry, User=given))[-1] == Finding("runs as", "", user)


def test_an_empty_image_and_one_without_configuration():
    """From scratch there is nothing to find, and the user is root."""
    assert surface_of(SavedImage((), {})) == (Finding("runs as", "", "root"),)
    assert surface_of(SavedImage((), {"config": None})) == (Finding("runs as", "", "root"),)


def test_links_in_a_circle_and_out_of_the_root_lead_nowhere():
    """A circle of links, or one that climbs out of the root, is no command and no endless search."""
    entries = (link("/bin/sh", "bash"), link("/bin/bash", "sh"), link("/bin/zsh", "../../../../etc/zsh"))
    assert found(*entries) == {}


def test_every_rule_says_why():
    """A rule is data with a reason that ends in a full stop, and a row of its own."""
    assert all(rule.why.endswith(".") for rule in surface_rules())
    assert len(set(surface_rows())) == len(surface_rows())


def test_every_row_is_defined_in_the_documentation():
    """docs/contents.md says what counts for each row of the table."""
    text = (Path(__file__).parents[2] / "docs" / "contents.md").read_text(encoding="utf-8")
    section = text.partition("\n## Attack surface\n")[2].partition("\n## ")[0]
    cells = "; ".join(row.split("|")[1] for row in section.splitlines() if row.startswith("| "))
    assert [row for row in surface_rows() if row not in cells] == []


def test_the_table_has_a_row_a_finding_and_a_column_an_image():
    """Cells say how many and where, or none; of many paths three are named, and all are in the attributes."""
    many = surface_of(image(*(program(f"/bin/{name}") for name in ("ash", "bash", "dash", "sh", "zsh")), User="node"))
    few = surface_of(image(program("/bin/ash"), program("/bin/sh")))
    table = _surface_table({"a:1": many, "b:1": few, "c:1": surface_of(image())})
    assert list(table.columns) == ["finding", "a:1", "b:1", "c:1"]
    assert list(table["finding"]) == list(surface_rows())
    rows = table.set_index("finding")
    assert list(rows.loc["shells"]) == ["5: /bin/ash, /bin/bash, /bin/dash, …", "2: /bin/ash, /bin/sh", "none"]
    assert list(rows.loc["runs as"]) == ["node", "root", "root"]
    assert [one["path"] for one in table.attrs["findings"]["a:1"]["shells"]][-1] == "/bin/zsh"


def test_no_image_is_an_error():
    """Without an image there is no table."""
    with pytest.raises(InputError, match="No image was named"):
        attack_surface()
