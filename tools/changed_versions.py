"""List the installed packages whose versions differ from requirements.lock.

python tools/changed_versions.py
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def locked(text: str) -> dict[str, str]:
    """Return the version that a lock file pins for each package, here and now.

    Args:
        text: lines `name==version ; marker`.
    """
    pins = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            (pin,) = requirement.specifier
            pins[canonicalize_name(requirement.name)] = pin.version
    return pins


def changes(pins: dict[str, str], installed: dict[str, str]) -> list[list[str]]:
    """Return rows of package, pinned version and installed version that differ."""
    return [
        [name, pins.get(name, "not pinned"), version]
        for name, version in sorted(installed.items())
        if pins.get(name) != version
    ]


def main() -> int:
    """Print a Markdown table; return the exit status."""
    pins = locked((ROOT / "requirements.lock").read_text())
    installed = {
        canonicalize_name(distribution.metadata["Name"]): distribution.version
        for distribution in metadata.distributions()
    }
    for own in ("course-utils", "pip", "setuptools", "wheel"):
        installed.pop(own, None)
    rows = changes(pins, installed)
    if not rows:
        print("No installed package differs from requirements.lock.")
        return 0
    print("| package | pinned | installed |\n| --- | --- | --- |")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
