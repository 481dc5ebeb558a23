"""Processes to share work: those of a Dask scheduler somewhere, or of a cluster of this machine."""

import contextlib
import logging

PATIENCE = "10s"                                # with a scheduler that does not answer
ARRIVAL = 30                                    # seconds until it has its first worker


@contextlib.contextmanager
def client_of(address, workers, error):
    """A client of the scheduler at an address, or of a cluster of this machine that ends with it.

    Args:
        address: of a Dask scheduler, "tcp://HOST:PORT"; None for processes of this machine.
        workers: how many of those, of one thread each.
        error: the exception to raise; its message is for the person at the terminal.

    Raises:
        error: nothing answers at the address, it has no worker, or the processes did not start.
    """
    import dask
    from distributed import Client, LocalCluster

    if address is not None:
        try:
            client = Client(address, timeout=PATIENCE)
        except (OSError, ValueError) as reason:
            raise error(f"there is no Dask scheduler at {address}: {reason}") from reason
        with client:
            try:
                client.wait_for_workers(1, timeout=ARRIVAL)
            except TimeoutError as reason:
                raise error(f"the scheduler at {address} has had no worker for {ARRIVAL} seconds") from reason
            yield client
        return
    # No dashboard, yet the scheduler opens a port for its metrics: any free one, for this machine alone.
    # Saturation 1: nothing waits at a worker that is busy, so nothing else is blamed if that worker dies.
    with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
        try:
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0",
                                   scheduler_kwargs={"dashboard": False}, silence_logs=logging.ERROR)
            client = Client(cluster)
        except (OSError, RuntimeError, TimeoutError) as reason:
            raise error(f"{workers} processes did not start on this machine: {reason}") from reason
        try:
            yield client
        finally:
            # All results are in. A worker that died a moment ago is just being started, which Dask asserts it is not;
            # on a busy machine one may take too long to end. They end with this process.
            for part in (client, cluster):
                with contextlib.suppress(AssertionError, TimeoutError):
                    part.close()
