"""What ckdemo asks and says, by its words: numbers are read from the screen (reference/ckdemo.md, 3 to 13).

Patterns allow what the builds are known or thought to vary: blanks, hyphens, further roles.
"""

from __future__ import annotations

from keyferry.terminal.prompts import InputLimits, Prompt

MANNERS = InputLimits(longest_line=4094, longest_secret=29, comment="#")
HIGHEST_SLOT = 500
HIGHEST_HANDLE = 10_000
"""Higher numbers cannot be typed: the reader asks again for ever."""

QUIET = 0.1
"""Seconds of silence after which a table that ends without a prompt counts as whole, the first time."""

CHOICE = r"Enter your choice[ \t]*(?:\(\d+[^()\r\n]{0,40} for help\))?[ \t]*:[ \t]*"
"""The menu's prompt, in whatever words it offers its help by."""
MAIN = Prompt("Enter your choice", CHOICE.encode())
SLOT = Prompt("Select a slot", rb"Select a slot *: *")
SESSION = Prompt("Select a session", rb"Select a session *: *")
ROLE_OF_SESSION = Prompt("normal user", rb"[^\r\n]*normal user *\[ *\d+ *\][^\r\n]*\? *")
ROLE_OF_LOGIN = Prompt("Crypto Officer", rb"[A-Za-z][A-Za-z -]*\[ *\d+ *\] *: *")
PIN = Prompt("Enter PIN", rb"(?i:enter (?:pin|password))[^\r\n]*: *")
CLOSE = Prompt("Close all sessions", rb"Close all sessions *\[ *\d+ *\] *: *")
KEY_TYPE = Prompt("type of key to generate", rb"> *")
KEY_LENGTH = Prompt("key length in bytes", rb"Enter Key Length in bytes *: *")
KEY_ATTRIBUTE = Prompt("attribute of the new key", rb"Enter [A-Z][A-Za-z ]* Attribute *\[0-1\] *: *")
OBJECT_TYPE = Prompt("Select object type to search", rb"Select object type to search *: *")
OBJECT_SHOWN = Prompt("object to display", rb"[^\r\n]*object to display[^\r\n]*: *")
OBJECT_MODIFIED = Prompt("object to modify", rb"[^\r\n]*want to modify[^\r\n]*: *")
WRAPPING_KEY = Prompt("wrapping key", rb"[^\r\n]*handle of wrapping key[^\r\n]*: *")
KEY_TO_WRAP = Prompt("key to wrap", rb"[^\r\n]*handle of key to wrap[^\r\n]*: *")
KEY_TO_USE = Prompt("key to use", rb"[^\r\n]*key to use[^\r\n]*: *")
TEMPLATE = Prompt("Add Attribute", rb"\(\d+\) *Add Attribute[^\r\n]*Accept Template *")
WHICH_ATTRIBUTE = Prompt("Select which one", rb"Select which one *: *")
BOOLEAN = Prompt("Enter boolean value", rb"Enter boolean value *: *")
OAEP_SOURCE = Prompt("OAEP Source Data", rb"Enter filename of OAEP Source Data[^\r\n]*: *")
ENCRYPTION = Prompt("Select mechanism for encryption", rb"Select mechanism for encryption *: *")
FILE_TO_ENCRYPT = Prompt("name of file to encrypt", rb"Enter name of file to encrypt *: *")
OPTION = Prompt("Enter option to change", rb"Enter option to change *: *")
WRAP_TABLE = Prompt("wrap mechanisms", rb"RSA[_-]?OAEP", settle=QUIET)
HASH_TABLE = Prompt("OAEP hashes", rb"\[ *\d+ *\] *SHA-?(?:1|224|256|384|512)", settle=QUIET)

NOT_TAKEN = (
    Prompt("asked again", rb"You must enter [^\r\n]*[:.>] *", fatal=True),
    Prompt("out of range", rb"The acceptable range is [^\r\n]*: *", fatal=True),
)
CANNOT_START = Prompt("Enter 0 to end", rb"Enter 0 to end\. *")

MENU = {
    "open_session": "Open Session",
    "login": "Login",
    "token_info": "Token Info",
    "set_attribute": "Set attribute",
    "find_object": "Find object",
    "display_object": "Display Object",
    "encrypt_file": "Encrypt file",
    "wrap_key": "Wrap key",
    "options": "Options",
    "quit": "Quit demo",
}

MORE = {"close_session": "Close Session", "logout": "Logout", "generate_key": "Simple Generate Key"}
"""Entries that a migration needs not, so a menu without them is none the worse until one is chosen."""

HARMLESS = frozenset(
    {MORE["logout"], MORE["close_session"]}
    | {"Get Info", "Slot Info", "Session Info", "Get Slot List", "Mechanism List"}
)
"""Entries that a person may choose by the way: they change no object, and no step takes anything from them."""

PROCEDURE = frozenset(MENU.values())
DOCUMENTED = PROCEDURE | set(MORE.values())
"""The entries that a migration may choose, and all that are ever chosen."""

SEARCHES = {
    "all": "All Objects",
    "data": "Data Object",
    "des": "DES Key Object",
    "cast": "CAST Key Object",
    "public": "RSA Public Key Object",
    "certificate": "Certificate Object",
    "domain": "Domain Parameter Objects",
}
CLOSE_ONE = "Close a single session"
GENERATED = r"Generated [A-Za-z0-9 -]{1,30} Key: *(?P<handle>[0-9]{1,20})"
GENERATE_ASKS = {
    *("Is Token", "Is Sensitive", "Is Private", "Encrypt", "Decrypt", "Sign", "Verify", "Wrap", "Unwrap", "Derive"),
    "Extractable",
}
"""What `Enter X Attribute [0-1]: ` asks of a secret key; the last only in some builds."""
OPTION_HELP = "Display Help"
OPTION_HASH = "OAEP Hash Params"
OPTION_DONE = "Finished"
RSA_OAEP = "RSA_OAEP"
HASHES = {"sha1": "SHA-1", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
CHECK_VALUE_MECHANISM = {"AES": ("AES-ECB", 16), "DES3": ("DES3-ECB", 8)}
"""By key type: the mechanism that encrypts a zero block, and the block's bytes."""

WRAPPED_FILE = "wrapped.key"
ENCRYPTED_FILE = "ENCRYPT.BIN"
WRAPPED = rf"Wrapped key was saved in file {WRAPPED_FILE}"
ENCRYPTED = rf"Encrypted data stored in file {ENCRYPTED_FILE}"

REFUSALS = (
    r"ERROR: Can not find object with handle \d+",
    r"Invalid selection, aborting operation\.?",
    r"Error with binary file\.?",
)
"""What may be said before a Status line that tells of an error."""

NO_SESSION_LEFT = r"Maximum number of opened sessions is already reached\..*"
CONNECTING = r"^CrystokiConnect\(\)(?: \([^)]{0,80}\))?[ \t]*"
"""Printed at the start without a newline, so what fails next may stand on its line."""
CANNOT_LOAD = r"ckdemo: Can ?not load library\..*"
CANNOT_INITIALIZE = r"Error during (?P<function>C_\w+)\(\)\..*"
ERROR_CODE = r"Error code: *(?P<code>[0-9]{1,20})"
WRONG_VERSION = r"(?:.*\s)?Program will terminate\.?"
END_QUESTION = r"Enter 0 to end\. *[0-9]*"
REFUSED_END = rf"{END_QUESTION}[^\n]{{0,60}}"
"""The question with an answer that was not taken; it is asked again."""
ASKED_AGAIN = (
    r"You must enter [^\n:.>]{1,99}(?:\.[ \t]*\n[ \t]*>|[:.>])[^\n]*",
    r"The acceptable range is [^\n:]{1,60}:[^\n]*",
)
"""A question behind an answer that was not taken, with what was typed to it."""

PIN_REFUSED = frozenset(
    {
        "CKR_PIN_INCORRECT",
        "CKR_PIN_INVALID",
        "CKR_PIN_LEN_RANGE",
        "CKR_PIN_EXPIRED",
        "CKR_PIN_LOCKED",
        "CKR_USER_LOCKED_OUT",
    }
)
NOT_LOGGED_IN = "CKR_USER_NOT_LOGGED_IN"
ALREADY_IN = "CKR_USER_ALREADY_LOGGED_IN"
LOCKOUT_FLAGS = ("CKF_USER_PIN_COUNT_LOW", "CKF_USER_PIN_FINAL_TRY", "CKF_USER_PIN_LOCKED")

ADVICE = {
    "CKR_KEY_UNEXTRACTABLE": "this key can never leave: make a new one on the destination",
    "CKR_KEY_NOT_WRAPPABLE": "the partition's policies forbid it; do not change a policy, that can erase the partition",
    "CKR_KEY_FUNCTION_NOT_PERMITTED": "the key used lacks the usage: CKA_WRAP to wrap, CKA_ENCRYPT for a check value",
    "CKR_ATTRIBUTE_READ_ONLY": "the attribute cannot be changed here: is this the crypto officer?",
    "CKR_OBJECT_READ_ONLY": "the object cannot be changed here: is this the crypto officer?",
    "CKR_USER_NOT_AUTHORIZED": "log in as the crypto officer",
    "CKR_MECHANISM_INVALID": "the partition does not offer RSA OAEP",
    "CKR_MECHANISM_PARAM_INVALID": "the partition refuses this hash for OAEP: see `[wrapping] hash`",
    "CKR_DEVICE_ERROR": "with ReadBinaryFile or WriteBinaryFile a local file's problem, not the HSM's",
    "CKR_TOKEN_NOT_PRESENT": "an empty slot was chosen",
}

CKR_NAMES = {
    0x03: "CKR_SLOT_ID_INVALID",
    0x10: "CKR_ATTRIBUTE_READ_ONLY",
    0x11: "CKR_ATTRIBUTE_SENSITIVE",
    0x12: "CKR_ATTRIBUTE_TYPE_INVALID",
    0x13: "CKR_ATTRIBUTE_VALUE_INVALID",
    0x21: "CKR_DATA_LEN_RANGE",
    0x30: "CKR_DEVICE_ERROR",
    0x60: "CKR_KEY_HANDLE_INVALID",
    0x68: "CKR_KEY_FUNCTION_NOT_PERMITTED",
    0x69: "CKR_KEY_NOT_WRAPPABLE",
    0x6A: "CKR_KEY_UNEXTRACTABLE",
    0x70: "CKR_MECHANISM_INVALID",
    0x71: "CKR_MECHANISM_PARAM_INVALID",
    0x82: "CKR_OBJECT_HANDLE_INVALID",
    0xA0: "CKR_PIN_INCORRECT",
    0xA2: "CKR_PIN_LEN_RANGE",
    0xA3: "CKR_PIN_EXPIRED",
    0xA4: "CKR_PIN_LOCKED",
    0xB3: "CKR_SESSION_HANDLE_INVALID",
    0xE0: "CKR_TOKEN_NOT_PRESENT",
    0x100: "CKR_USER_ALREADY_LOGGED_IN",
    0x101: NOT_LOGGED_IN,
    0x102: "CKR_USER_PIN_NOT_INITIALIZED",
    0x103: "CKR_USER_TYPE_INVALID",
    0x113: "CKR_WRAPPING_KEY_HANDLE_INVALID",
    0x114: "CKR_WRAPPING_KEY_SIZE_RANGE",
    0x115: "CKR_WRAPPING_KEY_TYPE_INCONSISTENT",
    0x80000007: "CKR_USER_LOCKED_OUT",
    0x8000000D: "CKR_WRAPPING_ERROR",
    0x8000001A: "CKR_USER_NOT_AUTHORIZED",
    0x80000101: "CKR_KEY_EXTRACTABLE",
    0x80000114: "CKR_OBJECT_READ_ONLY",
}
"""The numbers that are documented; any other that a failed start gives is CKR_UNKNOWN, as ckdemo itself says it."""
