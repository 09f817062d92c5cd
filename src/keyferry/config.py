from __future__ import annotations

import contextlib
import difflib
import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keyferry.errors import UsageError
from keyferry.files import reject_special
from keyferry.former import FORMER_SECTIONS, renamed
from keyferry.permissions import check_configuration
from keyferry.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULTS: dict[str, dict[str, str | int | bool]] = {
    "source": {
        "host": "",
        "ssh_options": "",
        "prefix": "",
        "sudo": False,
        "bin": "",
        "slot": "",
        "pin": "prompt",
        "configuration": "/etc/Chrystoki.conf",
        "cmu_public_key_option": "-pubkey=rsa",
    },
    "destination": {
        "host": "",
        "ssh_options": "",
        "prefix": "",
        "sudo": False,
        "bin": "",
        "user": "",
        "password": "prompt",
        "configuration": "/opt/cloudhsm/etc/cloudhsm_client.cfg",
        "password_visible": False,
        "tool": "key_mgmt_util",
        "key_availability_check": True,
        "key_quota": 0,
    },
    "dialect": {
        "ckdemo_prompt": "Enter your choice",
        "ckdemo_slot_prompt": "Select a slot",
        "ckdemo_pin_prompt": "Enter PIN",
        "cmu_password_prompt": "Please enter password for token in slot",
        "cmu_slot_flag": "-slot",
        "cmu_handle_flag": "-handle",
        "cmu_label_flag": "-label",
        "cmu_input_file_flag": "-inputFile",
        "key_mgmt_util_password_prompt": "Enter password",
        "key_mgmt_util_hidden_password_flag": "-hpswd",
        "key_mgmt_util_not_extractable_flag": "-nex",
        "key_mgmt_util_no_header_flag": "-noheader",
        "key_mgmt_util_id_flag": "-id",
        "cloudhsm_cli_prompt": "aws-cloudhsm >",
        "cloudhsm_cli_password_prompt": "Enter password",
    },
    "wrapping": {"label": "", "bits": 2048, "hash": "sha1", "extractable": False},
    "limits": {"answer": 60, "login": 60, "generate": 600, "start": 60},
    "run": {"directory": "", "allow_raised_counter": False, "operator": "", "sessions": 1},
}
"""Every section and key with its default; the default's type is the key's type. Times are seconds.

`dialect`: what a site's client words otherwise than the vendor documents it.
"""

_KINDS: dict[type, str] = {str: "text", int: "a whole number", bool: "true or false"}
_PROFILE = "profile"
_WORDED = {
    "_flag": (re.compile(r"-[A-Za-z0-9][\w-]*"), "a flag: a hyphen and a word"),
    "_prompt": (re.compile(r"(?=.*[A-Za-z]{2})[!-~](?:[ -~]*[!-~])?"), "the words of a prompt: plain text on one line"),
}

DEFAULT = "default"
"""The origin of a setting that nobody gave."""

SLOT_KINDS = ("number", "label", "serial")
_OTHER_VARIABLES = {"KEYFERRY_TRACEBACK", "KEYFERRY_LONG"}
_TESTS = "KEYFERRY_TEST_"
_SECRETS = {("source", "pin"), ("destination", "password")}
_PATHS = {("source", "bin"), ("destination", "bin"), ("run", "directory")}


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and where it came from: `flag`, an environment variable, a file, or `default`."""

    value: str | int | bool
    origin: str
    base: Path


@dataclass(frozen=True, slots=True)
class TypeAgain:
    """An operator's order to type a secret once more although its last login was refused. Never a setting."""

    reason: str | None


class Config:
    """Settings by section and key, the strongest source of each: flag, environment, file, default."""

    def __init__(
        self,
        settings: Mapping[tuple[str, str], Setting],
        again: TypeAgain | None = None,
        files: tuple[Path, ...] = (),
    ) -> None:
        """files: the configuration files that were read."""
        self._settings = dict(settings)
        self.again = again
        self.files = files

    def value(self, section: str, key: str) -> str | int | bool:
        return self._settings[section, key].value

    def values(self) -> list[str | int | bool]:
        """Every setting's value, but for the sources of secrets."""
        return [setting.value for place, setting in self._settings.items() if place not in _SECRETS]

    def having(self, section: str, key: str, value: str) -> Config:
        """The same settings but for one, which the command itself decides."""
        old = self._settings[section, key]
        return self._with({(section, key): Setting(value, "command", old.base)})

    def _with(self, changed: Mapping[tuple[str, str], Setting]) -> Config:
        return Config(self._settings | dict(changed), self.again, self.files)

    def text(self, section: str, key: str) -> str:
        """A value as a configuration file has it: true or false, a number, text without its quotes."""
        found = self._settings[section, key].value
        return str(found).lower() if isinstance(found, bool) else str(found)

    def number(self, section: str, key: str) -> int:
        return int(self._settings[section, key].value)

    def flag(self, section: str, key: str) -> bool:
        return bool(self._settings[section, key].value)

    def folder(self, section: str, key: str) -> Path | None:
        """A path, relative to the file that names it; None where it is empty."""
        setting = self._settings[section, key]
        try:
            return setting.base / Path(str(setting.value)).expanduser() if setting.value else None
        except RuntimeError:
            what = f"{setting.origin}: [{section}] {key}: {setting.value!r} names a user that does not exist"
            raise UsageError(what, keys="nothing was started") from None

    def base(self, section: str, key: str) -> Path:
        """The folder from which a value's own paths count."""
        return self._settings[section, key].base

    def with_value(self, place: tuple[str, str], value: str | int | bool) -> Config:
        """What one command's own option says."""
        return self._with({place: Setting(value, "flag", Path.cwd())})

    def typing_again(self, again: TypeAgain) -> Config:
        """The same settings, with this order."""
        return Config(self._settings, again, self.files)

    def filled(self, settings: Mapping[tuple[str, str], str | int | bool], origin: str) -> Config:
        """These settings where nothing but a default stands; all others as they are."""
        given = {place: Setting(value, origin, self.base(*place)) for place, value in settings.items()}
        return self._with({place: one for place, one in given.items() if self._settings[place].origin == DEFAULT})

    def origin(self, section: str, key: str) -> str:
        return self._settings[section, key].origin


def load(
    file: Path | None, flags: Mapping[tuple[str, str], str | int | bool | None], profile: str | None = None
) -> Config:
    """Read all sources. UsageError for an unknown key (the nearest is named) or a value of another type.

    file: what `--config` names; without it ./keyferry.toml and the user's own file are read, if there.
    flags: what the command line sets; None is not set. profile: the `[profile.NAME.SECTION]` tables of a file
    stand before its `[SECTION]` tables.
    """
    here = Path.cwd()
    settings = {
        (section, key): Setting(value, DEFAULT, here)
        for section, keys in DEFAULTS.items()
        for key, value in keys.items()
    }
    profiles: set[str] = set()
    files: list[Path] = []
    named: set[str] = set()
    for path in [file] if file else reversed(_usual_files()):
        if (tables := _read(path, required=file is not None)) is None:
            continue
        files.append(path)
        settings |= _from_file(path, tables, profile)
        profiles |= tables.get(_PROFILE, {}).keys()
        named |= set(_named_variables(tables))
    if profile is not None and profile not in profiles:
        raise _unknown("profile", profile, sorted(profiles), "--profile")
    settings |= _from_environment(here)
    settings |= {place: Setting(value, "flag", here) for place, value in flags.items() if value is not None}
    named |= {text for place in _SECRETS for text in _named_variables(settings[place].value)}
    _check_variables(named)
    _check_slot(settings["source", "slot"])
    return Config(settings, files=tuple(files))


def _check_variables(named: set[str]) -> None:
    """UsageError for a variable of ours that nothing reads. named: those that a source of a secret names."""
    ours = {f"KEYFERRY_{section}_{key}".upper() for section, keys in DEFAULTS.items() for key in keys}
    for name in sorted(os.environ):
        if not name.startswith("KEYFERRY_") or name.startswith(_TESTS):
            continue
        for former, now in FORMER_SECTIONS.items():
            if name not in named and name.startswith(prefix := f"KEYFERRY_{former}_".upper()):
                raise renamed(name, name.replace(prefix, f"KEYFERRY_{now}_".upper()))
        if name not in ours | named | _OTHER_VARIABLES:
            raise _unknown("variable", name, sorted(ours | _OTHER_VARIABLES), "environment")


def _named_variables(value: object) -> Iterator[str]:
    """The variables that `env:` sources among these values name."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _named_variables(one)
    elif isinstance(value, str) and value.startswith("env:"):
        yield value.removeprefix("env:")


def _check_slot(setting: Setting) -> None:
    kind, colon, value = str(setting.value).partition(":")
    if not colon:
        return
    where = "--slot" if setting.origin == "flag" else f"{setting.origin}: [source] slot"
    if kind not in SLOT_KINDS:
        near = difflib.get_close_matches(kind, SLOT_KINDS, 1) or ["label"]
        hint = f"did you mean {near[0]}:{value}? A label that has a colon is written label:TEXT"
        raise UsageError(f"{where}: {kind!r} is none of {', '.join(SLOT_KINDS)}", keys="nothing was started", hint=hint)
    if not value or (kind == "number" and not (value.isascii() and value.isdecimal())):
        raise UsageError(f"{where}: {kind}: is followed by {value!r}", keys="nothing was started")


def _usual_files() -> list[Path]:
    usual = [Path("keyferry.toml")]
    with contextlib.suppress(RuntimeError):  # nobody knows this account's home
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        usual.append(home / "keyferry" / "config.toml")
    return usual


def _read(path: Path, *, required: bool) -> dict[str, Any] | None:
    """The tables of a file, or None where there is none; it is refused if another user can change it."""
    reject_special(path, keys="nothing was started", hint="name a file; `keyferry config init FILE` writes one")
    try:
        check_configuration(path)
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if required:
            raise UsageError(f"{path}: no such configuration file") from None
        return None
    except OSError as error:
        raise UsageError(f"{shortened(path)} cannot be read: {error.strerror}", keys="nothing was started") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start + 1} is not UTF-8 text", keys="nothing was started") from error
    except RecursionError:
        raise UsageError(f"{path}: its tables or lists are nested too deeply", keys="nothing was started") from None
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}", keys="nothing was started") from error
    profiles = tables.get(_PROFILE, {})
    if not isinstance(profiles, dict) or not all(isinstance(one, dict) for one in profiles.values()):
        raise UsageError(f"{path}: a profile is written as [profile.NAME.SECTION]")
    return tables


def _from_file(path: Path, tables: Mapping[str, Any], profile: str | None) -> dict[tuple[str, str], Setting]:
    """The chosen profile's settings before the others; all profiles are checked."""
    found = _settings({name: table for name, table in tables.items() if name != _PROFILE}, str(path), path)
    for name, own in tables.get(_PROFILE, {}).items():
        settings = _settings(own, f"{path} [profile.{name}]", path)
        if name == profile:
            found |= settings
    return found


def _settings(tables: Mapping[str, object], origin: str, path: Path) -> dict[tuple[str, str], Setting]:
    base = path.absolute().parent
    return {
        (section, key): Setting(_checked(section, key, value, origin), origin, base)
        for section, table in tables.items()
        for key, value in _table(section, table, origin).items()
    }


def _from_environment(here: Path) -> dict[tuple[str, str], Setting]:
    found = {}
    for section, keys in DEFAULTS.items():
        for key, default in keys.items():
            name = f"KEYFERRY_{section}_{key}".upper()
            if name in os.environ:
                value = _typed(os.environ[name], default, name)
                found[section, key] = Setting(_checked(section, key, value, name), name, here)
    return found


def _table(section: str, table: object, where: str) -> dict[str, Any]:
    if section in FORMER_SECTIONS:
        raise renamed(f"{where}: [{section}]", f"[{FORMER_SECTIONS[section]}]")
    if section not in DEFAULTS:
        raise _unknown("section", section, list(DEFAULTS), where)
    if not isinstance(table, dict):
        raise UsageError(f"{where}: [{section}] is not a table")
    return table


def _checked(section: str, key: str, value: object, where: str) -> str | int | bool:
    if key not in DEFAULTS[section]:
        raise _unknown(f"key in [{section}]", key, list(DEFAULTS[section]), where)
    kind = type(DEFAULTS[section][key])
    if not isinstance(value, str | int | bool) or type(value) is not kind:
        raise UsageError(f"{where}: [{section}] {key} must be {_KINDS[kind]}")
    if section == "dialect":
        _check_words(key, str(value), where)
    return value


def _check_words(key: str, words: str, where: str) -> None:
    pattern, kind = next(rule for ending, rule in _WORDED.items() if key.endswith(ending))
    if not pattern.fullmatch(words):
        raise UsageError(f"{where}: [dialect] {key}: {words!r} is not {kind}")


def _typed(text: str, default: str | int | bool, name: str) -> str | int | bool:
    try:
        if isinstance(default, bool):
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()]
        return int(text) if isinstance(default, int) else text
    except (KeyError, ValueError):
        raise UsageError(f"{name}: {text!r} is not {_KINDS[type(default)]}") from None


def _unknown(what: str, name: str, known: list[str], where: str) -> UsageError:
    near = difflib.get_close_matches(name, known, 1)
    return UsageError(
        f"{where}: unknown {what}: {name}",
        hint=f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}",
    )
