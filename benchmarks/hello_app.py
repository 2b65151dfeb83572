"""The smallest Textual app that looks like one: what painting a first screen costs at least."""

from textual.app import App, ComposeResult
from textual.widgets import Footer, Header, Static


class Hello(App[None]):
    """A header, a word, a footer."""

    BINDINGS = [("q", "quit", "Quit")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        """Lay them out."""
        yield Header()
        yield Static("hello")
        yield Footer()


if __name__ == "__main__":
    Hello().run()
