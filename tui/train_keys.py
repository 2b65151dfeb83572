"""The keys of the train screen; key bar, help and palette show what stands here."""

from textual.binding import Binding, BindingType

from tui.pages import PAGES

# Control keys that no field takes (ctrl+a, c, d, e, k, u, v, w, x), nor tmux (ctrl+b), nor the terminal itself
# (ctrl+q, s, z). The function keys work everywhere; the letters beside them wherever no field has the focus. They are
# in the order of use: the bar shows as many of them as it has room for, from the first.
TRAIN_KEYS: list[BindingType] = [
    Binding("ctrl+r", "run", "Run", id="train.run", tooltip="Train what the form says"),
    Binding("f3,f", "flip", "Form", id="train.flip", tooltip="Go to the form, or from it to the panels"),
    Binding("f4,s", "stop", "Stop", id="train.stop", tooltip="Stop the run and keep its best weights; asks first"),
    Binding("f5,p", "pause", "Pause", id="train.pause", tooltip="Pause the run"),
    Binding("f5,p", "unpause", "Go on", id="train.unpause", tooltip="Let the run go on that is paused"),
    Binding(
        "f8,r", "earlier", "Runs", id="train.runs",
        tooltip="Show another run: a live one, whoever trains it, or an earlier one of the session",
    ),
    Binding("ctrl+o", "open", "Open", id="train.open", tooltip="Open a preset; shows what it would change"),
    Binding("ctrl+n,v", "next_page", "Next page", id="train.next_page", tooltip="The next page beside the form"),
    Binding(
        "ctrl+l,l", "find_rate", "LR find", id="train.find_rate",
        tooltip="Try a range of learning rates, all at once; suggests one for the form",
    ),
    Binding(
        "ctrl+t,k", "compile", "Compile", id="train.compile",
        tooltip="Compile what the form says, without training; the plan page tells its memory",
    ),
    Binding("t", "next_metric", "Metric", id="train.metric", tooltip="Show the next metric"),
    *(
        Binding(
            f"{page.KEYS},{index + 1}".strip(","), f"page({index})", page.TITLE.capitalize(),
            id=f"train.page_{index}", show=bool(page.KEYS), tooltip=page.HELP,
        )
        for index, page in enumerate(PAGES)
    ),
    Binding("ctrl+y,w", "keep", "Checkpoint", id="train.keep", tooltip="Have the run save a checkpoint now"),
    Binding("f2", "save", "Save as", id="train.save", tooltip="Save the form as a preset of your own"),
    Binding("f6,y", "toggle_log", "Log y", id="train.log", tooltip="Logarithmic or linear y axis"),
    Binding("f7,x", "cycle_axis", "X axis", id="train.axis", tooltip="Epochs, steps or seconds on the x axis"),
    Binding(
        "m", "next_panel", "Next chart", id="train.panel", show=False,
        tooltip="The next chart, where the screen has room for one only",
    ),
    Binding("down", "enter_form", "Into the form", show=False, id="train.enter", tooltip="Go into the form"),
    Binding(
        "g", "go_on('resume')", "Go on", id="train.resume", show=False,
        tooltip="Go on with the run on the panels, from where it was cut off",
    ),
    Binding(
        "b", "go_on('fork')", "Fork", id="train.fork", show=False,
        tooltip="Fork the run on the panels: its config and a checkpoint go into the form, ctrl+r trains it",
    ),
    Binding(
        "e", "go_on('extend')", "Extend", id="train.extend", show=False,
        tooltip="Train the run on the panels for more epochs",
    ),
]  # fmt: skip
