"""Assembles what lies below the packages in every service's image: Python, and of Debian only what Python needs.

Runs in the first stage of each service's Dockerfile, inside the python image: `python root_filesystem.py <target>`. No
shell, no package manager and no program that changes its user comes along, because nothing is copied that is not named
here. dpkg's record of these packages does, so that a scanner finds their versions.
"""

import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

DEBIAN_PACKAGES: Final = (
    "base-files",
    "ca-certificates",
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libncursesw6",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "libtinfo6",
    "libuuid1",
    "netbase",
    "tzdata",
    "zlib1g",
)
"""What the interpreter, its modules and the wheels of the locks link to, and what they look things up in."""

MADE_AT_INSTALLATION: Final = (
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs",
    "/usr/lib/ssl/certs",
)
"""Needed too, but written by the packages' scripts, or part of a package that stays behind.

Not /usr/lib/ssl/cert.pem: with it, each TLS context that is made reads all authorities, 40 ms; without it OpenSSL looks
up the one that it needs in the folder.
"""

NOT_NEEDED: Final = re.compile(
    r"/usr/share/doc/.*(?<!/copyright)"
    r"|/usr/share/(bug|info|lintian|locale|man)/.*"
    r"|/usr/s?bin/.*"
    r"|.*/gconv/.*"
)

PYTHON_LEFT_OUT: Final = re.compile(
    r"config-.*|ensurepip|idlelib|lib2to3|pydoc_data|site-packages|test|tkinter|turtle(demo|\.py)"
)
"""Of the standard library."""

PACKAGE_RECORDS: Final = Path("/var/lib/dpkg")

ACCOUNTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:10001:10001:app:/app:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\napp:x:10001:\n",
}


def assemble(target: Path) -> None:
    target.mkdir()
    for link in ("bin", "lib", "lib64", "sbin"):
        copy(Path("/", link), target)
    for package in DEBIAN_PACKAGES:
        for file in files_of(package):
            copy(file, target)
    for made in map(Path, MADE_AT_INSTALLATION):
        for file in (made, *sorted(made.glob("*"))):
            copy(file, target)
    for name, text in ACCOUNTS.items():
        (target / name).write_text(text)
    write_package_record(target)
    copy_python(target / "usr/local")


def files_of(package: str) -> Iterator[Path]:
    info = PACKAGE_RECORDS / "info"
    listed = next((path for name in (package, f"{package}:*") for path in info.glob(f"{name}.list")), None)
    if listed is None:
        sys.exit(f"error: the base image has no package {package}\nhint: DEBIAN_PACKAGES names those of bookworm")
    for line in listed.read_text().splitlines():
        if line != "/." and not NOT_NEEDED.fullmatch(line):
            yield Path(line)


def copy(file: Path, target: Path) -> None:
    # Debian's lists say /lib where the file is in /usr/lib, so the folder is resolved first.
    place = target / file.parent.resolve().relative_to("/") / file.name
    if file.is_dir() and not file.is_symlink():
        place.mkdir(parents=True, exist_ok=True)
    elif not place.is_symlink():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place, follow_symlinks=False)


def write_package_record(target: Path) -> None:
    stanzas = (PACKAGE_RECORDS / "status").read_text().split("\n\n")
    kept = [stanza for stanza in stanzas if stanza.partition("\n")[0].removeprefix("Package: ") in DEBIAN_PACKAGES]
    place = target / PACKAGE_RECORDS.relative_to("/") / "status"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n\n".join(kept) + "\n")


def copy_python(target: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    installed = library.parents[1]
    for program in (library.name, "python3", "python"):
        copy(installed / "bin" / program, target.parents[1])
    for shared in library.parent.glob("libpython*.so*"):
        copy(shared, target.parents[1])

    def left_out(folder: str, names: list[str]) -> list[str]:
        return [
            name
            for name in names
            if name == "__pycache__" or (Path(folder) == library and PYTHON_LEFT_OUT.fullmatch(name))
        ]

    shutil.copytree(library, target / "lib" / library.name, symlinks=True, ignore=left_out)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
