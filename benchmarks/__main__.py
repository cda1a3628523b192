"""Run benchmarks and print one table: `python -m benchmarks [NAME …]`."""

import importlib
import sys
import time

from benchmarks.table import Row, render

NAMES = ("up", "orders", "consumer", "latency", "check", "plan", "release", "cdk", "images")


def main(arguments: list[str]) -> int:
    unknown = [name for name in arguments if name not in NAMES]
    if unknown:
        print(f"error: no benchmark called {', '.join(unknown)}\nhint: one of {', '.join(NAMES)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in arguments or NAMES:
        print(f"bench: {name} …", file=sys.stderr, flush=True)
        start = time.monotonic()
        rows += importlib.import_module(f"benchmarks.bench_{name}").run()
        print(f"bench: {name} took {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(render(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
