"""The words that the four tools use themselves."""

from __future__ import annotations

import re

_TOOLS_OWN = """
aborting accept acceptable access add admin aes all already also always and any app application approve
are aria ascii attest attestation attr attribute attributes audit available begin bits blanks boolean
bytes cancel card cast cbc ccm certificate change check choice ckdemo class classic client close cloudhsm
cluster cmu code coefficient command commands connection copy count create created crypto cryptoki
crystokiconnect csp current curve daemon data date decrypt default delete demand demo denied derive des
des2 des3 description destroy destroyable device digest disabled display doing domain dsa dumped ecb
ecdsa echo edit empty encrypt encrypted encryption end ends enter err error errors exit exiting
exponent export exported extractable failed false file filename find fingerprint finished fips firmware
flags following for format found free from function functions gcm gen generate generated generic get got
great group handle handles handler hardware has hash have help hex high hmac host hsm id import imported
incorrect index info init initialize initialized input invalid key keys keytype kcv label large len
length library list load local locked logged login logout low luna lunanet management manufacturer
matched matching max mechanism memory min missing mode model modifiable modulus must name net never new
node none normal not number numbers oaep object objects officer one open opened option options over owned
pad parameter params partition pass password path pbe pem pin pkcs present prime private public query
quit random range raw read registered remove report required reset return returned rng role rsa safenet
saved script sdk search security seed select sensitive serial server servers session sessions set setting
sha sha1 sha224 sha256 sha384 sha512 shared should show sign signature simple simulation single size slot
slots so stands start state status stored string subject success successful symmetric system template
test that the this time token total true trusted type unextractable unknown unwrap unwrapped usage use
user users util utility valid value verify version view virtual vtl wait was which with wrap wrapped
wrapping write written yes you your zero
error2string exportprivatekey exportpubkey exsymkey findkey findsinglekey gendsakeypair
genecckeypair generatekeypair genrsakeypair gensymkey getattribute gethsminfo getkeyinfo importprivatekey
importpubkey imsymkey listattributes listusers loginhsm loginstatus logouthsm setattribute singlecmd
unwrapkey wrapkey listslots listservers publickey privatekey secretkey publicexponent modulusbits
username role coverage full quorum owners reference rsa oaep mgf mgf1 pair asymmetric hash function encoding matched
returned interactive vendor marvell family nitrox vendors starting items verbose crypto shared modulus
deletekey lunasa startdate enddate neverextractable alwayssensitive valuelen inputfile pubkey
"""
_WORDS = frozenset(_TOOLS_OWN.split())
_NAMES = re.compile(r"(?:cfm\d|ck[adfkmrosz]_|obj_attr_)\w*|0x[0-9a-f]{1,8}|v?\d+[a-z]?", re.ASCII)
_WORD = re.compile(r"[^\W_]+")
_LONG_NUMBER = 6
_SHORT = 3


def is_distinctive(token: str) -> bool:
    """Whether a token can only be a site's own, so that it is one wherever it stands.

    A label or user that the tools could say themselves (`token`, `Wrap key`, `0x00`), and a number that could
    be anything, is one only where labels, users or handles stand.
    """
    if token.isdecimal():
        return len(token) >= _LONG_NUMBER and token.lstrip("0") != "10001"  # RSA's exponent 65537
    if len(token) < _SHORT or _NAMES.fullmatch(token.lower()):
        return False
    return any(len(word) >= _SHORT and not _is_tools_own(word) for word in _WORD.findall(token.lower()))


def _is_tools_own(word: str) -> bool:
    return word in _WORDS or bool(_NAMES.fullmatch(word))
