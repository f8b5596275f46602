"""`anomgan detectors`: lists the detectors."""

from anomgan.cli.say import print_table


def detectors() -> None:
    """List the detectors: how they infer, what they cost, and when to use them."""
    from anomgan.detectors import DETECTORS

    rows = [
        (name, method.profile.infers, method.profile.costs, method.profile.choose)
        for name, method in sorted(DETECTORS.items())
    ]
    print_table(("detector", "infers by", "cost", "use it"), rows, lines=True)
