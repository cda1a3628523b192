#!/bin/sh
# install.sh VENV PACKAGE...: install the locked environment. `make setup` calls it when a lock has changed.
set -eu
venv=$1
shift

say() { echo "setup: $*" >&2; }

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || {
	say "error: \`$PYTHON\` is not Python 3.11 or later"
	say "hint: install one and name it, for example: make PYTHON=python3.12 setup"
	exit 1
}
if [ ! -x "$venv/bin/python" ]; then
	say "creating $venv with $("$PYTHON" --version)"
	"$PYTHON" -m venv "$venv" || {
		rm -rf "$venv"
		say "error: this Python cannot create virtual environments"
		say "hint: install its venv module (Debian and Ubuntu: apt install python3-venv)"
		exit 1
	}
fi
say "installing the locked dependencies (one to three minutes the first time)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
say "installing this repository's packages"
for package in "$@"; do
	set -- "$@" -e "$package"
	shift
done
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$@"
touch "$venv/.installed"
say "done"
