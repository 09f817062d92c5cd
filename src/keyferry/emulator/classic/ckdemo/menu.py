from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keyferry.emulator.jitter import Jitter

# Real sessions of 7.x confirm these numbers; all others may move.
_CONFIRMED = {1, 3, 40, 60, 61, 98}
_COLUMNS = 3
_WIDTH = 19


class Heading(NamedTuple):
    """A block of the main menu; `gap` stands between a number and its name."""

    title: str
    entries: Mapping[int, str]
    gap: str = " "

    def text(self) -> str:
        cells = [f"({number:2d}){self.gap}{name}" for number, name in sorted(self.entries.items())]
        rows = (cells[at : at + _COLUMNS] for at in range(0, len(cells), _COLUMNS))
        lines = ("".join(f"{cell:<{_WIDTH - 1}} " for cell in row).rstrip() for row in rows)
        return "\n".join((self.title, *lines)) + "\n"

    def moved(self, jitter: Jitter) -> Heading:
        """The same names; where no real session confirms a number, names trade numbers."""
        names = dict(self.entries)
        movable = [number for number in names if number not in _CONFIRMED]
        order = jitter.shuffled(f"menu {self.title}", movable)
        traded = {number: self.entries[old] for number, old in zip(movable, order, strict=True)}
        return Heading(self.title, names | traded, self.gap)


def _numbered(first: int, *names: str) -> dict[int, str]:
    return dict(enumerate(names, first))


def _unnamed(what: str, *numbers: int) -> dict[int, str]:
    """Entries whose names the reference does not give."""
    return {number: f"{what} {number}" for number in numbers}


_TOKEN = _numbered(
    1,
    *(
        "Open Session",
        "Close Session",
        "Login",
        "Logout",
        "Change PIN",
        "Init Token",
        "Init Pin",
        "Mechanism List",
    ),
    *("Mechanism Info", "Get Info", "Slot Info", "Token Info", "Session Info", "Get Slot List"),
    *("Wait for Slot Event", "InitToken(ind)", "InitPin (ind)", "Login (ind)", "CloneMofN"),
)
_OBJECT = _numbered(
    20,
    *("Create object", "Copy object", "Destroy object", "Object size", "Get attribute", "Set attribute"),
    *("Find object", "Display Object"),
)
_SECURITY = _numbered(
    40,
    *("Encrypt file", "Decrypt file", "Sign", "Verify", "Hash file", "Simple Generate Key", "Digest Key"),
)
_RECOVERY = _numbered(50, "HA Init", "HA Login", "HA Status")
_KEY = _numbered(
    60,
    *("Wrap key", "Unwrap key", "Generate random number", "Derive Key", "PBE Key Gen", "Create known keys"),
    *("Seed RNG", "EC User Defined Curves"),
)
_CA = _unnamed("CA function", *range(70, 80), 86, 87)
_CCM = _unnamed("CCM function", *range(80, 86))
_OTHERS = {90: "Self Test", 94: "Open Access", 95: "Close Access", 97: "Set App ID", 98: "Options"}
_OFFBOARD = _unnamed("Offboard", *range(101, 108))
_SCRIPTS = _unnamed("Script", *range(108, 111))

_MENUS = {
    "5": (
        Heading("TOKEN FUNCTIONS", _TOKEN),
        Heading("OBJECT MANAGEMENT FUNCTIONS", _OBJECT),
        Heading("SECURITY FUNCTIONS", _SECURITY, gap="  "),
        Heading("HIGH AVAILABILITY RECOVERY FUNCTIONS", _RECOVERY),
        Heading("KEY FUNCTIONS", _KEY),
        Heading("CA FUNCTIONS", _CA),
        Heading("CCM FUNCTIONS", _CCM),
        Heading("OTHERS", _OTHERS),
        Heading("OFFBOARD KEY STORAGE:", _OFFBOARD),
        Heading("SCRIPT EXECUTION:", _SCRIPTS),
    ),
    "7": (
        Heading("TOKEN:", _TOKEN | {18: "Factory Reset"}),
        Heading("OBJECT MANAGEMENT:", _OBJECT),
        Heading("SECURITY:", _SECURITY),
        Heading("HIGH AVAILABILITY RECOVERY:", _RECOVERY | _unnamed("HA function", 58, 59)),
        Heading("KEY:", _KEY),
        Heading("CA:", _CA),
        Heading("CCM:", _CCM),
        Heading("OTHERS:", _OTHERS),
        Heading("OFFBOARD KEY STORAGE:", _OFFBOARD),
        Heading("SCRIPT EXECUTION:", _SCRIPTS),
    ),
}


class Menu:
    """The main menu of one client (reference, section 3)."""

    def __init__(self, luna: str, jitter: Jitter) -> None:
        self._blocks = [block.moved(jitter) for block in _MENUS[luna]]
        self._names = {number: name for block in self._blocks for number, name in block.entries.items()}
        self._between = jitter.pick("menu blank lines", "", "\n")

    def name(self, number: int) -> str | None:
        """What stands beside a number; None where nothing does."""
        return self._names.get(number)

    def text(self) -> str:
        return self._between.join(block.text() for block in self._blocks) + "\n(0) Quit demo\n\n"
