"""The screens and commands of nn-tui."""
