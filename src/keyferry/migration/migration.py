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
from keyferry.migration.pipeline import Pipeline, canary, opened, require_stable_handles
from keyferry.migration.recovery import Reconciler, UnclaimedKeys, matched_again, recalled
from keyferry.migration.results import KeyResult, RunResult, announce, balance
from keyferry.migration.transfer import KeyTransfer
from keyferry.migration.wrapping_key import Wrapping
from keyferry.planning import match
from keyferry.planning import plan as planfile
from keyferry.planning.advisories import names, notices
from keyferry.planning.evaluate import Judge, PlannedKey, reject_named, reject_too_many
from keyferry.planning.job import DOCUMENTED_LABEL
from keyferry.planning.plan import Plan
from keyferry.planning.selection import reject_untypeable, select
from keyferry.run.journal import now
from keyferry.run.rehearsal import is_rehearsal
from keyferry.run.state import PLAN, WRONG_VALUE, PairStage
from keyferry.text import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence, Sized

    from keyferry.migration.endpoints import Endpoints
    from keyferry.migration.signals import Interrupts
    from keyferry.migration.wrapping_key import WrappingKey
    from keyferry.pkcs11 import DestinationHandle
    from keyferry.planning.job import MigrationJob
    from keyferry.planning.key_list import TargetSpec
    from keyferry.run.directory import RunDirectory
    from keyferry.run.state import RunState
    from keyferry.tools.endpoints import DestinationKey, SourceKey


class Migration:
    """One run. `result` is true at every moment, also after an error."""

    def __init__(
        self,
        endpoints: Endpoints,
        directory: RunDirectory,
        order: MigrationJob,
        interrupts: Interrupts,
        past: RunState | None = None,
    ) -> None:
        """past: what earlier processes of this run came to."""
        self._endpoints = endpoints
        self._directory = directory
        label = order.wrapping.label or f"{DOCUMENTED_LABEL}_{directory.run_id}"
        self._order = replace(order, wrapping=replace(order.wrapping, label=label))
        self._interrupts = interrupts
        self._past = past
        self._members = Members(directory.journal, endpoints.bus, past.hsms if past else None)
        self.result = RunResult(directory.path)
        self._changing = False
        limit = endpoints.limits.answer
        self._in_flight = InFlight(lambda: endpoints.destination_host, limit, interrupts, self._notice)

    def run(self) -> RunResult:
        """Do it all; an error ends up in the result, with where its record lies."""
        try:
            self._work()
        except KeyferryError as error:
            error.redact(self._endpoints.sessions.redact)
            error.fill(record=str(self._directory.path), step=self._endpoints.step, keys=self._meaning())
            self.result.error = error
            with contextlib.suppress(RecordFailedError):  # which may be this very error
                self._directory.journal.write(
                    "error", what=error.what, rule=error.rule, step=error.step, seen=error.seen, keys=error.keys
                )
        self._leave()
        return self.result

    def _wants(self) -> list[TargetSpec]:
        planned = self._order.plan.keys if self._order.plan else ()
        return [*(one.want for one in self._order.selection.listed), *(one.want for one in planned)]

    def _work(self) -> None:
        reject_untypeable(self._wants(), self._endpoints.destination, self._order.wrapping.label)
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
        workers = [endpoint for worker in self._endpoints.workers for endpoint in (worker.source, worker.destination)]
        for endpoint in (*self._endpoints.present.values(), *workers):
            with contextlib.suppress(KeyferryError):
                endpoint.close()

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
        self._endpoints.destination.preflight()
        for warning in self._endpoints.destination.probe(self._order.needs):
            self._notice(warning)
        if self._past:
            same_cluster(self._past, self._endpoints.destination.cluster_fingerprints())
        self._step("4.3")
        self._look_at_partition()
        require_stable_handles(self._order.sessions, self._endpoints.source)
        if self._past:
            same_owner(self._past, "source", self._endpoints.source.identity())
        if plan := self._order.plan:
            match.same_endpoints(match.partition(plan.source), self._endpoints.source.identity(), "source")
        self._step("4.4")
        self._endpoints.source.open_session()
        self._step("4.5")
        self._endpoints.source.log_in()
        self._step("1.1")
        self._endpoints.record_process(self._endpoints.destination)
        self._endpoints.destination.log_in()
        if plan:
            match.same_endpoints(plan.destination, self._endpoints.destination.identity(), "destination")
        self._write_parties()

    def _write_parties(self) -> None:
        destination = self._endpoints.destination
        self._directory.journal.write(
            "endpoints",
            **self._identities(),
            cluster_fingerprints=list(destination.cluster_fingerprints()),
            not_applicable=dict(destination.not_applicable),
        )

    def _look_at_partition(self) -> None:
        self._endpoints.source.preflight()
        for text in self._endpoints.source.warnings():
            self._notice(text)

    def _identities(self) -> dict[str, Mapping[str, str]]:
        return {
            "source": dict(self._endpoints.source.identity()),
            "destination": dict(self._endpoints.destination.identity()),
        }

    def _judge(self) -> frozenset[DestinationHandle]:
        """5.1: every key has its verdict before anything is changed. Gives the destination's secret keys."""
        self._step("5.1")
        source, destination = self._endpoints.source, self._endpoints.destination
        keys = source.keys()
        before = destination.secret_keys()
        self._directory.journal.write("before", handles=list(before))
        there = [destination.describe(handle) for handle in before]
        planned = self._planned(keys, there)
        self._keep(planned)
        reject_named(planned, self._order.wanted)
        reject_too_many(planned, destination.room())
        return frozenset(before)

    def _planned(self, keys: Sequence[SourceKey], there: Sequence[DestinationKey]) -> list[PlannedKey]:
        source, destination, plan = self._endpoints.source, self._endpoints.destination, self._order.plan
        judge = Judge(
            self._order.wish,
            plan.run_id if plan else self._directory.run_id,
            destination.can_type,
            there,
            source.check_value,
            destination.longest_label,
        )
        if plan:
            planned, unclaimed = match.as_planned(plan, keys, judge, source)
            if unclaimed:
                self._notice(unclaimed)
            return planned
        return [judge.judge(key, want) for key, want in select(keys, self._order.selection)]

    def _recall(self, past: RunState) -> frozenset[DestinationHandle]:
        """What an earlier process of this run planned, and how far each key came. Gives what was there before."""
        plan = planfile.read(self._directory.path / PLAN)
        self.result.keys = recalled(plan.keys, past)
        reject_named(plan.keys, self._order.wanted)
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
        carrier = self._transfer(self.result.wrapping_key, before)
        if self._past and self._past.plan:
            self._reconcile(carrier, results, before, self._past)
            matched_again(self._endpoints.source, carrier, results)
        self._transfer_all(carrier, [result for result in results if result.state == "planned"])

    def _begin_members(self, when: str) -> None:
        verified = [result for result in self.result.keys if result.state == "verified"]
        self._members.begin(self._endpoints.destination, verified, when)

    def _transfer(self, key: WrappingKey, before: frozenset[DestinationHandle]) -> KeyTransfer:
        made = self._past.arrived if self._past else ()
        self._there = AlreadyThere(before, made, again=self._order.wish.again)
        return KeyTransfer(self._endpoints, self._directory, self._order.wish, key, self._there)

    def _wrapping(self) -> Wrapping:
        past = self._past.pair if self._past else None
        return Wrapping(self._endpoints, self._directory, self._order.wrapping, past, self._in_flight)

    def _reconcile(
        self, carrier: KeyTransfer, results: Sequence[KeyResult], before: frozenset[DestinationHandle], past: RunState
    ) -> None:
        unclaimed = UnclaimedKeys(self._endpoints.destination, before | past.arrived)
        Reconciler(carrier, self._directory, unclaimed, self._interrupts, self._in_flight).settle(results)

    def _transfer_all(self, carrier: KeyTransfer, results: Sequence[KeyResult]) -> None:
        carrying = Pipeline(self._interrupts, self._order.max_failures, self._members.after_batch)
        left, verified = deque(results), self.result.totals["verified"] > 0
        while left and not verified:
            carrying.one_by_one(carrier, [first := left.popleft()])
            if first.error is not None:
                raise canary(first.error)
            verified = first.state == "verified"  # one that came meanwhile is skipped: then the next is the first
        if "source" in self._endpoints.present:
            carrying.together(self._transfers(carrier, left), left)
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

    def _transfers(self, first: KeyTransfer, results: Sized) -> list[KeyTransfer]:
        """One for each session on a side: as many as were ordered, where there are keys for them."""
        key = self.result.wrapping_key
        wanted = min(self._order.sessions, len(results))
        if wanted < 2 or key is None:
            return [first]
        wish = self._order.wish
        workers = opened(self._endpoints, wanted, wish.digest, self._interrupts)
        return [first, *(KeyTransfer(self._endpoints, self._directory, wish, key, self._there, one) for one in workers)]

    def _balance(self, before: frozenset[DestinationHandle]) -> None:
        if any(result.state == "planned" for result in self.result.keys):  # the run was told to stop early
            return
        self._members.check(self._endpoints.destination, "at the end")
        arrived = {result.destination_handle for result in self.result.keys if result.destination_handle is not None}
        if self._past:
            arrived |= self._past.arrived
        rejected = {result.destination_handle for result in self.result.keys if result.rule == WRONG_VALUE}
        if self._past:
            rejected |= self._past.rejected
        now = frozenset(self._endpoints.destination.secret_keys())
        balance(self.result, before, now, frozenset(arrived), frozenset(filter(None, rejected)))
        self._end()

    def _end(self) -> None:
        made = self.result.wrapping_key is not None
        self._directory.journal.write("end", totals=self.result.totals, wrapping_key=made)

    def _keep(self, planned: Sequence[PlannedKey]) -> None:
        source = self._endpoints.source
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
        self._endpoints.sessions.spare(*names(result.planned for result in self.result.keys))
        crossing = announce(self._endpoints.bus, self.result.keys)
        if self._past and self._past.plan:  # they were told
            return
        wish = self._order.wrapping
        for text in notices(crossing, wish.bits, extractable=wish.extractable) if crossing else ():
            self._notice(text)

    def _notice(self, text: str) -> None:
        self._directory.journal.write("notice", text=text)
        self._endpoints.bus.tell(Noticed(text))

    def _step(self, number: str) -> None:
        self._interrupts.check()
        steps.start(self._endpoints.bus, number)
