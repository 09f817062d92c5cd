from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from keyferry.emulator.classic.hsm import Hsm
from keyferry.emulator.classic.objects import (
    AES,
    DES2,
    DES3,
    GENERIC_SECRET,
    ORDER,
    PRIVATE_KEY,
    PUBLIC_KEY,
    SECRET_KEY,
    number,
    secret_key,
)
from keyferry.emulator.classic.roles import TRIES, set_pin
from place import labelled, refused

if TYPE_CHECKING:
    from place import MakePlace

DIALECTS = pytest.mark.parametrize("luna", ["5", "7"])
ON, OFF = b"\x01", b"\x00"
CU_PIN = b"only-for-use"


class TestSlots:
    def test_older_clients_list_empty_slots(self, make_place: MakePlace) -> None:
        slots = Hsm(make_place("5").store, "test").slots()
        assert [slot.number for slot in slots] == [1, 2, 3, 4, 5, 6]
        assert [slot.present for slot in slots] == [True, True, False, False, False, True]
        assert slots[5].serial == f"1{slots[0].serial}"

    def test_groups_can_be_left_out(self, make_place: MakePlace) -> None:
        assert [slot.label for slot in Hsm(make_place().store, "test", ha=False).slots()] == ["par43", "par40"]

    @pytest.mark.parametrize(("slot", "ckr"), [(3, "CKR_TOKEN_NOT_PRESENT"), (44, "CKR_SLOT_ID_INVALID")])
    def test_nothing_to_open(self, make_place: MakePlace, slot: int, ckr: str) -> None:
        hsm = Hsm(make_place("5").store, "test")
        for call in (hsm.open, hsm.token):
            with refused(ckr):
                call(slot)

    def test_a_swap_lasts_as_long_as_the_process(self, make_place: MakePlace) -> None:
        place = make_place()
        place.arm("ckdemo", "slots-swapped", "slots", nth=2)
        hsm = Hsm(place.store, "ckdemo")
        assert [hsm.slots()[0].label for _ in range(3)] == ["par43", "par40", "par40"]
        assert hsm.token(0).label == hsm.open(0).slot.label == "par40"
        assert Hsm(place.store, "ckdemo").token(0).label == "par43"


class TestLogin:
    def test_private_objects_show_only_after_login(self, make_place: MakePlace) -> None:
        place = make_place()
        session = Hsm(place.store, "test").open(0)
        (public,) = session.find()
        assert public.attributes["CKA_CLASS"] == PUBLIC_KEY
        session.login("CO", place.pin.encode())
        assert len(session.find()) == 12
        session.logout()
        assert len(session.find()) == 1

    def test_login_belongs_to_the_process(self, make_place: MakePlace) -> None:
        place = make_place()
        hsm = Hsm(place.store, "test")
        first, second, other = hsm.open(0), hsm.open(0), hsm.open(1)
        first.login("CO", place.pin.encode())
        assert (second.role, other.role) == ("CO", None)
        with refused("CKR_USER_ALREADY_LOGGED_IN"):
            second.login("CO", b"whatever")
        first.close()
        assert second.role == "CO"
        second.close()
        assert hsm.open(0).role is None

    def test_flags_tell_the_counter(self, make_place: MakePlace) -> None:
        place = make_place()
        hsm = Hsm(place.store, "test")
        session = hsm.open(0)
        seen = []
        for _ in range(TRIES):
            seen.append({flag for flag in hsm.token(0).flags if "_PIN_" in flag} - {"CKF_USER_PIN_INITIALIZED"})
            with refused("CKR_PIN_INCORRECT"):
                session.login("CO", b"wrong")
        low = {"CKF_USER_PIN_COUNT_LOW"}
        assert seen == [set(), *[low] * (TRIES - 2), low | {"CKF_USER_PIN_FINAL_TRY"}]
        assert "CKF_USER_PIN_LOCKED" in hsm.token(0).flags
        with refused("CKR_PIN_LOCKED"):
            session.login("CO", place.pin.encode())

    def test_success_clears_the_counter(self, make_place: MakePlace) -> None:
        place = make_place()
        hsm = Hsm(place.store, "test")
        session = hsm.open(0)
        with refused("CKR_PIN_INCORRECT"):
            session.login("CO", b"wrong")
        session.login("CO", place.pin.encode())
        assert "CKF_USER_PIN_COUNT_LOW" not in hsm.token(0).flags

    def test_a_crypto_user_may_look_and_use_only(self, make_place: MakePlace) -> None:
        place = make_place()
        set_pin(place.store, 1, "CU", CU_PIN)
        session = Hsm(place.store, "test").open(0)
        session.login("CU", CU_PIN)
        handle = labelled(session, "orders-0001")
        assert session.encrypt("AES-ECB", handle, bytes(16))
        with refused("C_SetAttributeValue returned CKR_USER_NOT_AUTHORIZED"):
            session.set(handle, {"CKA_WRAP": ON})
        with refused("C_DestroyObject returned CKR_USER_NOT_AUTHORIZED"):
            session.destroy(handle)

    def test_a_role_without_a_pin(self, make_place: MakePlace) -> None:
        with refused("CKR_USER_PIN_NOT_INITIALIZED"):
            Hsm(make_place().store, "test").open(0).login("SO", b"anything")


class TestObjects:
    def test_attributes_come_in_display_order(self, make_place: MakePlace) -> None:
        for obj in make_place().session().find():
            names = list(obj.attributes)
            assert names == sorted(names, key=ORDER.index)

    def test_values_show_only_where_the_key_is_not_sensitive(self, make_place: MakePlace) -> None:
        shown = [obj for obj in make_place().session().find() if "CKA_VALUE" in obj.attributes]
        assert [obj.attributes["CKA_SENSITIVE"] for obj in shown] == [OFF]

    def test_private_halves_show_nothing_private(self, make_place: MakePlace) -> None:
        (private,) = make_place().session().find(PRIVATE_KEY)
        assert {"CKA_MODULUS", "CKA_PUBLIC_EXPONENT"} < private.attributes.keys() <= set(ORDER)
        assert not {"CKA_VALUE", "CKA_PRIVATE_EXPONENT", "CKA_PRIME_1"} & private.attributes.keys()

    def test_numbers_are_little_endian(self, make_place: MakePlace) -> None:
        session = make_place().session()
        key = session.get(labelled(session, "orders-0001"))
        assert key.attributes["CKA_CLASS"].hex() == "0400000000000000"
        assert key.attributes["CKA_KEY_TYPE"].hex() == "1f00000000000000"
        assert key.attributes["CKA_VALUE_LEN"] == number(32)

    @pytest.mark.parametrize(
        ("label", "name", "value", "ckr"),
        [
            ("vault-0004", "CKA_EXTRACTABLE", ON, "CKR_ATTRIBUTE_READ_ONLY"),
            ("orders-0001", "CKA_SENSITIVE", OFF, "CKR_ATTRIBUTE_READ_ONLY"),
            ("orders-0001", "CKA_VALUE_LEN", number(16), "CKR_ATTRIBUTE_READ_ONLY"),
            ("orders-0001", "CKA_WRAP", b"\x07", "CKR_ATTRIBUTE_VALUE_INVALID"),
            ("orders-0001", "CKA_MODULUS", ON, "CKR_ATTRIBUTE_TYPE_INVALID"),
        ],
    )
    def test_changes_that_are_refused(
        self, make_place: MakePlace, label: str, name: str, value: bytes, ckr: str
    ) -> None:
        session = make_place().session()
        handle = labelled(session, label)
        before = session.get(handle)
        with refused(ckr):
            session.set(handle, {"CKA_LABEL": b"changed", name: value})
        assert session.get(handle) == before

    def test_changes_that_are_made(self, make_place: MakePlace) -> None:
        place = make_place()
        session = place.session()
        handle = labelled(session, "tenant=0007")
        session.set(handle, {"CKA_EXTRACTABLE": OFF, "CKA_SENSITIVE": ON, "CKA_DERIVE": OFF, "CKA_ID": b"x"})
        attributes = place.session().get(handle).attributes
        assert [attributes[f"CKA_{name}"] for name in ("EXTRACTABLE", "SENSITIVE", "DERIVE")] == [OFF, ON, OFF]
        assert attributes["CKA_ID"] == b"x"
        assert "CKA_VALUE" not in attributes

    def test_an_unmodifiable_object_stays(self, make_place: MakePlace) -> None:
        session = make_place().session()
        handle = session.create(secret_key(AES, bytes(16)) | {"CKA_MODIFIABLE": OFF})
        with refused("CKR_ATTRIBUTE_READ_ONLY"):
            session.set(handle, {"CKA_WRAP": ON})

    def test_session_objects_are_the_process_own(self, make_place: MakePlace) -> None:
        place = make_place()
        session = place.session()
        handle = session.generate_secret(AES, 32, {"CKA_TOKEN": OFF, "CKA_LABEL": b"passing"})
        session.set(handle, {"CKA_LABEL": b"passed"})
        assert session.get(handle).label == b"passed"
        assert place.session().find(template={"CKA_LABEL": b"passed"}) == []
        session.destroy(handle)
        with refused("CKR_OBJECT_HANDLE_INVALID"):
            session.get(handle)

    def test_history_follows_the_template(self, make_place: MakePlace) -> None:
        session = make_place().session()
        handle = session.generate_secret(DES3, 24, {"CKA_EXTRACTABLE": OFF, "CKA_SENSITIVE": OFF})
        key = session.get(handle)
        assert key.is_set("CKA_NEVER_EXTRACTABLE")
        assert not key.is_set("CKA_ALWAYS_SENSITIVE")
        assert all(byte.bit_count() % 2 for byte in key.attributes["CKA_VALUE"])

    def test_sizes_that_no_key_has(self, make_place: MakePlace) -> None:
        session = make_place().session()
        with refused("CKR_KEY_SIZE_RANGE"):
            session.generate_secret(AES, 17, {})
        with refused("CKR_KEY_SIZE_RANGE"):
            session.generate_rsa(512, {}, {})
        with refused("CKR_ATTRIBUTE_VALUE_INVALID"):
            session.generate_rsa(2048, {}, {}, 4)


class TestHighAvailability:
    def test_every_process_has_other_handles_for_the_same_objects(self, make_place: MakePlace) -> None:
        place = make_place()
        physical, first, second = place.session(0), place.session(2), place.session(2)
        names = [{obj.handle: obj.label for obj in session.find()} for session in (physical, first, second)]
        assert Counter(names[0].values()) == Counter(names[1].values()) == Counter(names[2].values())
        assert names[0] != names[1] != names[2]
        assert first.find() == first.find()

    def test_what_is_made_there_is_on_the_member(self, make_place: MakePlace) -> None:
        place = make_place()
        group = place.session(2)
        handle = group.create(secret_key(AES, bytes(16)) | {"CKA_LABEL": b"made"})
        group.set(handle, {"CKA_WRAP": OFF})
        member = place.session(0)
        assert not member.get(labelled(member, "made")).is_set("CKA_WRAP")
        group.destroy(handle)
        assert member.find(template={"CKA_LABEL": b"made"}) == []

    def test_a_handle_that_was_never_listed_is_unknown(self, make_place: MakePlace) -> None:
        place = make_place()
        (key,) = place.session(0).find(PUBLIC_KEY)
        with refused("CKR_OBJECT_HANDLE_INVALID"):
            place.session(2).get(key.handle)


class TestPopulation:
    def test_the_first_ten_show_each_oddity(self, make_place: MakePlace) -> None:
        keys = make_place().session().find(SECRET_KEY)
        labels = Counter(key.label for key in keys)
        assert len(keys) == 10
        assert labels[b"terminal"] == 2
        assert labels[b""] == 1
        assert {b"payroll key 0009", b"tenant=0007"} < labels.keys()
        assert [key.label for key in keys if not key.is_set("CKA_EXTRACTABLE")] == [b"vault-0004"]
        assert {key.attributes["CKA_KEY_TYPE"] for key in keys} == {AES, DES2, DES3, GENERIC_SECRET}
        assert {key.attributes["CKA_ID"] for key in keys} == {b"", b"id-0001", b"id-0003", b"\x00\xf1\n"}

    @pytest.mark.parametrize("jitter", ["", "seed"])
    @DIALECTS
    def test_many_keys_mostly_cross(self, make_place: MakePlace, luna: str, jitter: str) -> None:
        session = make_place(luna, 1000, jitter).session()
        keys = session.find(SECRET_KEY)
        plain = [key for key in keys if key.label.startswith(b"app-key-")]
        assert len(keys) == 1000
        assert len({key.label for key in plain}) == len(plain) > 750
        handles = sorted(key.handle for key in keys)
        assert handles[-1] <= 10_000
        assert handles[-1] - handles[0] >= len(handles)

    def test_des_keys_have_odd_parity(self, make_place: MakePlace) -> None:
        shelf = Hsm(make_place(keys=40).store, "test").shelf.all(1)
        values = [obj["CKA_VALUE"] for obj in shelf.values() if obj["CKA_KEY_TYPE"] in (DES2, DES3)]
        assert len(values) > 5
        assert all(byte.bit_count() % 2 for value in values for byte in value)
