"""The smallest and the faintest defects that a model finds, from good parts alone."""

from anomgan.evaluation.limits.bench import Bench
from anomgan.evaluation.limits.limits import Limits
from anomgan.evaluation.limits.report import describe_bench, write_limits
from anomgan.evaluation.limits.trials import check_out, run_trials

__all__ = ["Bench", "Limits", "check_out", "describe_bench", "run_trials", "write_limits"]
