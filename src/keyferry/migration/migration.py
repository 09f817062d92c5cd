"""The procedure from top to bottom: look, judge, make the wrapping key, carry the keys, balance."""

from __future__ import annotations

import contextlib
import hashlib
from collections import deque
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from keyferry import __version__, steps
from keyferry.errors import KeyferryError, RecordFailedError
from keyferry.events import Noticed
from keyferry.migration.already_there import AlreadyThere
from keyferry.migration.identity import same_cluster, same_owner
from keyferry.migration.in_flight import InFlight, open_tools
from keyferry.migration.members import Members
from keyferry.migration.pipeline import Carrying, canary, demand_lasting_handles, opened
from keyferry.migration.recovery import Newcomers, Settling, found_again, recalled
from keyferry.migration.results import KeyResult, RunResult, announce, balance
from keyferry.migration.transfer import Crossing
from keyferry.migration.wrapping_key import Wrapping
from keyferry.planning import match
from keyferry.planning import plan as planfile
from keyferry.planning.advisories import names, notices
from keyferry.planning.evaluate import Judge, PlannedKey, refuse_named, refuse_too_many
from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.planning.plan import Plan
from keyferry.planning.selection import refuse_untypeable, select
from keyferry.run.journal import now
from keyferry.run.rehearsal import is_rehearsal
from keyferry.run.state import PLAN, WRONG_VALUE, PairStage
from keyferry.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

    from keyferry.migration.endpoints import Parties
    from keyferry.migration.signals import Interrupts
    from keyferry.migration.wrapping_key import WrappingKey
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.planning.job import Order
    from keyferry.planning.key_list import Want
    from keyferry.run.directory import RunDirectory
    from keyferry.run.state import RunState
    from keyferry.tools.endpoints import DestinationKey, SourceKey


class Migration:
    """One run. `result` is true at every moment, also after an error."""

    def __init__(
        self,
        parties: Parties,
        directory: RunDirectory,
        order: Order,
        interrupts: Interrupts,
        past: RunState | None = None,
    ) -> None:
        """past: what earlier processes of this run came to."""
        self._parties = parties
        self._directory = directory
        label = order.wrapping.label or f"{DOCUMENTED_LABEL}_{directory.run_id}"
        self._order = replace(order, wrapping=replace(order.wrapping, label=label))
        self._interrupts = interrupts
        self._past = past
        self._members = Members(directory.journal, parties.bus, past.hsms if past else None)
        self.result = RunResult(directory.path)
        self._changing = False
        limit = parties.limits.answer
        self._in_flight = InFlight(lambda: parties.destination_host, limit, interrupts, self._notice)

    def run(self) -> RunResult:
        """Do it all; an error ends up in the result, with where its record lies."""
        try:
            self._work()
        except KeyferryError as error:
            error.redact(self._parties.sessions.redact)
            error.fill(record=str(self._directory.path), step=self._parties.step, keys=self._meaning())
            self.result.error = error
            with contextlib.suppress(RecordFailedError):  # which may be this very error
                self._directory.journal.write(
                    "error", what=error.what, rule=error.rule, step=error.step, seen=error.seen, keys=error.keys
                )
        self._leave()
        return self.result

    def _wants(self) -> list[Want]:
        planned = self._order.plan.keys if self._order.plan else ()
        return [*(one.want for one in self._order.selection.listed), *(one.want for one in planned)]

    def _work(self) -> None:
        refuse_untypeable(self._wants(), self._parties.destination, self._order.wrapping.label)
        self._end_tools()
        self._look()
        before = self._recall(self._past) if self._past and self._past.plan else self._judge()
        if self._order.dry_run:
            self._end()
        else:
            self._carry(before)

    def _end_tools(self) -> None:
        """No tool of an earlier process is at an unwrap or a generation any more, as far as that can be checked."""
        if self._past and (tools := open_tools(self._past)):
            self._in_flight.end_tools(tools)

    def _leave(self) -> None:
        """Leave the tools by their own exits where they still listen; else their sessions linger on the HSMs."""
        lanes = [party for lane in self._parties.lanes for party in (lane.source, lane.destination)]
        for party in (*self._parties.present.values(), *lanes):
            with contextlib.suppress(KeyferryError):
                party.close()

    def _meaning(self) -> str:
        """What an error means for the keys, where the error itself does not know."""
        if not self._changing:
            return "nothing was changed on either side"
        if self.result.wrapping_key is None:
            return "no key was wrapped; a wrapping pair may have been made: the journal says how far it came"
        return "each key's state is in the result; no key of the source was changed"

    def _look(self) -> None:
        """Everything that can be read without a secret is read before the first secret is typed."""
        self._step("0")
        self._parties.destination.look()
        for warning in self._parties.destination.probe(self._order.needs):
            self._notice(warning)
        if self._past:
            same_cluster(self._past, self._parties.destination.marks())
        self._step("4.3")
        self._look_at_partition()
        demand_lasting_handles(self._order.sessions, self._parties.source)
        if self._past:
            same_owner(self._past, "source", self._parties.source.identity())
        if plan := self._order.plan:
            match.same_parties(match.partition(plan.source), self._parties.source.identity(), "source")
        self._step("4.4")
        self._parties.source.open_session()
        self._step("4.5")
        self._parties.source.log_in()
        self._step("1.1")
        self._parties.note_process(self._parties.destination)
        self._parties.destination.log_in()
        if plan:
            match.same_parties(plan.destination, self._parties.destination.identity(), "destination")
        self._write_parties()

    def _write_parties(self) -> None:
        destination = self._parties.destination
        self._directory.journal.write(
            "parties",
            **self._identities(),
            marks=list(destination.marks()),
            not_applicable=dict(destination.not_applicable),
        )

    def _look_at_partition(self) -> None:
        self._parties.source.look()
        for text in self._parties.source.warnings():
            self._notice(text)

    def _identities(self) -> dict[str, Mapping[str, str]]:
        return {
            "source": dict(self._parties.source.identity()),
            "destination": dict(self._parties.destination.identity()),
        }

    def _judge(self) -> frozenset[DestinationHandle]:
        """5.1: every key has its verdict before anything is changed. Gives the destination's secret keys."""
        self._step("5.1")
        source, destination = self._parties.source, self._parties.destination
        keys = source.keys()
        before = destination.secret_keys()
        self._directory.journal.write("before", handles=list(before))
        there = [destination.describe(handle) for handle in before]
        planned = self._planned(keys, there)
        self._keep(planned)
        refuse_named(planned, self._order.wanted)
        refuse_too_many(planned, destination.room())
        return frozenset(before)

    def _planned(self, keys: Sequence[SourceKey], there: Sequence[DestinationKey]) -> list[PlannedKey]:
        source, destination, plan = self._parties.source, self._parties.destination, self._order.plan
        judge = Judge(
            self._order.wish,
            plan.run_id if plan else self._directory.run_id,
            destination.can_type,
            there,
            source.check_value,
            destination.longest_label,
        )
        if plan:
            planned, newcomers = match.as_planned(plan, keys, judge, source)
            if newcomers:
                self._notice(newcomers)
            return planned
        return [judge.judge(key, want) for key, want in select(keys, self._order.selection)]

    def _recall(self, past: RunState) -> frozenset[DestinationHandle]:
        """What an earlier process of this run planned, and how far each key came. Gives what was there before."""
        plan = planfile.read(self._directory.path / PLAN)
        self.result.keys = recalled(plan.keys, past)
        refuse_named(plan.keys, self._order.wanted)
        self._changing = past.pair.stage is not PairStage.NONE
        self._tell()
        return past.before or frozenset()

    def _carry(self, before: frozenset[DestinationHandle]) -> None:
        self._begin_members("before the first wrap")
        crossing = [result for result in self.result.keys if result.state == "planned"]
        if crossing:
            self._cross(crossing, before)
        self._step("end")
        self._balance(before)

    def _cross(self, results: Sequence[KeyResult], before: frozenset[DestinationHandle]) -> None:
        wrapping = self._wrapping()
        if not self._changing:
            wrapping.check_free()
        self._interrupts.check()
        self._changing = True
        self.result.wrapping_key = wrapping.make(self._order.wish.digest)
        carrier = self._carrier(self.result.wrapping_key, before)
        if self._past and self._past.plan:
            self._settle(carrier, results, before, self._past)
            found_again(self._parties.source, carrier, results)
        self._take_across(carrier, [result for result in results if result.state == "planned"])

    def _begin_members(self, when: str) -> None:
        verified = [result for result in self.result.keys if result.state == "verified"]
        self._members.begin(self._parties.destination, verified, when)

    def _carrier(self, key: WrappingKey, before: frozenset[DestinationHandle]) -> Crossing:
        made = self._past.arrived if self._past else ()
        self._there = AlreadyThere(before, made, again=self._order.wish.again)
        return Crossing(self._parties, self._directory, self._order.wish, key, self._there)

    def _wrapping(self) -> Wrapping:
        past = self._past.pair if self._past else None
        return Wrapping(self._parties, self._directory, self._order.wrapping, past, self._in_flight)

    def _settle(
        self, carrier: Crossing, results: Sequence[KeyResult], before: frozenset[DestinationHandle], past: RunState
    ) -> None:
        newcomers = Newcomers(self._parties.destination, before | past.arrived)
        Settling(carrier, self._directory, newcomers, self._interrupts, self._in_flight).settle(results)

    def _take_across(self, carrier: Crossing, results: Sequence[KeyResult]) -> None:
        carrying = Carrying(self._interrupts, self._order.max_failures, self._members.after_batch)
        left, verified = deque(results), self.result.totals["verified"] > 0
        while left and not verified:
            carrying.one_by_one(carrier, [first := left.popleft()])
            if first.error is not None:
                raise canary(first.error)
            verified = first.state == "verified"  # one that came meanwhile is skipped: then the next is the first
        if "source" in self._parties.present:
            carrying.together(self._carriers(carrier, left), left)
        else:
            carrying.one_by_one(carrier, left)
        self._enough(carrying.failures)

    def _enough(self, failures: int) -> bool:
        """Whether as many keys failed as may; then it is told."""
        most = self._order.max_failures
        if enough := most is not None and failures >= most:
            told = f"{counted(failures, 'key')} failed, as many as --max-failures allows"
            self._notice(f"{told}: the others stay planned")
        return enough

    def _carriers(self, first: Crossing, results: Sized) -> list[Crossing]:
        """One for each session on a side: as many as were ordered, where there are keys for them."""
        key = self.result.wrapping_key
        wanted = min(self._order.sessions, len(results))
        if wanted < 2 or key is None:
            return [first]
        wish = self._order.wish
        lanes = opened(self._parties, wanted, wish.digest, self._interrupts)
        return [first, *(Crossing(self._parties, self._directory, wish, key, self._there, lane) for lane in lanes)]

    def _balance(self, before: frozenset[DestinationHandle]) -> None:
        if any(result.state == "planned" for result in self.result.keys):  # the run was told to stop early
            return
        self._members.check(self._parties.destination, "at the end")
        arrived = {result.destination_handle for result in self.result.keys if result.destination_handle is not None}
        if self._past:
            arrived |= self._past.arrived
        rejected = {result.destination_handle for result in self.result.keys if result.rule == WRONG_VALUE}
        if self._past:
            rejected |= self._past.rejected
        now = frozenset(self._parties.destination.secret_keys())
        balance(self.result, before, now, frozenset(arrived), frozenset(filter(None, rejected)))
        self._end()

    def _end(self) -> None:
        made = self.result.wrapping_key is not None
        self._directory.journal.write("end", totals=self.result.totals, wrapping_key=made)

    def _keep(self, planned: Sequence[PlannedKey]) -> None:
        source = self._parties.source
        for one in planned:
            result = KeyResult(one)
            self.result.keys.append(result)
            if one.verdict is not None:
                result.end(one.state, one.verdict.rule, one.verdict.detail)
            self._directory.journal.note(
                "described",
                key=one.handle,
                extractable=one.key.extractable,
                state=result.state,
                rule=result.rule,
                **({"no_check_value": code} if (code := source.no_check_value(one.key.handle)) else {}),
            )
        plan = self._order.plan or self._plan(planned)
        data = plan.canonical()
        self._directory.write(PLAN, data)
        digest = hashlib.sha256(data).hexdigest()
        wish = asdict(self._order.wish)
        self._directory.journal.write("planned", keys=len(planned), sha256=digest, wanted=self._order.wanted, wish=wish)
        self._tell()

    def _plan(self, planned: Sequence[PlannedKey]) -> Plan:
        return Plan(
            run_id=self._directory.run_id,
            keyferry=__version__,
            made=now(),
            selection=self._order.selection,
            settings=self._order.settings,
            **self._identities(),
            keys=tuple(planned),
            rehearsal=is_rehearsal(self._directory.path),
        )

    def _tell(self) -> None:
        self._parties.sessions.spare(*names(result.planned for result in self.result.keys))
        crossing = announce(self._parties.bus, self.result.keys)
        if self._past and self._past.plan:  # they were told
            return
        wish = self._order.wrapping
        for text in notices(crossing, wish.bits, extractable=wish.extractable) if crossing else ():
            self._notice(text)

    def _notice(self, text: str) -> None:
        self._directory.journal.write("notice", text=text)
        self._parties.bus.tell(Noticed(text))

    def _step(self, number: str) -> None:
        self._interrupts.check()
        steps.start(self._parties.bus, number)
