"""Resuming: from a run's folder to what `train_together` goes on with.

The lock comes first: two trainers on one run would go apart in silence. Then the records are read, and the newest
checkpoint that is whole; what is damaged is told and stays where it is. A run without one begins with its first update,
which is as exact. Until the training begins nothing is written but what mends a file: a resume that fails lost nothing.
"""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from trainer import checkpoints, commands, devices, liveness
from trainer.checkpoints import Arrays, Manifest
from trainer.commands import Extend, send
from trainer.config import Config
from trainer.events import Epoch, Event, Reopened, Started
from trainer.past import FORKED, Past, commands_known
from trainer.preparation import Prepared, members, prepare
from trainer.problems import Problem, RunError
from trainer.replay import Replay, standing
from trainer.run import Run
from trainer.run_directory import RunDirectory, being_trained, locked
from trainer.runs import lead_of, open_run, peek_group
from trainer.schema import EPOCHS
from trainer.text import clean
from trainer.training import Runs

_BY = "resume"
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person wants of a resumed run.

    Attributes:
        epochs: to train up to, in all, also where the run had come to its end; None for as many as it was to have.
        takes_other_data: whether to go on where the data are no longer the same.
        code: folder of the run's own network, which may run its code; None for none.
    """

    epochs: int | None = None
    takes_other_data: bool = False
    code: Path | None = None


class OtherDataError(RunError):
    """The data are not those that the run was trained on."""


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """A run whose lock is held, with all that it left; `events` are those that hold, of all that were recorded."""

    prepared: Prepared
    run: Run
    lock: int
    next_seq: int
    events: list[Event]
    epochs_recorded: int
    good: list[Manifest]
    warnings: list[str]

    @property
    def states(self) -> dict[int, Manifest]:
        """Return the states to go on from, by the updates done; the newest first."""
        found: dict[int, Manifest] = {}
        for manifest in self.good:
            if manifest.kind == "last" and self._has_records_until(manifest):
                found.setdefault(manifest.step, manifest)
        return found

    def _has_records_until(self, manifest: Manifest) -> bool:
        """Say whether the epochs before a checkpoint were recorded: of a log that was cut short they are lost."""
        epoch = manifest.step // self.run.steps_per_epoch
        known = {event.epoch for event in self.events if isinstance(event, Epoch)}
        return manifest.reason == FORKED or epoch == 0 or epoch - 1 in known


def resume(directory: Path, wishes: Wishes = Wishes()) -> Runs:
    """Return a run to be trained on; where it leads a group, all of it that is not over.

    Raises:
        RunError: it is over, or another trainer has it, or its data are no longer the same; nothing was changed.
        ConfigError: its data cannot be read, or its own code may not run.
    """
    runs = _known(directory)
    _require_open(runs, wishes)
    for run in runs:
        if run.config is not None and wishes.epochs is not None:
            run.config.changed({EPOCHS: wishes.epochs})
    prepared = _prepared(runs, wishes.code)
    with ExitStack() as locks:
        held = [_hold(one, run, locks) for one, run in zip(prepared, runs, strict=True)]
        _require_open([one.run for one in held], wishes)
        chosen, step = _chosen(held, wishes)
        for one in chosen:
            _require_records(one)
            _require_same_data(one, wishes)
        with ExitStack() as opened:
            runs_again = [_reopened(one, step, len(held), wishes, opened) for one in chosen]
            if wishes.epochs is not None:
                _extend(chosen, wishes.epochs)
            opened.pop_all()
    for _, again in runs_again:
        again.record(Reopened(), step=again.past.step, epoch=again.past.step // again.run.steps_per_epoch)
    return runs_again


def _known(directory: Path) -> list[Run]:
    """Return a run and those that it leads, from what lists know of them."""
    lead = peek_group(directory)
    runs = [lead, *lead.replicas]
    for run in runs:
        if run.damage:
            raise RunError(f"{clean(run.id)} cannot be resumed: {run.damage}")
    _require_begun(lead)
    for run in runs[1:]:
        run.status.group, run.status.replica = lead.id, _number(runs, run) + 1
    return runs


def _require_begun(lead: Run) -> None:
    """Refuse a group of which not all folders were made when it was cut off: it has trained nothing."""
    alone = not lead.status.group and not lead.status.replicas
    if lead.config is not None and lead.config.n_runs > 1 and alone:
        preset = clean(str(lead.directory / "config.toml"))
        raise RunError(f"{clean(lead.id)} was cut off before its group was there. Begin it anew: nn-tui train {preset}")


def _require_open(runs: Sequence[Run], wishes: Wishes) -> None:
    """Refuse runs that are over, or were trained for longer than is wished."""
    name, done = clean(runs[0].id), max(run.status.epochs for run in runs)
    if wishes.epochs is not None and wishes.epochs <= done:
        raise RunError(Problem(f"must be more than the {done} epochs done, got {wishes.epochs}.", "--epochs"))
    if wishes.epochs is None and all(run.status.state == "finished" for run in runs):
        advice = f"To train it further: nn-tui resume {name} --epochs {2 * max(1, done)}"
        raise RunError(f"{name} is over after {done} epochs ({clean(runs[0].status.reason)}). {advice}")


def _prepared(runs: Sequence[Run], code: Path | None) -> list[Prepared]:
    """Return config and data of each; the data are read once."""
    configs = [_config_of(run, code) for run in runs]
    lead = prepare(configs[0])
    if len(runs) == 1:
        return [lead]
    made = members(lead)
    return [
        lead,
        *(replace(made[_number(runs, run)], config=it) for run, it in zip(runs[1:], configs[1:], strict=True)),
    ]


def _number(runs: Sequence[Run], run: Run) -> int:
    """Return the place of a run in the group that the first one leads; a run that was just made may not know it."""
    names = [runs[0].id, *runs[0].status.replicas]
    return names.index(run.id)


def _config_of(run: Run, code: Path | None) -> Config:
    assert run.config is not None
    config = run.config.permitted(code) if code else run.config
    if config.model.code and config.model.permission is None:
        raise RunError(
            f"{clean(run.id)} has a network of its own, whose code runs only where you say so. Name the preset or file "
            "beside which it lies: --code PATH"
        )
    return config


def _hold(prepared: Prepared, known: Run, locks: ExitStack) -> _Held:
    """Take a run's lock and read what it left; all is let go of when `locks` is."""
    path = known.directory
    try:
        if liveness.is_shared(path) and known.is_live:  # another machine's lock may keep nobody out here
            raise being_trained(path)
        lock = locked(path)
        locks.callback(os.close, lock)
        run, tail = open_run(path)
        events = tail.read_all()
        if tail.problem:
            raise RunError(f"{clean(path.name)} cannot be resumed: {tail.problem}")
        run.apply_all(events)
        run.status.group, run.status.replica = known.status.group, known.status.replica
        _mend_status(run, known)
    except OSError as error:
        raise _refused(path, error) from error
    found = checkpoints.available(path / "checkpoints")
    warnings = [f"not resumed from {Path(it.file).name}: it {it.message}" for it in found.damaged]
    if tail.rest:
        warnings.append(f"the last line of events.jsonl was not whole: {len(tail.rest)} bytes are passed over.")
    if tail.skipped:
        warnings.append(f"{tail.skipped} damaged lines of events.jsonl were passed over.")
    next_seq = events[-1].seq + 1 if events else 0
    recorded = max((event.epoch + 1 for event in events if isinstance(event, Epoch)), default=0)
    return _Held(prepared, run, lock, next_seq, standing(events), recorded, found.good, warnings)


def _extend(chosen: Sequence[_Held], epochs: int) -> None:
    """Leave the wish for more epochs as a command, which is obeyed once, whatever becomes of this process."""
    for one in chosen:
        try:
            send(one.run.directory, Extend(by=_BY, epochs=epochs))
        except OSError as error:
            raise _refused(one.run.directory, error) from error


def _refused(path: Path, error: OSError) -> RunError:
    return RunError(f"{clean(path.name)} cannot be resumed: {error.strerror or error}")


def _mend_status(run: Run, known: Run) -> None:
    """Have `run.json` say what the last record does: the run may have been killed between the two."""
    if run.ended and known.status.state != run.status.state:
        run.status.write(run.directory)


def _chosen(held: Sequence[_Held], wishes: Wishes) -> tuple[list[_Held], int]:
    """Return which runs go on, and after how many updates.

    Those of a group go on together, from the newest update of which all have a good checkpoint. Those that were killed
    come first; those that were stopped with them if they can; where all were ended, those that can go on.
    """
    cut_off = [one for one in held if not one.run.ended]
    stopped = [one for one in held if one.run.status.state in ("stopped", "failed")]
    over = ("completed",) if wishes.epochs is not None else ()
    extended = [one for one in held if one.run.status.reason in over]
    diverged = [one for one in held if one.run.status.state == "diverged"]
    if len(held) == 1:
        return list(held), _newest_step(held) or 0
    wanted = [one for one in held if one in cut_off or one in stopped or one in extended]
    for some in (wanted, cut_off, stopped, extended, diverged):
        if some and (step := _newest_step(some)) is not None:
            return some, step
    some = cut_off or wanted or diverged
    if not some:
        raise RunError(f"{clean(held[0].run.id)} is over: each of its runs stopped early at an epoch of its own.")
    return some, 0


def _newest_step(held: Sequence[_Held]) -> int | None:
    """Return the update of the newest checkpoint that all of them have; None if there is none."""
    return next((step for step in held[0].states if all(step in one.states for one in held)), None)


def _require_records(held: _Held) -> None:
    """Refuse a run whose records end before its newest state: it would begin anew, and write over that."""
    newest = next((it for it in held.good if it.kind == "last" and it.reason != FORKED), None)
    if newest is not None and newest.step // held.run.steps_per_epoch > held.epochs_recorded:
        name = clean(held.run.id)
        raise RunError(
            f"{name} has lost records: events.jsonl ends before its state of update {newest.step}. To train that state "
            f"further, in a run of its own: nn-tui fork {name}"
        )


def _require_same_data(held: _Held, wishes: Wishes) -> None:
    before, now = held.run.status.data_fingerprint, held.prepared.splits.fingerprint
    if before and before != now:
        _require_same_length(held)
        if not wishes.takes_other_data:
            found = f"fingerprint {before[:_SHOWN]} then, {now[:_SHOWN]} now"
            raise OtherDataError(
                f"{clean(held.run.id)} was trained on other data: {found}. To go on all the same, as compatible and "
                "not exact: --data-changed"
            )
        held.run.status.data_fingerprint = now


def _require_same_length(held: _Held) -> None:
    """Refuse data of which an epoch takes more or fewer updates: what the run knows by its updates would be false."""
    devices.prepare_jax()
    from trainer.shape import shape_of

    before, now = held.run.steps_per_epoch, shape_of([held.prepared]).steps_per_epoch
    if before != now and any(isinstance(event, Started) for event in held.events):
        name = clean(held.run.id)
        raise RunError(
            f"{name} had {before} updates an epoch, and has {now} with these data. To train its weights on them, in a "
            f"run of their own: nn-tui fork {name}"
        )


def _require_fit(held: _Held, arrays: Arrays, *, whole: bool) -> None:
    """Refuse other data for which the network is another one."""
    devices.prepare_jax()
    from trainer.restoring import require_fit
    from trainer.shape import shape_of

    require_fit(shape_of([held.prepared]), [arrays], whole=whole)


def _reopened(
    held: _Held, step: int, together: int, wishes: Wishes, opened: ExitStack
) -> tuple[Prepared, RunDirectory]:
    """Open a run to be written; it is closed when `opened` is."""
    manifest = held.states.get(step)
    path = held.run.directory
    arrays = checkpoints.load(checkpoints.arrays_of(path / "checkpoints", manifest))[0] if manifest else {}
    if manifest is not None and wishes.takes_other_data:
        _require_fit(held, arrays, whole=manifest.reason != FORKED)
    past = Past(
        events=held.events,
        next_seq=held.next_seq,
        manifest=manifest,
        arrays=arrays,
        good=held.good,
        replay=Replay(held.events, step, commands_known(manifest)),
        warnings=held.warnings,
        together=together,
        commands_over=commands.size(lead_of(path)),
    )
    try:
        again = RunDirectory.reopen(path, held.run, past, held.lock)
    except OSError as error:
        raise _refused(path, error) from error
    opened.callback(again.close)
    return held.prepared, again
