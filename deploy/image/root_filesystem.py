"""Assembles the root file system of a service's image below its packages: Python, and of Debian only what Python needs.

Runs in the first stage of each service's Dockerfile, inside the python image: `python root_filesystem.py <target>`. It
copies only what is named here, so there is no shell, no package manager and no program that changes its user. It also
copies dpkg's record of these packages, so that a scanner finds their versions.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

DEBIAN_PACKAGES: Final = frozenset({"base-files", "ca-certificates", "libgcc-s1", "libstdc++6", "netbase", "tzdata"})
"""Data files that Python reads, and libraries that wheels may link to (PEP 600), beside those of Python itself."""

MADE_AT_INSTALLATION: Final = (
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/nsswitch.conf",
    "/etc/ssl/certs",
    "/usr/lib/ssl/certs",
)
"""Also needed, but written by the packages' scripts, or part of a package that is not copied.

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
"""Parts of the standard library that are not copied."""

LIBRARY: Final = Path(sysconfig.get_path("stdlib"))
PREFIX: Final = LIBRARY.parents[1]
PACKAGE_RECORDS: Final = Path("/var/lib/dpkg")

ACCOUNTS: Final = {
    "etc/passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\napp:x:10001:10001:app:/app:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\napp:x:10001:\n",
}


def assemble(target: Path) -> None:
    target.mkdir()
    for link in filter(Path.is_symlink, (Path("/", name) for name in ("bin", "lib", "lib64", "sbin"))):
        copy(link, target)
    packages = DEBIAN_PACKAGES | packages_linked_to([*installed_python(), *LIBRARY.glob("lib-dynload/*.so")])
    for package in sorted(packages):
        for file in files_of(package):
            copy(file, target)
    for made in map(Path, MADE_AT_INSTALLATION):
        for file in (made, *sorted(made.glob("*"))):
            copy(file, target)
    for name, text in ACCOUNTS.items():
        (target / name).write_text(text)
    write_package_record(target, packages)
    for file in installed_python():
        copy(file, target)
    shutil.copytree(LIBRARY, target / LIBRARY.relative_to("/"), symlinks=True, ignore=left_out)


def packages_linked_to(files: Iterable[Path]) -> frozenset[str]:
    """Return the Debian packages of all libraries that the dynamic linker would load."""
    owners = {
        os.path.realpath(line): listed.stem.partition(":")[0]
        for listed in (PACKAGE_RECORDS / "info").glob("*.list")
        for line in listed.read_text().splitlines()
        if ".so" in line
    }
    done = subprocess.run(["ldd", *files], capture_output=True, text=True, check=True)
    loaded = {os.path.realpath(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}
    return frozenset(owners[path] for path in loaded if not path.startswith("/usr/local/"))


def files_of(package: str) -> Iterator[Path]:
    info = PACKAGE_RECORDS / "info"
    listed = next((path for name in (package, f"{package}:*") for path in info.glob(f"{name}.list")), None)
    if listed is None:
        sys.exit(
            f"error: the base image has no package {package}\nhint: it must be Debian's, as python:3.13-slim-bookworm"
        )
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


def write_package_record(target: Path, packages: Collection[str]) -> None:
    stanzas = (PACKAGE_RECORDS / "status").read_text().split("\n\n")
    kept = [stanza for stanza in stanzas if stanza.partition("\n")[0].removeprefix("Package: ") in packages]
    place = target / PACKAGE_RECORDS.relative_to("/") / "status"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("\n\n".join(kept) + "\n")


def installed_python() -> Iterator[Path]:
    """Return the interpreter and its shared library, without the standard library."""
    yield from (PREFIX / "bin" / name for name in (LIBRARY.name, "python3", "python"))
    yield from PREFIX.glob("lib/libpython*.so*")


def left_out(folder: str, names: list[str]) -> list[str]:
    is_top = Path(folder) == LIBRARY
    return [name for name in names if name == "__pycache__" or (is_top and PYTHON_LEFT_OUT.fullmatch(name))]


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
