"""PLAN-APPROVED: somebody other than the operator signed exactly this plan."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError
from keyferry.pkcs11 import Sha256, account
from keyferry.run import ssh_signatures

if TYPE_CHECKING:
    from keyferry.run.directory import RunDirectory
    from keyferry.run.ssh_signatures import Signer

FILE = "plan.json.sig"


@dataclass(frozen=True, slots=True)
class Approval:
    """A valid signature over a plan; operator: who the run says is not the signer."""

    signer: Signer
    operator: str
    signature: bytes
    plan: Sha256

    def record(self, directory: RunDirectory) -> None:
        """Keep the signature beside the run's plan, and say in the journal whose it is."""
        directory.write(FILE, self.signature)
        directory.journal.write(
            "approval",
            principal=self.signer.principal,
            key=self.signer.fingerprint,
            operator=self.operator,
            namespace=ssh_signatures.NAMESPACE,
            plan=self.plan,
            signature=hashlib.sha256(self.signature).hexdigest(),
        )


def approval(plan: bytes, signature: Path, allowed: Path, operator: str) -> Approval:
    """CheckFailedError unless the list allows the signature's key, and not to the operator.

    operator: a principal of the list, or "" for the name of this process' account. A key that the list gives
    to the operator, under whatever other names it stands there besides, is the operator's.
    """
    operator = operator or account()
    try:
        data = signature.read_bytes()
    except OSError as error:
        raise _refused(f"{signature}: {error.strerror}") from error
    with tempfile.TemporaryDirectory(prefix="keyferry-") as folder:
        copy = Path(folder) / FILE  # what is checked is what is kept, whoever writes to the file meanwhile
        copy.write_bytes(data)
        if ssh_signatures.signed_by(operator, plan, copy, allowed):
            raise _refused(f"the plan is signed by {operator}, who is the operator")
        found = ssh_signatures.signer(plan, copy, allowed)
    if found is None:
        raise _refused(f"{signature} is no signature of this plan by anybody in {allowed}")
    if _same_person(found.principal, operator):
        raise _refused(f"the plan is signed by {found.principal}, and the operator is {operator}")
    return Approval(found, operator, data, Sha256(hashlib.sha256(plan).hexdigest()))


def _same_person(principal: str, operator: str) -> bool:
    """Letters' case aside; an operator without a domain is also NAME@anywhere."""
    principal, operator = principal.casefold(), operator.casefold()
    return operator in (principal, principal.partition("@")[0])


def _refused(what: str) -> CheckFailedError:
    return CheckFailedError(
        what,
        rule="PLAN-APPROVED",
        keys="nothing was started",
        hint=f"another person signs: ssh-keygen -Y sign -n {ssh_signatures.NAMESPACE} -f THEIR-KEY PLAN",
    )
