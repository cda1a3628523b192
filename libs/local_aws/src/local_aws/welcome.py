"""What `platform up` prints once all is healthy: where everything is, and what to do next."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

DEMO_ACCOUNTS: Final = ("admin@example.com", "ada@example.com", "grace@example.com")
DEMO_PASSWORD: Final = "correct horse battery staple"  # noqa: S105 - printed for everyone to see

_ACCOUNTS = f"""
Demo accounts  {", ".join(DEMO_ACCOUNTS)}
Password       {DEMO_PASSWORD}
"""

_ORDER = f"""
Place an order, in another terminal:
  URL=@URL@ JSON='Content-Type: application/json'
  value() {{ python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }}
  TOKEN=$(curl -s $URL/users/sessions -H "$JSON" \\
    -d '{{"email": "{DEMO_ACCOUNTS[1]}", "password": "{DEMO_PASSWORD}"}}' | value '["access_token"]')
  SKU=$(curl -s "$URL/inventory/items?limit=1" | value '["data"][0]["sku"]')
  curl -s $URL/orders -H "$JSON" -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: order-$(date +%s)" \\
    -H 'Prefer: wait=10' -d "{{\\"items\\": [{{\\"sku\\": \\"$SKU\\", \\"quantity\\": 1}}]}}"
"""


def welcome_text(url: str, *, seconds: float, detached: bool, demo: bool) -> str:
    """The whole text.

    Args:
        seconds: how long it took to come up.
        detached: whether the terminal is free again, so that Ctrl-C stops nothing.
        demo: whether there are demo accounts.
    """
    parts = [f"The platform is up after {seconds:.1f} s: {url}\n"]
    if demo:
        parts += [_ACCOUNTS, _ORDER.replace("@URL@", url)]
    platform = _as_typed_here()
    stop = f"{platform} down" if detached else "Ctrl-C"
    parts.append(f"\nWhat runs: {platform} status    Logs: {platform} logs orders -f    Stop: {stop}")
    return "".join(parts)


def _as_typed_here() -> str:
    """`platform` if the shell finds it by that name, otherwise its path from the current folder."""
    command = Path(sys.executable).with_name("platform")
    found = shutil.which("platform")
    if found is not None and Path(found).resolve() == command.resolve():
        return "platform"
    return os.path.relpath(command)
