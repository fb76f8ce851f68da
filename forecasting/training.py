"""Members fitted to a panel by plan, documents made of them, and the ensemble that weighs them.

Heavy members are fitted on the window without its held-back end; their state then runs through it,
so that forecasts made on the way are out of sample although only one fit was paid for. A refit
that fails, or gives no finite forecast, is searched anew in the same call. A member whose fit
failed goes on with its earlier document. Every fit has an outcome; none is an exception.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from forecasting import fitting, stacks
from forecasting.config import LIGHT
from forecasting.documents import Document, GridFacts, document_id, dumps, hour_text
from forecasting.fitting import FitWindow, Found
from forecasting.grid import data_hash
from forecasting.kernels.search import Fits
from forecasting.native import NATIVE, Row, Rows
from forecasting.panel import Panel
from forecasting.policy import NO_EARLIER, REFIT, SEARCH, MadeBy, Plan, searched_at
from forecasting.provenance import Provenance
from forecasting.stacks import Stack
from forecasting.types import FitRefused, Values
from forecasting.weighing import weigh_panel
from forecasting.workers import FAILED, FITTED, TOO_LITTLE_DATA, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one plan. `document` is what the fit made.

    `made_by` is what was done in the end: a refit may have become a search. `cpu_seconds` is the
    series' share of the batch.
    """

    status: Status
    reason: str
    made_by: MadeBy
    document: Document | None
    cpu_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedSeries:
    """One series: outcomes by planned member, the documents that it goes on with, their ensemble.

    `members` are new and given documents, and earlier ones that stand in for failed fits.
    `ensemble` is None for the `reason` given.
    """

    outcomes: dict[str, Outcome]
    members: dict[str, Document]
    ensemble: Document | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What all documents of a chunk share, by series where it is a list."""

    window: FitWindow
    missing: list[int]
    provenance: list[Values]


@dataclass(slots=True, kw_only=True)
class _Work:
    """One member's plans on their way to outcomes, by series; `notes` say why it is searched.

    `ended` are status, reason, what was done, and the document.
    """

    member: str
    plans: Mapping[int, Plan]
    ended: dict[int, tuple[Status, str, MadeBy, Document | None]] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    stacks: list[Stack] = field(default_factory=list)
    warm: dict[int, Row] = field(default_factory=dict)
    notes: dict[int, str] = field(default_factory=dict)


def train_panel(panel: Panel, plans: Sequence[Mapping[str, Plan]], *,
                given: Sequence[Mapping[str, Document]], absent: Sequence[Mapping[str, str]],
                provenance: Provenance, threads: int = 1) -> list[TrainedSeries]:
    """Train the panel's series, one mapping each by member name.

    `plans` are of members to fit here with the native engine; `given` are documents fitted
    elsewhere; `absent` the reasons of members that are neither. The result depends neither on
    `threads` nor on the order or company of the series.
    """
    known = provenance.told(panel.config)

    def chunk(rows: slice) -> list[TrainedSeries]:
        return _train_chunk(panel.part(rows), plans[rows], given[rows], absent[rows], known,
                            provenance)

    return [each for part in panel.chunked(chunk, threads) for each in part]


def _train_chunk(panel: Panel, plans: Sequence[Mapping[str, Plan]],
                 given: Sequence[Mapping[str, Document]], absent: Sequence[Mapping[str, str]],
                 known: Values, provenance: Provenance) -> list[TrainedSeries]:
    facts = _Facts(window=fitting.fit_window(panel), missing=np.isnan(panel.y).sum(axis=1).tolist(),
                   provenance=[{**known, "data_hash": data_hash(y)} for y in panel.y])
    works = [_trained(member, plans, facts) for member in panel.config.members]
    outcomes = [{work.member: work.outcomes[s] for work in works if s in work.outcomes}
                for s in range(panel.series)]
    others = [{**dict(given[s]), **_stand_ins(plans[s], outcomes[s])} for s in range(panel.series)]
    members = [{**others[s], **_made(outcomes[s])} for s in range(panel.series)]
    reasons = [_reasons(outcomes[s], members[s], absent[s]) for s in range(panel.series)]
    ensembles = _weighed(panel, works, others, reasons, members, provenance)
    return [TrainedSeries(
        outcomes=outcomes[s], members=members[s], ensemble=ensembles.get(s),
        reason="" if s in ensembles else _nobody(facts.window.empty.get(s), reasons[s]))
        for s in range(panel.series)]


def _trained(member: str, plans: Sequence[Mapping[str, Plan]], facts: _Facts) -> _Work:
    """Every plan of one member carried out, its share of the time in the outcomes."""
    began = time.thread_time()
    work = _Work(member=member,
                 plans={s: each[member] for s, each in enumerate(plans) if member in each})
    _sort(work, facts.window.refused(member) if work.plans else {})
    if work.warm:
        index, rows = np.array(list(work.warm)), list(work.warm.values())
        found = fitting.refit(facts.window, member, index, NATIVE[member].stack(rows))
        _enter(work, facts, found, REFIT)
    if work.notes:
        _enter(work, facts, fitting.search(facts.window, member, np.array(sorted(work.notes))),
               SEARCH)
    share = (time.thread_time() - began) / max(len(work.plans), 1)
    work.outcomes = {s: Outcome(status=status, reason=reason, made_by=made_by, document=document,
                                cpu_seconds=share)
                     for s, (status, reason, made_by, document) in work.ended.items()}
    return work


def _sort(work: _Work, refused: Mapping[int, str]) -> None:
    """Refusals become outcomes, the others go to refit or search."""
    for s, plan in work.plans.items():
        if s in refused:
            work.ended[s] = TOO_LITTLE_DATA, refused[s], plan.made_by, None
        elif plan.made_by == SEARCH or plan.document is None or work.member in LIGHT:
            work.notes[s] = "" if plan.why == NO_EARLIER else plan.why
        else:
            try:
                work.warm[s] = NATIVE[work.member].to_row(plan.document)
            except FitRefused as refusal:
                work.notes[s] = f"no refit: {refusal}; structure searched"


def _enter(work: _Work, facts: _Facts, found: Found, made_by: MadeBy) -> None:
    """Documents of usable fits; refits that are none are noted for a search, searches are final."""
    good = [i for i, why in enumerate(found.reasons) if not why]
    for i, s in enumerate(found.index.tolist()):
        why, plan = found.reasons[i], work.plans[s]
        if not why:
            made = plan.made_by if work.member in LIGHT else made_by
            document = _document(work.member, facts, found, i, plan, made)
            work.ended[s] = FITTED, work.notes.get(s, ""), made, document
        elif made_by == REFIT:
            work.notes[s] = f"refit failed: {why}; structure searched"
        else:
            status = FAILED if found.broken[i] else TOO_LITTLE_DATA
            work.ended[s] = status, _with_stand_in(why, status, plan), SEARCH, None
    if good:
        rows = stacks.picked(Rows(*found.fits[:3]), np.array(good))
        work.stacks.append(Stack(member=work.member, index=found.index[good], at=found.at[good],
                                 rows=rows, slow={}))


def _document(member: str, facts: _Facts, found: Found, i: int, plan: Plan,
              made_by: MadeBy) -> Document:
    """The document of row `i`: fitted state, and the state at the end of the window."""
    native, panel, s = NATIVE[member], facts.window.panel, int(found.index[i])
    fits = found.fits
    one = slice(i, i + 1)              # the rest of the batch need not be looked at for a row
    fitted = native.to_model(Fits(
        fits.structures[one], fits.params[one], fits.states[one], fits.sigma2[one],
        fits.figures[one], fits.status[one]), 0)
    state = native.to_state((fits.structures[i], fits.params[i], found.ends[i]))
    return Document(
        member=member, engine="native", structure=fitted.structure, parameters=fitted.parameters,
        state=state, fitted_state=fitted.state if native.heavy else None,
        sigma2=float(found.fits.sigma2[i]),
        grid=GridFacts(season=panel.config.seasons, first=panel.start, n=panel.hours,
                       missing=facts.missing[s], holdback=panel.hours - int(found.at[i])),
        figures={"iterations": None, **_origin(member, panel, plan, made_by), **fitted.figures},
        provenance=facts.provenance[s])


def _origin(member: str, panel: Panel, plan: Plan, made_by: MadeBy) -> Values:
    """How a document came about: its `made_by`, when the structure was searched, its parent."""
    if member in LIGHT:
        return {"made_by": made_by, "warm_start_from": None}
    if made_by == SEARCH or plan.document is None:
        return {"made_by": SEARCH, "warm_start_from": None, "searched_at": hour_text(panel.end)}
    parent = plan.document_id or document_id(dumps(plan.document))
    return {"made_by": made_by, "warm_start_from": parent,
            "searched_at": hour_text(searched_at(plan.document))}


def _weighed(panel: Panel, works: Sequence[_Work], others: Sequence[Mapping[str, Document]],
             reasons: Sequence[Mapping[str, str]], members: Sequence[Mapping[str, Document]],
             provenance: Provenance) -> dict[int, Document]:
    """Ensembles by series, of those with a member and an observed hour."""
    able = np.array([s for s in range(panel.series)
                     if members[s] and not np.isnan(panel.y[s]).all()], dtype=np.int64)
    if not able.size:
        return {}
    models = [stack for work in works for stack in work.stacks]
    for member in panel.config.members:
        older = {s: each[member] for s, each in enumerate(others) if member in each}
        if older:
            models.append(stacks.of_fitted_states(member, older, panel.start))
    some = Panel(start=panel.start, y=panel.y[able], config=panel.config, vital=panel.vital)
    made = weigh_panel(some, [stack.among(able) for stack in models],
                       absent=[reasons[s] for s in able.tolist()], provenance=provenance)
    return dict(zip(able.tolist(), made, strict=True))


def _with_stand_in(why: str, status: Status, plan: Plan) -> str:
    if status != FAILED or plan.document is None:
        return why
    return f"{why}; its document of {plan.document.grid.cutoff:%Y-%m-%d %H:%M} UTC stands in"


def _stand_ins(plans: Mapping[str, Plan], outcomes: Mapping[str, Outcome]) -> dict[str, Document]:
    """Earlier documents that stand in for failed fits."""
    earlier = {name: plans[name].document for name, outcome in outcomes.items()
               if outcome.status == FAILED}
    return {name: document for name, document in earlier.items() if document is not None}


def _made(outcomes: Mapping[str, Outcome]) -> dict[str, Document]:
    return {name: outcome.document for name, outcome in outcomes.items()
            if outcome.document is not None}


def _reasons(outcomes: Mapping[str, Outcome], members: Mapping[str, Document],
             absent: Mapping[str, str]) -> dict[str, str]:
    """Why the series' ensemble lacks a member."""
    return {**absent, **{name: f"{outcome.status}: {outcome.reason}"
                         for name, outcome in outcomes.items() if name not in members}}


def _nobody(empty: str | None, reasons: Mapping[str, str]) -> str:
    return empty or "no member could be fitted: " + "; ".join(
        f"{name}: {why}" for name, why in sorted(reasons.items()))
