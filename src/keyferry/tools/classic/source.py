from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from keyferry.errors import (
    CheckFailedError,
    ToolRefusedError,
    UnknownScreenError,
    UnreachableError,
)
from keyferry.pkcs11 import FIXED_BITS, KeyClass, PublicKey, SourceHandle, can_have, key_type
from keyferry.text import value
from keyferry.tools.ckdemo import dialect
from keyferry.tools.ckdemo.driver import Ckdemo
from keyferry.tools.ckdemo.screens import spellings
from keyferry.tools.classic import imported, lockout
from keyferry.tools.cmu.driver import Cmu
from keyferry.tools.endpoints import SourceKey, Wrapped, is_readable
from keyferry.tools.ledger import emulated_at
from keyferry.tools.lines import unknown
from keyferry.tools.vtl import driver as vtl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keyferry.pkcs11 import Kcv, Sha256
    from keyferry.secrets import Secret
    from keyferry.terminal.host import Host
    from keyferry.terminal.sessions import Sessions
    from keyferry.tools.ckdemo.screens import ObjectListing, Shown
    from keyferry.tools.limits import Limits
    from keyferry.tools.logins import Logins
    from keyferry.tools.vtl.screens import SlotRow

T = TypeVar("T")

NO_CHECK_VALUE = frozenset(
    {
        "CKR_KEY_FUNCTION_NOT_PERMITTED",
        "CKR_MECHANISM_INVALID",
        "CKR_KEY_TYPE_INCONSISTENT",
        "CKR_FUNCTION_NOT_SUPPORTED",
    }
)
"""Refusals by whatever call that mean a key has no check value: its proof is then its length. Any refusal by
C_EncryptInit means the same."""

_LABEL_SHOWN = 31  # characters of a label that the older vtl shows


class ClassicSource:
    """A Classic (Luna) partition through vtl, cmu and ckdemo: one ckdemo session, at most four cmu calls.

    On an HA slot handles are good in one process only, so every handle used is found inside the ckdemo session.
    """

    def __init__(
        self,
        sessions: Sessions,
        host: Host,
        limits: Limits,
        logins: Logins,
        pin: Secret,
        *,
        slot: str,
        import_option: str,
        allow_raised: bool = False,
    ) -> None:
        self._sessions, self._host, self._limits = sessions, host, limits
        self._logins, self._pin = logins, pin
        self._wanted_slot = slot
        self._import_option = import_option
        self._allow_raised = allow_raised
        self._session: Ckdemo | None = None
        self._cmu_handle: SourceHandle | None = None
        self._broken: frozenset[tuple[str, ...]] = frozenset()
        self._no_value: dict[SourceHandle, str] = {}
        self._identity: dict[str, str] = {}
        self._warnings: tuple[str, ...] = ()

    def preflight(self) -> None:
        rows = vtl.list_slots(self._sessions, self._host, self._limits)
        self._sessions.spare(*(name for row in rows for name in (row.label, row.serial) if name))
        self._row = self._slot_row(rows)
        self._session = Ckdemo.open(self._sessions, self._host, self._limits)
        self.ckdemo.menu_off()
        token = self.ckdemo.token_info(self._row.number)
        self._check_slot(self._row, token.label, token.serial)
        seen = lockout.counters(self._row, token, rows, self.ckdemo.token_info, self._check_slot)
        self._warnings = () if seen.seen else (lockout.NOT_SEEN,)
        emulator = emulated_at(self._host, self.ckdemo.emulator)
        counted = seen.seen and not self._allow_raised
        self._logins.know(self._pin, lockout.account(self._row, emulator, counted=counted))
        seen.require_none(allow_raised=self._allow_raised)
        self._identity = {
            "label": token.label,
            "serial": token.serial,
            "slot": str(self._row.number),
            "kind": "HA group" if self._row.ha else "partition",
            "model": token.fields.get("Token Model", ""),
            "firmware": token.fields.get("Firmware Version", ""),
        }

    def warnings(self) -> Sequence[str]:
        return self._warnings

    def open_session(self) -> None:
        self.ckdemo.open_session(self._row.number)

    def log_in(self) -> None:
        self.ckdemo.login(self._pin, self._logins)

    def identity(self) -> Mapping[str, str]:
        return self._identity

    def has_stable_handles(self) -> bool:
        return not self._row.ha

    def keys(self) -> Sequence[SourceKey]:
        found = [describe(one, self.ckdemo.display_object(one.handle)) for one in self._objects()]
        return [key for key in found if key.key_class in (KeyClass.SECRET, KeyClass.PRIVATE, KeyClass.PUBLIC)]

    def check_value(self, key: SourceKey) -> Kcv | None:
        if key.type not in dialect.CHECK_VALUE_MECHANISM or key.may_encrypt is False:
            return None
        try:
            return self._logged_in(lambda: self.ckdemo.check_value(key.handle, key.type))
        except ToolRefusedError as refusal:
            if refusal.function != "C_EncryptInit" and refusal.code not in NO_CHECK_VALUE:
                raise
            self._no_value[key.handle] = refusal.code
            return None

    def no_check_value(self, handle: SourceHandle) -> str | None:
        return self._no_value.get(handle)

    def use_digest(self, digest: str) -> None:
        if digest != "sha1":
            self.ckdemo.choose_hash()

    def import_public_key(self, file: str, label: str) -> SourceHandle:
        cmu = self.cmu()
        if any(one.label == label for one in cmu.list()):
            raise self._not_free(label)
        cmu.import_public_key(file, label, self._import_option)
        new = [one for one in cmu.list() if one.label == label]
        if len(new) > 1:
            raise imported.several(label, "cmu", [one.handle for one in new])
        if not new:
            raise self._not_imported(label, f"cmu list shows {len(new)} objects with that label")
        self._cmu_handle = new[0].handle
        inside = self.labelled(label)
        if len(inside) > 1:
            raise imported.several(label, "ckdemo", inside)
        if not inside:
            raise self._not_imported(label, f"ckdemo shows {len(inside)} objects with that label")
        return inside[0]

    def labelled(self, label: str) -> Sequence[SourceHandle]:
        return [one.handle for one in self._objects() if one.label == label]

    def _objects(self) -> Sequence[ObjectListing]:
        found = self.ckdemo.find_objects()
        self._broken = frozenset(tuple(one.label.split("\n")) for one in found if "\n" in one.label)
        return found

    def public_key(self, handle: SourceHandle) -> PublicKey:
        shown = self.ckdemo.display_object(handle)
        key = shown.public_key()
        if KeyClass.of(shown.number("CKA_CLASS") or 0) is not KeyClass.PUBLIC or key is None:
            raise unknown("ckdemo", "displayObject", f"object {handle} is no RSA public key")
        if self._cmu_handle is not None and not self._row.ha:
            other = self.cmu().get_attributes(self._cmu_handle)
            imported.require_same(shown, key, other)
        return key

    def allow_wrapping(self, handle: SourceHandle) -> None:
        if not self.ckdemo.display_object(handle).flag("CKA_WRAP"):
            self.ckdemo.set_attribute(handle, "CKA_WRAP", value=True)

    def delete_public_key(self, handle: SourceHandle, key: PublicKey) -> None:
        cmu = self.cmu()
        seen = cmu.public_key(handle)
        if imported.public_key(seen) != key:
            raise CheckFailedError(
                f"object {handle} is another public key",
                rule="SOURCE-READ-ONLY",
                tool="cmu",
                keys="nothing was removed",
            )
        cmu.delete(handle, seen)

    def wrap(self, wrapping_key: SourceHandle, key: SourceKey, digest: str) -> Wrapped:
        size = self._logged_in(lambda: self.ckdemo.wrap_key(wrapping_key, key.handle, digest))
        return Wrapped(size, dialect.WRAPPED_FILE)

    def record_file(self, wrapped: Wrapped, digest: Sha256) -> None:
        self.ckdemo.record_file(wrapped.name, wrapped.size, digest)

    def close(self) -> None:
        if self._session is not None:
            self._session.quit()

    @property
    def ckdemo(self) -> Ckdemo:
        if self._session is None:
            raise UnreachableError("ckdemo was not started", tool="ckdemo", host=self._host.name)
        return self._session

    def cmu(self) -> Cmu:
        tool = Cmu(
            self._sessions,
            self._host,
            self._limits,
            self._row.number,
            self._pin,
            self._logins,
            ha=self._row.ha,
            look_first=self._same_slot,
        )
        tool.broken = self._broken
        return tool

    def _logged_in(self, act: Callable[[], T]) -> T:
        """Act; where the HSM says that nobody is logged in any more, log in once and act once more."""
        try:
            return act()
        except ToolRefusedError as refusal:
            if refusal.code != dialect.NOT_LOGGED_IN:
                raise
        self.log_in()
        return act()

    def _slot_row(self, rows: tuple[SlotRow, ...]) -> SlotRow:
        row = vtl.choose(rows, self._wanted_slot)
        if row.number > dialect.HIGHEST_SLOT:
            raise CheckFailedError(
                f"slot {row.number} cannot be typed to ckdemo: above {dialect.HIGHEST_SLOT}",
                rule="SLOT-MATCH",
            )
        return row

    def _same_slot(self) -> None:
        """Slot numbers shift when an HA member fails or returns: look again at once before a number is used."""
        rows = vtl.list_slots(self._sessions, self._host, self._limits)
        now = next((row for row in rows if row.number == self._row.number), None)
        if now is None or (now.serial, now.label) != (self._row.serial, self._row.label):
            raise self._other_slot(self._row, now.label if now else None, now.serial if now else None)

    def _check_slot(self, row: SlotRow, label: str, serial: str) -> None:
        if serial != row.serial or label[:_LABEL_SHOWN] != (row.label or "")[:_LABEL_SHOWN]:
            raise self._other_slot(row, label, serial)

    def _other_slot(self, row: SlotRow, label: str | None, serial: str | None) -> CheckFailedError:
        return CheckFailedError(
            f"slot {row.number} is not the partition that was chosen",
            rule="SLOT-MATCH",
            host=self._host.name,
            seen=f"chosen: {value(row.label)}, serial {value(row.serial)}; now: {value(label)}, serial {value(serial)}",
            keys="the PIN was not typed into that slot, and nothing was changed there",
            hint="slot numbers shift when an HA member fails or returns: choose by serial:",
        )

    def _not_free(self, label: str) -> CheckFailedError:
        return CheckFailedError(
            f"the source partition already has an object labelled {label!r}",
            rule="WRAPPING-KEY-NEW",
            tool="cmu",
            keys="no key was wrapped",
            hint="remove what an earlier run left, or choose another label: `[wrapping] label`",
        )

    def _not_imported(self, label: str, seen: str) -> UnknownScreenError:
        return UnknownScreenError(
            f"cmu import of {label!r} cannot be proved",
            tool="cmu",
            seen=seen,
            keys="no key was wrapped",
            hint="if this cmu words the option otherwise, set `[source] cmu_public_key_option`",
        )


def describe(listed: ObjectListing, shown: Shown) -> SourceKey:
    """An object as the procedure sees it, from its line in the listing and its display."""
    kind = key_type(number) if (number := shown.number("CKA_KEY_TYPE")) is not None else "none"
    key_class = KeyClass.of(shown.number("CKA_CLASS") or 0)
    length = shown.number("CKA_VALUE_LEN")
    if key_class is KeyClass.SECRET and length is not None and not can_have(kind, length):
        what = f"object {listed.handle}: no {kind} key has a CKA_VALUE_LEN of {length} bytes"
        raise unknown("ckdemo", "displayObject", what)
    id_shown = shown.attributes.get("CKA_ID", "")
    label = _label(listed, shown.attributes.get("CKA_LABEL", listed.label))
    return SourceKey(
        handle=listed.handle,
        label=label,
        key_class=key_class,
        type=kind,
        bits=length * 8 if length is not None else FIXED_BITS.get(kind),
        id=told(id_shown),
        id_shown=id_shown,
        extractable=shown.flag("CKA_EXTRACTABLE"),
        may_encrypt=shown.flag("CKA_ENCRYPT"),
        attributes=shown.attributes,
        readable=is_readable(label),
    )


def told(shown: str) -> str | None:
    """The text of a binary value that ckdemo displays; None where its bytes stay unknown.

    ckdemo prints text where every byte is printable and hex otherwise, and does not say which: `cafe` may be
    four letters or two bytes. Hex whose bytes are all printable would have been printed as text.
    """
    if re.fullmatch(r"(?:[0-9a-f]{2})+", shown) and not all(0x20 <= byte < 0x7F for byte in bytes.fromhex(shown)):
        return None
    return shown


def _label(listed: ObjectListing, displayed: str) -> str:
    """The label; of one that contains line breaks or a NUL the exact text, which a listing does not show."""
    if _same_text(listed.label, displayed):
        return listed.label
    if [line.rstrip() for line in listed.label.split("\n")] in spellings(displayed):
        text = bytes.fromhex(displayed).decode("utf-8", "surrogateescape")
        if not is_readable(text):
            return text
    raise unknown("ckdemo", "displayObject", f"object {listed.handle} has another label than in the listing")


def _same_text(label: str, displayed: str) -> bool:
    """Whether a label is the one displayed, as text or, where it is not all printable, in hex."""
    data = label.encode("utf-8", "surrogateescape")
    return displayed.rstrip() == label.rstrip() or displayed == data.hex()
