"""A campaign from its registration to its decisions, every step in the ledger before the next begins.

Guarantees
----------
- Nothing is computed before the plan is registered; a changed gate file, market or code stops it.
- Documents are registered before they are tried; killed at any moment, the campaign goes on where it was: no
  trial is lost, repeated or uncounted.
- The holdout is opened only for finalists that passed everything before it, and only once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from research.campaign.evidence import EngineCheck, LookaheadCheck, no_engine
from research.campaign.judge import (
    ORDER,
    Bench,
    Finalist,
    choose_finalists,
    entry_gates,
    judge_before_holdout,
    judge_holdout,
)
from research.campaign.plan import CampaignPlan
from research.campaign.store import CampaignFolder
from research.dsl import Document, parse_document
from research.executors import Executor, SerialExecutor
from research.gates.lookahead import lookahead_gate
from research.gates.search import SearchStatistics, search_statistics
from research.generators import Feedback, GenerationContext, Generator, Sourced
from research.ledger import Kind, Ledger
from research.ledger.errors import CampaignChanged
from research.standards.outcome import GateResult
from research.statistics.sharpe import Floats
from research.trials.sizing import r_in_exit_order
from research.trials.trial import Laboratory, Trial, try_batch

BATCH = 10  # candidates a task: so few that no process waits long for another at the end of a round

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a finalist."""

    document: Document
    trial: Trial
    gates: tuple[GateResult, ...]

    @property
    def survived(self) -> bool:
        """Tell whether every gate passed."""
        return {gate.gate for gate in self.gates} >= set(ORDER) and all(g.passed for g in self.gates)

    @property
    def killed_by(self) -> tuple[GateResult, ...]:
        """Return the gates that failed, without those that only were not run."""
        return tuple(g for g in self.gates if not g.passed and g.status.value == "failed")


@dataclass(frozen=True, slots=True)
class CampaignResult:
    """What a campaign found."""

    plan: CampaignPlan
    documents: tuple[Document, ...]
    trials: tuple[Trial, ...]
    entries: tuple[tuple[GateResult, ...], ...]  # G0 and G2 of each trial
    verdicts: tuple[Verdict, ...]

    @property
    def survivors(self) -> tuple[Verdict, ...]:
        """Return the finalists that passed every gate."""
        return tuple(verdict for verdict in self.verdicts if verdict.survived)


@dataclass
class Campaign:
    """One campaign and everything it works with."""

    plan: CampaignPlan
    laboratory: Laboratory
    generator: Generator
    ledger: Ledger
    folder: CampaignFolder
    executor: Executor = field(default_factory=SerialExecutor)
    champions: Mapping[str, Floats] = field(default_factory=dict)
    portfolio_drawdown: float | None = None
    lookahead: LookaheadCheck = lookahead_gate
    engine: EngineCheck = no_engine
    report: Report | None = None

    def run(self) -> CampaignResult:
        """Run to the end, or on from where an earlier run of it ended."""
        with self.folder.running():
            self.register()
            documents: list[Document] = []
            trials: list[Trial] = []
            for number in range(self.plan.rounds):
                proposed = self._propose(number, documents, trials)
                trials += self._try_all(proposed, len(documents))
                documents += proposed
            return self._judge(documents, trials)

    # registration

    def register(self) -> None:
        """Write the plan into the ledger, or compare it with what stands there.

        Raises
        ------
        CampaignChanged
            The campaign was registered with another gate file, market, code or setting.
        """
        opened = next(self.ledger.of(self.plan.id, Kind.CAMPAIGN_OPENED), None)
        if opened is None:
            self.ledger.append(Kind.CAMPAIGN_OPENED, self.plan.id, self.plan.model_dump(mode="json"))
        else:
            self.plan.check_unchanged(registered_plan(opened.body))

    # candidates

    def _propose(self, number: int, before: Sequence[Document], trials: Sequence[Trial]) -> list[Document]:
        """Return the documents of a round: those that were registered for it, else new ones."""
        rounds = list(self.ledger.of(self.plan.id, Kind.CANDIDATES))
        if number < len(rounds):
            return [parse_document(text) for text in rounds[number].body["documents"]]
        market = self.laboratory.market
        frames = [frame for minutes in market.timeframes for frame in market.frames(minutes)]
        context = GenerationContext(
            timeframes=tuple(_NAMES[minutes] for minutes in self.plan.timeframes),
            has_funding=any(len(frame.settled.ts_event) > 0 for frame in frames),
            has_basis=any(bool((frame.basis == frame.basis).any()) for frame in frames),
            seen=frozenset(self.earlier()) | {document.document_hash for document in before},
            feedback=tuple(
                Feedback(d, t.sharpe, int(t.figures.get("trades", 0)), t.figures.get("exposure", 0.0), t.note)
                for d, t in zip(before, trials, strict=True)
            ),
        )
        count = min(self.plan.round_size, self.plan.budget - len(before))
        proposed = self.generator.propose(count, self.plan.seed * 1009 + number, context)[:count]
        body: dict[str, object] = {
            "round": number,
            "document_hashes": [document.document_hash for document in proposed],
            "documents": [document.canonical_json() for document in proposed],
        }
        told = self.generator.provenance() if isinstance(self.generator, Sourced) else {}
        self.ledger.append(Kind.CANDIDATES, self.plan.id, body | ({"provenance": told} if told else {}))
        return proposed

    def earlier(self) -> set[str]:
        """Return the hashes that other campaigns registered before this one opened."""
        opened = next(self.ledger.of(self.plan.id, Kind.CAMPAIGN_OPENED)).index
        return {
            name
            for record in self.ledger.of(None, Kind.CANDIDATES)
            if record.index < opened and record.campaign != self.plan.id
            for name in record.body["document_hashes"]
        }

    # trials

    def _try_all(self, documents: Sequence[Document], done: int) -> list[Trial]:
        recorded = {r.body["document_hash"]: r.body for r in self.ledger.of(self.plan.id, Kind.TRIAL)}
        found: dict[str, Trial] = {}
        lost: list[Document] = []  # recorded, but the returns on disk are gone or changed
        fresh: list[Document] = []
        for document in documents:
            body = recorded.get(document.document_hash)
            kept = self.folder.load(document.document_hash, dict(body)) if body else None
            if kept is not None:
                found[document.document_hash] = kept
            else:
                (lost if body else fresh).append(document)
        for trial in self._work(lost, done + len(found)):
            _same(trial, recorded[trial.document_hash])
            self.folder.save(trial)
            found[trial.document_hash] = trial
        for trial in self._work(fresh, done + len(found), record=True):
            found[trial.document_hash] = trial
        return [found[document.document_hash] for document in documents]

    def _work(self, documents: Sequence[Document], done: int, *, record: bool = False) -> list[Trial]:
        batches = [documents[i : i + BATCH] for i in range(0, len(documents), BATCH)]
        found: list[Trial] = []
        for batch in self.executor.run(try_batch, self.laboratory, batches) if batches else ():
            if record:
                for trial in batch:
                    self.folder.save(trial)
                self.ledger.append_all([(Kind.TRIAL, self.plan.id, trial.to_body()) for trial in batch])
            found += batch
            if self.report is not None:
                self.report("candidates", done + len(found), self.plan.budget)
        return found

    # verdicts

    def _judge(self, documents: Sequence[Document], trials: Sequence[Trial]) -> CampaignResult:
        earlier = self.earlier()
        candidates = [
            Finalist(
                document,
                trial,
                entry_gates(
                    document,
                    trial,
                    self.laboratory,
                    is_new=document.document_hash not in earlier,
                    portfolio_drawdown=self.portfolio_drawdown,
                ),
            )
            for document, trial in zip(documents, trials, strict=True)
        ]
        finalists = choose_finalists(candidates, self.laboratory)
        bench = self.bench(
            search_statistics(trials, self.trial_count(), self.laboratory.spec, self.plan.seed)
        )
        gates = self._before_holdout(bench, finalists)
        gates = self._holdout(bench, finalists, gates)
        verdicts = tuple(
            Verdict(one.document, one.trial, tuple(sorted(found, key=lambda gate: gate.gate)))
            for one, found in zip(finalists, gates, strict=True)
        )
        result = CampaignResult(
            self.plan, tuple(documents), tuple(trials), tuple(one.entry for one in candidates), verdicts
        )
        self._close(result)
        return result

    def bench(self, search: SearchStatistics) -> Bench:
        """Return what its finalists are judged with."""
        return Bench(
            laboratory=self.laboratory,
            search=search,
            champions=self.champions,
            seed=self.plan.seed,
            tuned=self.plan.tuned,
            lookahead=self.lookahead,
            engine=self.engine,
        )

    def trial_count(self) -> int:
        """Return N as it was when the first finalist was judged."""
        first = next(self.ledger.of(self.plan.id, Kind.GATE), None)
        return self.ledger.trial_count(self.plan.instruments, first.index if first else None)

    def _before_holdout(self, bench: Bench, finalists: Sequence[Finalist]) -> list[list[GateResult]]:
        recorded = self._recorded_gates()
        missing = [one for one in finalists if one.document.document_hash not in recorded]
        for number, (one, judged) in enumerate(
            zip(missing, self.executor.run(judge_before_holdout, bench, missing), strict=True)
            if missing
            else ()
        ):
            name = one.document.document_hash
            gates = [*one.entry, *judged]
            self.ledger.append_all(
                [(Kind.GATE, self.plan.id, {"document_hash": name} | gate.to_body()) for gate in gates]
            )
            recorded[name] = gates
            if self.report is not None:
                self.report("gates of finalists", number + 1, len(missing))
        return [recorded[one.document.document_hash] for one in finalists]

    def _holdout(
        self, bench: Bench, finalists: Sequence[Finalist], gates: list[list[GateResult]]
    ) -> list[list[GateResult]]:
        """Open the holdout for those that passed everything and judge them on it."""
        alive = [i for i, found in enumerate(gates) if all(g.passed for g in found if g.gate != "G8")]
        if alive:
            self.ledger.open_holdout(
                self.plan.id,
                self.plan.instruments,
                self.laboratory.windows.holdout.start_ns,
                self.laboratory.windows.holdout.end_ns,
                [finalists[i].document.document_hash for i in alive],
            )
        for i, (one, found) in enumerate(zip(finalists, gates, strict=True)):
            if any(gate.gate == "G8" for gate in found):
                continue  # recorded by the run that was interrupted
            if i in alive:
                route = next(gate for gate in found if gate.gate == "G5").value("route")
                last = judge_holdout(bench, one, route)
            else:
                failed = ", ".join(gate.gate for gate in found if not gate.passed)
                last = GateResult.not_run("G8", f"{failed} failed: the holdout stays closed to it")
            self.ledger.append(
                Kind.GATE, self.plan.id, {"document_hash": one.document.document_hash} | last.to_body()
            )
            found.append(last)
        return gates

    def _recorded_gates(self) -> dict[str, list[GateResult]]:
        found: dict[str, list[GateResult]] = {}
        for record in self.ledger.of(self.plan.id, Kind.GATE):
            found.setdefault(record.body["document_hash"], []).append(GateResult.from_body(record.body))
        return found

    def _close(self, result: CampaignResult) -> None:
        if next(self.ledger.of(self.plan.id, Kind.CAMPAIGN_CLOSED), None) is not None:
            return
        entries: list[tuple[Kind, str, Mapping[str, object]]] = [
            (
                Kind.DECISION,
                self.plan.id,
                {
                    "document_hash": verdict.document.document_hash,
                    "document": verdict.document.canonical_json(),
                    "survived": verdict.survived,
                    "killed_by": [gate.gate for gate in verdict.killed_by],
                    "expected_r": self._expected(verdict),
                },
            )
            for verdict in result.verdicts
        ]
        survivors = [verdict.document.document_hash for verdict in result.survivors]
        closing = {"trials": len(result.trials), "survivors": survivors}
        self.ledger.append_all([*entries, (Kind.CAMPAIGN_CLOSED, self.plan.id, closing)])

    def _expected(self, verdict: Verdict) -> list[float]:
        """Return a survivor's results in R: what shadow and canary are held against."""
        if not verdict.survived:
            return []
        span = self.laboratory.windows.research
        return r_in_exit_order(self.laboratory.screen([verdict.document], span)[0].trades).tolist()  # type: ignore[no-any-return]


_NAMES = {5: "5m", 15: "15m", 60: "1h", 240: "4h"}


def registered_plan(body: Mapping[str, object]) -> CampaignPlan:
    """Return the plan of a line of the ledger."""
    lists = {"instruments", "timeframes"}
    return CampaignPlan.model_validate(
        {key: tuple(value) if key in lists else value for key, value in body.items()}  # type: ignore[arg-type]
    )


def _same(trial: Trial, body: Mapping[str, object]) -> None:
    if trial.returns_sha256 != body["returns_sha256"]:
        raise CampaignChanged(
            f"trial {trial.document_hash[:12]} does not come out as it was recorded",
            found=trial.returns_sha256,
            expected=str(body["returns_sha256"]),
            remedy="the data or the code changed: crupto research verify says which",
        )
