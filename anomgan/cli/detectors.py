"""`anomgan detectors`: what there is to choose from."""


def detectors() -> None:
    """List the detectors: how they infer, what they cost, when to choose which."""
    from rich.console import Console

    from anomgan.inspection.cards import detector_table

    Console().print(detector_table())
