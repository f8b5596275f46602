"""`anomgan detectors`: lists the detectors."""


def detectors() -> None:
    """List the detectors: how they infer, what they cost, and when to use them."""
    from rich.console import Console
    from rich.table import Table

    from anomgan.detectors import DETECTORS

    table = Table("detector", "infers by", "cost", "use it", show_lines=True)
    for name, method in sorted(DETECTORS.items()):
        table.add_row(name, method.profile.infers, method.profile.costs, method.profile.choose)
    Console().print(table)
