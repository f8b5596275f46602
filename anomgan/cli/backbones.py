"""`anomgan backbones`: lists the pretrained networks."""

from anomgan.cli.say import print_table, say


def backbones() -> None:
    """List the tested backbones: what they cost, what they are good at, and their licence."""
    from anomgan.backbones import BACKBONES, is_available

    rows = [
        (
            entry.name,
            entry.costs,
            entry.good_at,
            entry.licence,
            f"{entry.megabytes:.0f}",
            "yes" if is_available(entry) else "downloaded by timm on first use",
        )
        for entry in BACKBONES.values()
    ]
    heads = ("backbone", "costs", "good at", "licence", "size (MB)", "weights here")
    print_table(heads, rows, lines=True)
    say("Any other network that timm knows also works, by its name.")
