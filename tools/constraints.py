"""Print the exact versions of everything that ``accord[all,dev]`` installs: ``make constraints`` writes them down.

Only what the package needs is listed, however much else the environment holds, and without local labels such as
``+cpu``, so that the pins hold for every build of a package.
"""

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Requirement("accord[all,dev]")


def main() -> None:
    """Walk the requirements of the installed packages and print one pin a line."""
    done: set[tuple[str, str]] = set()
    pins: dict[str, str] = {}
    waiting = [ROOT]
    while waiting:
        wanted = waiting.pop()
        name, package = canonicalize_name(wanted.name), distribution(wanted.name)
        pins[name] = Version(package.version).public
        for extra in ("", *wanted.extras):
            if (name, extra) not in done:
                done.add((name, extra))
                waiting += _needed(package.requires or [], extra)
    del pins[canonicalize_name(ROOT.name)]
    print("# The versions that are tested together. Made by: make constraints")
    for name in sorted(pins):
        print(f"{name}=={pins[name]}")


def _needed(requirements: list[str], extra: str) -> list[Requirement]:
    """Those requirements that apply here with the given extra ("" for none)."""
    parsed = [Requirement(text) for text in requirements]
    return [one for one in parsed if one.marker is None or one.marker.evaluate({"extra": extra})]


if __name__ == "__main__":
    main()
