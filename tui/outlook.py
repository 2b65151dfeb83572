"""What a config means before it trains, found out step by step: what is known at once first, then what JAX knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.problems import Problem, ProblemsError

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.data.overview import Overview
    from trainer.data.splits import Summary
    from trainer.plan import Plan
    from trainer.summary import ModelSummary


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known by now; None for what is not.

    Attributes:
        config: what it is about.
        data: counts of its examples.
        overview: what they are like.
        summary: its network.
        plan: its memory and learning rates; for these JAX is needed.
        is_compiling: whether it is being compiled.
        problems: why there is no more to know.
    """

    config: Config
    data: Summary | None = None
    overview: Overview | None = None
    summary: ModelSummary | None = None
    plan: Plan | None = None
    is_compiling: bool = False
    problems: Sequence[Problem] = ()


def outlooks(config: Config, base: Path | None, *, compiles: bool) -> Iterator[Outlook]:
    """Yield what is known of a config, more each time. Takes its time: for a thread.

    Args:
        config: any.
        base: folder that a relative `data.path` starts from; None for the working folder.
        compiles: whether to compile it at last, so that the compiler says what memory it takes.
    """
    latest = Outlook(config)
    try:
        for outlook in _outlooks(config, base, compiles=compiles):
            latest = outlook
            yield outlook
    except ProblemsError as error:
        yield replace(latest, is_compiling=False, problems=error.problems)


def _outlooks(config: Config, base: Path | None, *, compiles: bool) -> Iterator[Outlook]:
    from trainer.data.loading import describe, overview
    from trainer.preparation import misfits, prepare
    from trainer.problems import ConfigError
    from trainer.summary import summarize
    from tui.training_host import load

    if compiles:
        config.data.fetch(base)
    data, fresh = describe(config.data, base), config.renewed()
    known = Outlook(config, data, overview(config.data, base))
    if config.model.permission is not None:
        yield known
        load()  # what its code makes is not known without JAX
    if fresh.model.misfit(data.inputs, data.n_outputs) is None:
        known = replace(known, summary=summarize(fresh, data))
    yield known
    if problems := [*misfits(fresh, data)]:
        raise ConfigError(problems)
    load()
    from trainer.plan import compile_ahead, plan

    planned = plan(fresh, data)
    yield replace(known, plan=planned)
    if compiles and not planned.is_compiled:
        yield replace(known, plan=planned, is_compiling=True)
        compile_ahead(prepare(fresh, base))
        yield replace(known, plan=plan(fresh, data))
