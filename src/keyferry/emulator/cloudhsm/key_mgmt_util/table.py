"""The commands and their flags, as data. The sentences are ours; the errors are what callers match."""

from __future__ import annotations

from keyferry.emulator.cloudhsm.key_mgmt_util import admin, look, make, unwrap
from keyferry.emulator.cloudhsm.key_mgmt_util.flags import Command, Flag, Kind

_NUMBER, _SWITCH = Kind.NUMBER, Kind.SWITCH


def _handle(flag: str = "-k") -> Flag:
    return Flag(flag, "handle of the key, decimal", _NUMBER, f"Error: Key handle ({flag}) is missing.")


_LABEL = Flag("-l", "label of the new key", missing="Error: Key label (-l) is missing.")
_PLACEMENT = (
    Flag("-id", "id of the new key"),
    Flag("-sess", "make a session key", _SWITCH),
    Flag("-min_srv", "servers that must have the key", _NUMBER, ""),
    Flag("-timeout", "seconds to wait for them", _NUMBER, ""),
)
_RIGHTS = (
    Flag("-nex", "the key can never be exported", _SWITCH),
    Flag("-u", "ids of users to share with"),
    Flag("-m_value", "number of approvers", _NUMBER),
    Flag("-attest", "check that the answer is attested", _SWITCH),
)
_CREDENTIALS = (
    Flag("-u", "type of user: CU", missing="Error: User type (-u) is missing."),
    Flag("-s", "name of the user", missing="Error: Username (-s) is missing."),
    Flag("-p", "password"),
    Flag("-hpswd", "ask for the password, unseen", _SWITCH, hidden_password_only=True),
)
_UNWRAP = (
    Flag("-f", "file with the wrapped key", missing="Error: Key filename (-f) is missing."),
    Flag("-w", "handle of the wrapping key", _NUMBER, "Error: wrapping key handle (-w) is missing."),
    Flag("-m", "mechanism: 8 is RSA_OAEP", _NUMBER, "Error: Mechanism (-m) is missing."),
    Flag("-t", "hash: 2 SHA1, 3 SHA256, 4 SHA384, 5 SHA512, 6 SHA224", _NUMBER),
    Flag("-noheader", "the file was not written by wrapKey", _SWITCH),
    Flag("-l", "label of the new key"),
    Flag("-kc", "class of the new key: 4 is secret", _NUMBER),
    Flag("-kt", "type of the new key: 16, 21 or 31", _NUMBER),
    Flag("-i", "unwrapping IV"),
    Flag("-aad", "file with additional data"),
    Flag("-tag_size", "size of the tag", _NUMBER),
    Flag("-iv_file", "file with the IV"),
)
_WRAP = (
    _handle(),
    Flag("-w", "handle of the wrapping key", _NUMBER, "Error: wrapping key handle (-w) is missing."),
    Flag("-out", "file to write", missing="Error: Key File (-out) is missing."),
    Flag("-m", "mechanism", _NUMBER, "Error: Mechanism (-m) is missing."),
    Flag("-t", "hash", _NUMBER),
    Flag("-noheader", "write no header", _SWITCH),
    Flag("-i", "IV"),
    Flag("-aad", "file with additional data"),
    Flag("-tag_size", "size of the tag", _NUMBER),
    Flag("-iv_file", "file for the IV"),
)
_FILTERS = (
    Flag("-c", "class: 2 public, 3 private, 4 secret", _NUMBER),
    Flag("-t", "type", _NUMBER),
    Flag("-l", "label, exactly"),
    Flag("-id", "id, exactly"),
    Flag("-sess", "1: session keys, 0: token keys", _NUMBER),
    Flag("-u", "ids of users who own or share the key"),
    Flag("-m", "file with the modulus in hex"),
    Flag("-kcv", "check value in hex"),
)
_PAIR = (
    Flag("-m", "bits of the modulus", _NUMBER, "Error: Modulus size (-m) is missing."),
    Flag("-e", "exponent", _NUMBER, "Error: Public exponant (-e) is missing or invalid input passed"),
    _LABEL,
)
_SECRET = (
    Flag("-t", "type: 16, 18, 21 or 31", _NUMBER, "Error: Key type (-t) is missing."),
    Flag("-s", "bytes of the value", _NUMBER, "Error: Key size (-s) is missing."),
    _LABEL,
)
_PUBLIC_FILE = Flag("-f", "PEM file", missing="Error: Key filename (-f) is missing.")
_ATTRIBUTE = Flag("-a", "number of the attribute", _NUMBER, "Error: Attribute (-a) is missing.")
_TO_FILE = Flag("-out", "file to write", missing="Error: Attribute file (-out) is missing.")
_KEY_FILE = Flag("-out", "file to write", missing="Error: Key File (-out) is missing.")
_ERROR_CODE = Flag("-r", "code in hex", missing="Error: Error code (-r) is missing.")

COMMANDS = {
    command.name: command
    for command in (
        Command("getHSMInfo", admin.hsm_info, "Shows what the HSM is"),
        Command("listUsers", admin.list_users, "Shows the users and their failed logins"),
        Command("loginStatus", admin.login_status, "Tells whether a user is logged in"),
        Command("loginHSM", admin.login, "Begins a user's session", _CREDENTIALS),
        Command("logoutHSM", admin.logout, "Ends a user's session"),
        Command("genRSAKeyPair", make.generate_pair, "Makes an RSA pair", (*_PAIR, *_PLACEMENT, *_RIGHTS)),
        Command("genSymKey", make.generate_secret, "Makes a secret key", (*_SECRET, *_PLACEMENT, *_RIGHTS)),
        Command(
            "importPubKey",
            make.import_public,
            "Takes in an RSA public key",
            (_LABEL, _PUBLIC_FILE, *_PLACEMENT),
        ),
        Command("exportPubKey", make.export_public, "Writes a public key as PEM", (_handle(), _KEY_FILE)),
        Command("wrapKey", unwrap.wrap, "Writes a key, wrapped with another", _WRAP),
        Command("unWrapKey", unwrap.unwrap, "Takes in a wrapped key", (*_UNWRAP, *_PLACEMENT, *_RIGHTS)),
        Command("deleteKey", make.delete, "Removes a key", (_handle(),)),
        Command(
            "setAttribute",
            look.set_attribute,
            "Changes an attribute of a key",
            (_handle("-o"), _ATTRIBUTE),
        ),
        Command("getKeyInfo", look.key_info, "Shows who owns and shares a key", (_handle(),)),
        Command("findKey", look.find, "Lists handles of keys", _FILTERS),
        Command("findSingleKey", look.find_single, "Tells whether all servers have a key", (_handle(),)),
        Command("getAttribute", look.get_attribute, "Writes attributes", (_handle("-o"), _ATTRIBUTE, _TO_FILE)),
        Command("listAttributes", admin.list_attributes, "Shows the numbers of attributes"),
        Command("Error2String", admin.error_to_string, "Tells what a code means", (_ERROR_CODE,)),
    )
}
_HELP_HEAD = (
    "\n\nHelp Commands Available:\n\nSyntax: <command> -h\n\n\n"
    "   Command               Description\n   =======               ===========\n\n"
)


def help_listing() -> str:
    """Every command in a line; what `help`, an unknown command and the start-up print."""
    rows = [("exit", "Ends this tool"), ("help", "Shows this list")]
    rows += [(command.name, command.about) for command in COMMANDS.values()]
    return _HELP_HEAD + "".join(f"   {name:<22} {about}\n" for name, about in rows)
