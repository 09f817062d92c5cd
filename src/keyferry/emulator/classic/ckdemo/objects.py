from __future__ import annotations

from typing import TYPE_CHECKING

from keyferry.emulator.classic.ckdemo import select
from keyferry.emulator.classic.ckdemo.template import TemplateEditor, show
from keyferry.emulator.classic.errors import CkrError
from keyferry.emulator.classic.objects import CERTIFICATE, DATA, DES, PUBLIC_KEY, RSA, SECRET_KEY, number

if TYPE_CHECKING:
    from keyferry.emulator.classic.ckdemo.state import Demo

_KINDS = (
    *("Data Object", "DES Key Object", "CAST Key Object", "RSA Public Key Object", "Certificate Object"),
    *("Domain Parameter Objects", "All Objects", "Search on user specified template"),
)
_LAST_KIND = 7  # the eighth is printed and refused
_TEMPLATES: dict[int, dict[str, bytes]] = {
    1: {"CKA_CLASS": DATA},
    2: {"CKA_CLASS": SECRET_KEY, "CKA_KEY_TYPE": DES},
    3: {"CKA_CLASS": SECRET_KEY, "CKA_KEY_TYPE": number(0x16)},
    4: {"CKA_CLASS": PUBLIC_KEY, "CKA_KEY_TYPE": RSA},
    5: {"CKA_CLASS": CERTIFICATE},
    6: {"CKA_CLASS": number(6)},
    7: {},
}


def find_object(demo: Demo) -> None:
    handle = select.session(demo)
    demo.terminal.write("".join(f"[{index}] {kind}\n" for index, kind in enumerate(_KINDS, 1)))
    kind = demo.ask.number("\nSelect object type to search: ", 1, _LAST_KIND)
    found = demo.session(handle, "C_FindObjectsInit").find(template=_TEMPLATES[kind])
    select.write_list(demo, found)


def display_object(demo: Demo) -> None:
    """Prints CKA_VALUE too, where the HSM gives it out."""
    session = select.session(demo)
    handle = select.obj(demo, session, "Enter handle of object to display")
    try:
        found = demo.session(session, "C_GetObjectSize").get(handle)
    except CkrError:
        demo.terminal.write(f"ERROR: Can not find object with handle {handle}\n")
        raise
    demo.terminal.write(f"Object\nhandle={handle}\n".encode() + show(found.attributes))


def get_attribute(demo: Demo) -> None:
    """Asks nothing and prints nothing in the only build whose screens are known."""
    del demo


def set_attribute(demo: Demo) -> None:
    """The handle meets the HSM only after the template is accepted."""
    session = select.session(demo)
    handle = select.obj(demo, session, "Which object do you want to modify")
    editor = TemplateEditor(demo.terminal, demo.ask, demo.dialect.attributes)
    template = editor.edit("Edit template for set attribute operation.")
    demo.session(session, "C_SetAttributeValue").set(handle, template)


def destroy_object(demo: Demo) -> None:
    select.session(demo)  # asked twice, the second answer counts
    session = select.session(demo)
    handle = select.obj(demo, session, "Enter handle of object to destroy")
    demo.session(session, "C_DestroyObject").destroy(handle)


def object_size(demo: Demo) -> None:
    select.session(demo)  # asked twice, the second answer counts
    session = select.session(demo)
    handle = select.obj(demo, session, "Enter handle of object")
    found = demo.session(session, "C_GetObjectSize").get(handle)
    demo.terminal.write(f"\nObject size: {sum(map(len, found.attributes.values()))}\n")
