from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic import policy
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import (
    Obj,
    flag,
    is_set,
    new_ouid,
    readable,
    rsa_private_key,
    rsa_public_key,
    secret_key,
)
from keyferry.emulator.classic.roles import check_pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from keyferry.emulator.classic.library import Library
    from keyferry.emulator.classic.slots import Slot

_MECHANISMS = {"RSA_OAEP", "RSA-OAEP"}


class Session:
    """One session with one slot. Every method raises CkrError as the call it stands for would."""

    def __init__(self, hsm: Library, slot: Slot) -> None:
        self.slot = slot
        self._hsm = hsm
        self._place = slot.partition, slot.ha
        self._closed = False

    @property
    def role(self) -> str | None:
        """Who is logged in to this slot in this process: "CO", "CU", or nobody."""
        return self._hsm.roles.get(self._place)

    def login(self, role: str, pin: bytes) -> None:
        """Log in as "CO" or "CU"; "SO" and "AU" have no PIN here. A wrong PIN counts."""
        if self.role is not None:
            same = "CKR_USER_ALREADY_LOGGED_IN"
            raise CkrError("C_Login", same if self.role == role else "CKR_USER_ANOTHER_ALREADY_LOGGED_IN")
        locked = self._hsm.jitter.pick("locked out", "CKR_PIN_LOCKED", "CKR_USER_LOCKED_OUT")
        for partition in self._hsm.members(self.slot):
            check_pin(self._hsm.store, partition, role, pin, locked=locked)
        self._hsm.roles[self._place] = role

    def logout(self) -> None:
        if self._hsm.roles.pop(self._place, None) is None:
            raise CkrError("C_Logout", "CKR_USER_NOT_LOGGED_IN")

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._hsm.closed(self.slot)

    def find(self, object_class: bytes | None = None, template: Mapping[str, bytes] | None = None) -> list[Obj]:
        """The visible objects that have this class and these readable values, as the HSM lists them."""
        wanted = dict(template or {}) | ({} if object_class is None else {"CKA_CLASS": object_class})
        found = [Obj(handle, readable(attributes)) for handle, attributes in self._visible()]
        return self._ordered([obj for obj in found if wanted.items() <= obj.attributes.items()])

    def get(self, handle: int) -> Obj:
        return Obj(handle, readable(self._object(handle, "C_GetObjectSize")[1]))

    def set(self, handle: int, changes: Mapping[str, bytes]) -> None:
        """Change attributes, all or none (an empty template only checks the handle)."""
        real, attributes = self._object(handle, "C_SetAttributeValue")
        self._require_officer("C_SetAttributeValue")
        fixed = self._hsm.jitter.pick("unmodifiable", "CKR_ATTRIBUTE_READ_ONLY", "CKR_OBJECT_READ_ONLY")
        policy.check_changes(attributes, changes, unmodifiable=fixed)
        self._hsm.shelf.change(self.slot.partition, real, attributes | dict(changes))

    def create(self, attributes: Mapping[str, bytes]) -> int:
        """C_CreateObject: a complete object comes in from outside; gives its handle."""
        self._require_officer("C_CreateObject")
        if not attributes.get("CKA_CLASS"):
            raise CkrError("C_CreateObject", "CKR_TEMPLATE_INCOMPLETE")
        return self._add(dict(attributes))

    def destroy(self, handle: int) -> None:
        real, _ = self._object(handle, "C_DestroyObject")
        self._require_officer("C_DestroyObject")
        self._hsm.shelf.remove(self.slot.partition, real)

    def generate_secret(self, key_type: bytes, length: int, template: Mapping[str, bytes]) -> int:
        """A new key of `objects.AES`, DES3, DES2 or GENERIC_SECRET, `length` in bytes; gives its handle."""
        self._require_officer("C_GenerateKey")
        return self._add(secret_key(key_type, policy.new_value(key_type, length)) | _made_here(template))

    def generate_rsa(
        self, bits: int, public: Mapping[str, bytes], private: Mapping[str, bytes], exponent: int = 65537
    ) -> tuple[int, int]:
        """A new RSA pair; gives the public and the private handle."""
        self._require_officer("C_GenerateKeyPair")
        policy.check_rsa(bits, exponent)
        from keyferry.emulator.classic.crypto import new_rsa  # noqa: PLC0415 - slow to load, seldom needed

        modulus, encoded, der = new_rsa(bits, exponent)
        public_half = rsa_public_key(modulus, encoded) | {"CKA_LOCAL": b"\x01"} | dict(public)
        private_half = rsa_private_key(modulus, encoded, der) | _made_here(private)
        return self._add(public_half), self._add(private_half)

    def wrap(
        self,
        mechanism: str,
        wrapping_handle: int,
        key_handle: int,
        hash_name: str = "SHA-1",
        source: bytes = b"",
    ) -> bytes:
        """A key under an RSA public key, by RSA_OAEP; `hash_name` is MGF1's too, `source` is OAEP's label."""
        if mechanism not in _MECHANISMS:
            raise CkrError("C_WrapKey", "CKR_MECHANISM_INVALID")
        if hash_name != "SHA-1" and self._hsm.dialect == "5":
            raise CkrError("C_WrapKey", "CKR_MECHANISM_PARAM_INVALID")
        _, wrapping_key = self._object(wrapping_handle, "C_WrapKey", "CKR_WRAPPING_KEY_HANDLE_INVALID")
        policy.check_wrapping_key(wrapping_key)
        _, key = self._object(key_handle, "C_WrapKey", "CKR_KEY_HANDLE_INVALID")
        answers = "CKR_DATA_LEN_RANGE", "CKR_WRAPPING_KEY_SIZE_RANGE", "CKR_KEY_SIZE_RANGE"
        too_long = self._hsm.jitter.pick("key too long", *answers)
        policy.check_wrapped_key(key, wrapping_key, hash_name, too_long=too_long)
        from keyferry.emulator.classic.crypto import oaep_encrypt  # noqa: PLC0415 - slow to load

        public = wrapping_key["CKA_MODULUS"], wrapping_key["CKA_PUBLIC_EXPONENT"]
        return oaep_encrypt(*public, hash_name, source, key["CKA_VALUE"])

    def encrypt(self, mechanism: str, key_handle: int, data: bytes) -> bytes:
        """`data` under "AES-ECB" or "DES3-ECB" (DES2 keys too)."""
        _, key = self._object(key_handle, "C_EncryptInit", "CKR_KEY_HANDLE_INVALID")
        policy.check_cipher(mechanism, key, len(data))
        from keyferry.emulator.classic.crypto import ecb_encrypt  # noqa: PLC0415 - slow to load

        return ecb_encrypt(mechanism, key["CKA_VALUE"], data)

    def _require_officer(self, function: str) -> None:
        if self.role is None:
            raise CkrError(function, "CKR_USER_NOT_LOGGED_IN")
        if self.role != "CO":
            raise CkrError(function, "CKR_USER_NOT_AUTHORIZED")

    def _object(
        self, handle: int, function: str, unknown: str = "CKR_OBJECT_HANDLE_INVALID"
    ) -> tuple[int, dict[str, bytes]]:
        """The partition's own handle, and all of the object, also what may not be read."""
        real = self._real(handle)
        attributes = None if real is None else self._hsm.shelf.get(self.slot.partition, real)
        if real is None or attributes is None or not self._may_see(attributes):
            raise CkrError(function, unknown)
        return real, attributes

    def _may_see(self, attributes: Mapping[str, bytes]) -> bool:
        return self.role is not None or not is_set(attributes, "CKA_PRIVATE")

    def _add(self, attributes: dict[str, bytes]) -> int:
        whole = attributes | new_ouid(self._hsm.dialect)
        return self._shown(self._hsm.shelf.add(self.slot.partition, whole))

    def _visible(self) -> Iterator[tuple[int, dict[str, bytes]]]:
        objects = self._hsm.shelf.all(self.slot.partition)
        if self.slot.ha:
            self._hsm.virtual.learn(objects)
        for real, attributes in objects.items():
            if self._may_see(attributes):
                yield self._shown(real), attributes

    def _ordered(self, found: list[Obj]) -> list[Obj]:
        order = self._hsm.jitter.pick("listing order", "falling", "rising", "mixed")
        found.sort(key=lambda obj: obj.handle, reverse=order == "falling")
        return self._hsm.jitter.shuffled("listing", found) if order == "mixed" else found

    def _shown(self, real: int) -> int:
        """What this slot calls an object of the partition."""
        if not self.slot.ha:
            return real
        self._hsm.virtual.learn([real])
        return self._hsm.virtual.virtual(real)

    def _real(self, handle: int) -> int | None:
        return self._hsm.virtual.real(handle) if self.slot.ha else handle


def _made_here(template: Mapping[str, bytes]) -> dict[str, bytes]:
    """The template, and the history that follows from it."""
    history: dict[str, bytes] = {}
    if "CKA_SENSITIVE" in template:
        history["CKA_ALWAYS_SENSITIVE"] = template["CKA_SENSITIVE"]
    if "CKA_EXTRACTABLE" in template:
        history["CKA_NEVER_EXTRACTABLE"] = flag(not is_set(template, "CKA_EXTRACTABLE"))
    return history | dict(template)
