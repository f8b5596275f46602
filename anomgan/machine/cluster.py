"""Distributes work over a Ray cluster.

A task reads and writes files on the machine that runs it. So folders must have the same names on
all machines, as on a shared disk.
"""

import os
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from anomgan.errors import AnomganError, InputError, SettingsError
from anomgan.machine.device import choose_device

if TYPE_CHECKING:
    from ray import ObjectRef

Item = TypeVar("Item")
Value = TypeVar("Value")
RETRIES = 3
"""How often a task is started again by another process after its process died."""
AHEAD = 2
"""Tasks in flight for each worker, so that no worker waits for its next task."""


def spread(
    address: str,
    work: Callable[[Item], Value],
    items: Iterable[Item],
    lost: Callable[[Item], Value],
    *,
    device: str,
    ordered: bool,
) -> Iterator[Value]:
    """Run a task for each item, on as many workers as the cluster has cores, or GPUs.

    Args:
        address: HOST:PORT of the cluster's head; "auto" for a cluster that runs on this machine;
            "local" to start a cluster here and stop it afterwards.
        work: called for each item; function and item are sent to a worker.
        items: read as workers become free.
        lost: gives the result of an item whose process died too often.
        device: device of the tasks; on CUDA, each task has its own GPU.
        ordered: return results in the order of the items, not as they are finished.

    Raises:
        SettingsError: ray is not installed, or there is no such cluster, or it has no GPU.
        AnomganError: raised by `work`.
    """
    gpus = int(choose_device(device).type == "cuda")
    with _connected(address) as ray:
        kind = "GPU" if gpus else "CPU"
        workers = int(ray.cluster_resources().get(kind, 0))
        if not workers:
            raise SettingsError(f"--ray {address}: the cluster has no {kind}; see --device")
        task = ray.remote(_work_in).options(max_retries=RETRIES, num_gpus=gpus)
        here, remaining = os.getcwd(), iter(items)
        waiting: dict[ObjectRef, Item] = {}
        while True:
            for item in islice(remaining, AHEAD * workers - len(waiting)):
                waiting[task.remote(here, work, item)] = item
            if not waiting:
                return
            done = next(iter(waiting)) if ordered else ray.wait(list(waiting))[0][0]
            item = waiting.pop(done)
            try:
                value = ray.get(done)
            except ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, AnomganError) else error) from None
            except ray.exceptions.RayError:
                value = lost(item)
            yield value


def _work_in(folder: str, work: Callable[[Item], Value], item: Item) -> Value:
    try:
        os.chdir(folder)  # so that relative paths mean the same on the worker
    except OSError as error:
        raise InputError(
            f"{socket.gethostname()} has no folder {folder}: all machines of a cluster need the "
            f"same folders"
        ) from error
    return work(item)


@contextmanager
def _connected(address: str) -> Iterator[ModuleType]:
    """Connect Ray to a cluster; if it is connected already, leave the connection as it is."""
    try:
        import ray
    except ImportError:
        raise SettingsError('--ray needs the package ray: pip install "anomgan[ray]"') from None
    if ray.is_initialized():
        yield ray
        return
    try:
        host, _, port = address.rpartition(":")
        if host:  # ray itself would keep trying for minutes
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address, log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"--ray {address}: no cluster answers ({error}); give HOST:PORT of one that was "
            f"started by `ray start --head`, or local"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
