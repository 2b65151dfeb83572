"""The plan: what the form says, before it trains. Follows the form, not the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual import getters, on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.worker import Worker, get_current_worker

from trainer.problems import Problem
from tui import plan_words
from tui.chart_frame import Series
from tui.chart_widget import Chart
from tui.data_words import headline
from tui.lines import Lines
from tui.page import FINDING, PatientPage

if TYPE_CHECKING:
    from trainer.config import Config
    from trainer.plan import Plan
    from tui.followed import Followed
    from tui.outlook import Outlook
    from tui.panels import View

_WAITING = "JAX works it out"
_NOTHING = "not known"
_PROBLEM = "! A field of the form has a problem, which stands under the field."


class MemoryPanel(Lines):
    """What lies in the device's memory, and what the compiler says."""

    BORDER_TITLE = "memory"

    class Compiled(Message):
        """The run on the panels has compiled something."""

    _compiled: tuple[Path | None, float] = (None, 0.0)

    def show_plan(self, plan: Plan | None, *, is_compiling: bool, empty: str) -> None:
        """Show what is known; `empty` where there is no plan."""
        lines = [empty]
        if plan is not None:
            waits = "compiling ..." if is_compiling else "ctrl+t tells"
            words = plan_words.compiled_words(plan) if plan.is_compiled else waits
            lines = plan_words.memory_table(plan, words)
        self.show_lines([*map(Content, lines)])

    def show_run(self, followed: Followed, view: View) -> None:  # noqa: ARG002
        """Tell when the run has compiled: what the form says may be just that."""
        compiled = followed.run.directory, followed.run.status.compile_seconds
        if compiled != self._compiled:
            self._compiled = compiled
            self.post_message(self.Compiled())


class PlanPage(PatientPage):
    """Layers, memory and learning rate of what the form says."""

    TITLE = "plan"
    HELP = "Layers, memory and learning rate of what the form says"

    table = getters.query_one("#plan-layers", Lines)
    words = getters.query_one("#plan-words", Static)
    memory = getters.query_one(MemoryPanel)
    rate = getters.query_one("#plan-rate", Chart)

    @dataclass
    class Learned(Message):
        """More is known of a config."""

        outlook: Outlook

    _config: Config | None = None
    _base: Path | None = None
    _has_plan = False
    _compiler: Worker[None] | None = None

    def compose(self) -> ComposeResult:
        """Lay out the layers over memory and learning rate."""
        with VerticalScroll(id="plan-model", classes="panel") as model:
            model.border_title = "model"
            yield Lines(id="plan-layers")
            yield Static(id="plan-words", markup=False)
        with Horizontal(id="plan-lower"):
            yield MemoryPanel(classes="panel")
            rate = Chart(id="plan-rate", classes="panel")
            rate.border_title = "learning rate"
            yield rate

    def show_form(self, config: Config | None, base: Path | None) -> None:
        """Follow the form.

        Args:
            config: what it says; None while a field has a problem.
            base: folder that a relative `data.path` starts from.
        """
        if (config, base) != (self._config, self._base):
            self._config, self._base = config, base
            self.turn()

    def compile(self) -> None:
        """Compile what the form says, so that the memory it takes is known and its run begins at once."""
        if self._config is not None and not self._is_compiling:
            self._compiler = self._look(self._config, self._base, compiles=True)

    @property
    def _is_compiling(self) -> bool:
        return self._compiler is not None and not self._compiler.is_finished

    @on(MemoryPanel.Compiled)
    def find_out(self) -> None:
        """Find out what the form means; while it is being compiled, that is on its way."""
        if self._config is None:
            self._lay_out([], _PROBLEM)
            self._show_plan(None, empty=_NOTHING)
        elif not self._is_compiling:
            self._look(self._config, self._base, compiles=False)

    @work(thread=True, group=FINDING, exclusive=True, exit_on_error=False)
    def _look(self, config: Config, base: Path | None, *, compiles: bool) -> None:
        from tui.outlook import Outlook, outlooks

        worker = get_current_worker()
        try:
            for outlook in outlooks(config, base, compiles=compiles):
                if worker.is_cancelled:
                    return
                self.post_message(self.Learned(outlook))
        except Exception as error:  # noqa: BLE001 whatever fails here must become a line on the page
            self.post_message(self.Learned(Outlook(config, problems=(Problem(f"no plan can be made: {error}"),))))

    @on(Learned)
    def _show(self, event: Learned) -> None:
        event.stop()
        outlook = event.outlook
        is_first = outlook.plan is None and not outlook.problems
        if outlook.config is not self._config or (is_first and self._has_plan):
            return  # it is about another config, or says less than what is shown until all is known
        lines = plan_words.layer_table(outlook.summary) if outlook.summary else []
        told = plan_words.course(outlook)
        if outlook.data and outlook.overview:
            told += f"\n{headline(outlook.data, outlook.overview)}"
        self._lay_out(lines, plan_words.problem_words(outlook) or told)
        self._show_plan(outlook.plan, is_compiling=outlook.is_compiling, empty=_WAITING if is_first else _NOTHING)

    def _lay_out(self, lines: Sequence[str], words: str) -> None:
        styles = ["dim", *[""] * (len(lines) - 2), "bold"]
        self.table.show_lines([Content.styled(line, style) for line, style in zip(lines, styles, strict=False)])
        self.words.update(f"\n{words}" if lines else words)

    def _show_plan(self, plan: Plan | None, *, is_compiling: bool = False, empty: str) -> None:
        self._has_plan = plan is not None
        self.memory.show_plan(plan, is_compiling=is_compiling, empty=empty)
        curve = [] if plan is None else [Series("learning_rate", plan.epochs, plan.rates, role="rate")]
        self.rate.show(curve, x_end=None if plan is None else plan.epochs[-1], empty=empty, legend=False)
