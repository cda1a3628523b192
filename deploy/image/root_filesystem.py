"""Assembles what lies below the packages in every service's image: Python, and of Debian only what Python needs.

Runs while an image is built, in the python image, as its first stage: `python root_filesystem.py <target>`. No shell, no
package manager, no program that changes its user comes along, because nothing is copied that is not named here. dpkg's
record of the packages does, so that a scanner finds their versions.
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
    "/etc/ssl/certs",
    "/usr/lib/ssl",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
)
"""Of these packages too, but written by their scripts, or by a program that stays behind."""

NOT_NEEDED: Final = re.compile(
    r"/usr/share/(doc/.*(?<!/copyright)|man/.*|info/.*|lintian/.*|locale/.*|bug/.*)|/usr/sbin/.*|.*/gconv/.*"
)

PYTHON_LEFT_OUT: Final = frozenset(
    {"__pycache__", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages", "test", "tkinter", "turtledemo"}
)

ACCOUNTS: Final = {
    "/etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:10001:10001:app:/app:/usr/sbin/nologin\n",
    "/etc/group": "root:x:0:\napp:x:10001:\n",
}


def assemble(target: Path) -> None:
    for link in ("bin", "lib", "lib64", "sbin"):
        if Path("/", link).is_symlink():
            target.mkdir(parents=True, exist_ok=True)
            (target / link).symlink_to(Path("/", link).readlink())
    for package in DEBIAN_PACKAGES:
        for file in files_of(package):
            copy(file, target)
    for made in MADE_AT_INSTALLATION:
        for file in (Path(made), *sorted(Path(made).rglob("*"))):
            copy(file, target)
    for file, text in ACCOUNTS.items():
        (target / file[1:]).write_text(text)
    write_package_record(target / "var/lib/dpkg/status")
    copy_python(target)


def files_of(package: str) -> Iterator[Path]:
    lists = [*Path("/var/lib/dpkg/info").glob(f"{package}.list"), *Path("/var/lib/dpkg/info").glob(f"{package}:*.list")]
    if not lists:
        sys.exit(
            f"error: the base image has no package {package}\nhint: it must be a Debian bookworm, as python:3.13-slim-bookworm"
        )
    for line in lists[0].read_text().splitlines():
        if line != "/." and not NOT_NEEDED.fullmatch(line):
            yield Path(line)


def copy(file: Path, target: Path) -> None:
    """With its mode. Debian's lists say /lib where the file is in /usr/lib, so the folder is resolved first."""
    place = target / file.parent.resolve().relative_to("/") / file.name
    if file.is_symlink():
        if not place.is_symlink():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(file.readlink())
    elif file.is_dir():
        place.mkdir(parents=True, exist_ok=True)
        place.chmod(file.stat().st_mode)
    elif file.is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, place)


def write_package_record(place: Path) -> None:
    stanzas = Path("/var/lib/dpkg/status").read_text().split("\n\n")
    kept = [stanza for stanza in stanzas if stanza.partition("\n")[0].removeprefix("Package: ") in DEBIAN_PACKAGES]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n\n".join(kept) + "\n")


def copy_python(target: Path) -> None:
    library = Path(sysconfig.get_path("stdlib"))
    name = library.name
    local = target / "usr/local"
    for folder in ("bin", "lib"):
        (local / folder).mkdir(parents=True, exist_ok=True)
    for program in (name, "python3", "python"):
        shutil.copy2(library.parents[1] / "bin" / program, local / "bin" / program, follow_symlinks=False)
    for shared in library.parent.glob("libpython*.so*"):
        shutil.copy2(shared, local / "lib" / shared.name, follow_symlinks=False)

    def left_out(folder: str, names: list[str]) -> set[str]:
        top = Path(folder) == library
        return {
            one
            for one in names
            if one in PYTHON_LEFT_OUT and (top or one == "__pycache__") or one.startswith("config-")
        }

    shutil.copytree(library, local / "lib" / name, symlinks=True, ignore=left_out)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
