from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from keyferry.errors import CheckFailedError
from keyferry.planning import rules
from keyferry.planning.key_list import TargetSpec
from keyferry.text import counted, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyferry.pkcs11 import Kcv, SourceHandle
    from keyferry.planning.rules import EvaluationOptions, Verdict
    from keyferry.tools.endpoints import DestinationKey, SourceKey


@dataclass(frozen=True, slots=True)
class PlannedKey:
    """One key with its verdict (None: it crosses) and what it shall be called on the destination.

    id_given: the source has no CKA_ID, so the run gives the new key one of its own. known_as: the handle by
    which the plan and the record know the key, where it is another than in this session (HA: a handle is good
    in one process only). want: what a file says of it.
    """

    key: SourceKey
    verdict: Verdict | None
    new_label: str
    new_id: str
    id_given: bool
    kcv: Kcv | None = None
    known_as: SourceHandle | None = None
    want: TargetSpec = field(default_factory=TargetSpec)

    @property
    def handle(self) -> SourceHandle:
        """By which the record knows the key."""
        return self.key.handle if self.known_as is None else self.known_as

    @property
    def state(self) -> str:
        """`planned`, or how it ended already."""
        if self.verdict is None:
            return "planned"
        return "failed" if self.verdict.failed else "skipped"

    def json(self) -> dict[str, object]:
        """As in `keyferry.run/2`, before anything is done."""
        key, stays = self.key, self.verdict is not None
        return {
            "source_handle": self.handle,
            "label": key.label.encode("utf-8", "replace").decode(),
            "new_label": None if stays else self.new_label,
            "id": (key.id_shown or None) if stays else self.new_id,
            "type": key.type,
            "bits": key.bits,
            "state": self.state,
            "rule": self.verdict.rule if self.verdict else None,
            "detail": self.verdict.detail if self.verdict else None,
            "proof": None,
            "kcv": self.kcv,
            "destination_handle": None,
        }

    @property
    def name(self) -> str:
        """How a person recognises the key."""
        return printable(self.key.label) or f"(handle {self.handle})"


class Judge:
    """Gives every key its verdict before anything is changed."""

    def __init__(  # noqa: PLR0917 - what a verdict depends on
        self,
        wish: EvaluationOptions,
        run_id: str,
        can_type: Callable[[str], bool],
        there: Sequence[DestinationKey],
        check_value: Callable[[SourceKey], Kcv | None],
        longest_label: int | None = None,
    ) -> None:
        self._wish = wish
        self._run_id = run_id
        self._can_type = can_type
        self._there = there
        self._check_value = check_value
        self._longest_label = longest_label

    def judge(self, key: SourceKey, want: TargetSpec | None = None, known_as: SourceHandle | None = None) -> PlannedKey:
        """known_as: the handle that a plan has for the key, of which new names are made."""
        want = want or TargetSpec()
        named = self._named(key if known_as is None else replace(key, handle=known_as), want)
        planned = replace(named, key=key, known_as=known_as, want=want)
        verdict = self._can_leave(key) or self._can_be_named(planned)
        if verdict is None:
            # A check value costs an encryption, so only keys that may cross are asked for one.
            planned = replace(planned, kcv=self._check_value(key))
            verdict = self._may_enter(planned)
        return replace(planned, verdict=verdict)

    def _can_leave(self, key: SourceKey) -> Verdict | None:
        return (
            rules.key_class(key)
            or rules.object_readable(key)
            or rules.key_type(key)
            or rules.key_extractable(key)
            or rules.fits_oaep(key, self._wish)
        )

    def _can_be_named(self, planned: PlannedKey) -> Verdict | None:
        wish, key = self._wish, planned.key
        given_label, given_id = wish.relabel or planned.want.label, wish.reid or planned.want.id
        label = None if given_label else rules.label_typeable(key, self._can_type, self._label_for(key))
        return label or (None if given_id else rules.id_typeable(key, self._can_type, self._id_for(key)))

    def _may_enter(self, planned: PlannedKey) -> Verdict | None:
        there = None if self._wish.again else rules.already_there(planned.new_label, planned.kcv, self._there)
        return there or rules.has_check_value(planned.kcv, self._wish)

    def _named(self, key: SourceKey, want: TargetSpec) -> PlannedKey:
        label = want.label or (key.label if self._can_type(key.label) else self._label_for(key))
        if want.id:
            return PlannedKey(key, None, label, want.id, id_given=False)
        if key.id_shown == "":
            return PlannedKey(key, None, label, f"kf-{self._run_id}-{key.handle}", id_given=True)
        typeable = key.id is not None and self._can_type(key.id)
        return PlannedKey(key, None, label, key.id or "" if typeable else self._id_for(key), id_given=False)

    def _label_for(self, key: SourceKey) -> str:
        """A label that can be typed; the handle keeps it from being another key's."""
        end = f"-{key.handle}"
        plain = self._plain(key.label).strip("_")[: self._longest_label and self._longest_label - len(end)]
        return plain + end if plain and self._can_type(plain + end) else f"key{end}"

    def _id_for(self, key: SourceKey) -> str:
        plain = self._plain(key.id_shown)
        return plain if self._can_type(plain) else f"id-{key.handle}"

    def _plain(self, text: str) -> str:
        """The text with `_` for each run of what cannot be typed."""
        return re.sub("_+(?=_)", "", "".join(char if self._can_type(f"x{char}") else "_" for char in text))


def reject_named(planned: Sequence[PlannedKey], wanted: Sequence[str]) -> None:
    """A key that was named and cannot cross ends the command before anything is changed."""
    for one in planned if wanted else ():
        if one.verdict is not None:
            raise CheckFailedError(
                f"key {one.key.handle} ({one.name}) cannot be migrated: {one.verdict.detail}",
                rule=one.verdict.rule,
                step="5.1",
                keys="nothing was changed on either side",
            )


def reject_too_many(planned: Sequence[PlannedKey], room: int | None) -> None:
    """DESTINATION-QUOTA: the cluster can hold the keys that cross, and the wrapping pair."""
    needed = sum(one.verdict is None for one in planned)
    if needed and room is not None and room < needed + 2:
        raise CheckFailedError(
            f"the cluster has room for {counted(max(0, room), 'key')} more by its quota;"
            f" {needed} and a wrapping pair are to come",
            rule="DESTINATION-QUOTA",
            step="5.1",
            keys="nothing was changed on either side",
            hint="delete what is not needed there, or carry fewer keys with --key",
        )
