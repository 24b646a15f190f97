"""Runs a command as a child and says what it took: wall time, CPU time, peak memory."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["Measurement", "measure"]

_INTERVAL = 0.2


@dataclass(frozen=True)
class Measurement:
    """What a command took, with all processes that it started. wall, cpu: seconds; peak: bytes."""

    wall: float
    cpu: float
    peak: int
    exit_code: int
    output: str
    stopped: bool


def measure(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path, limit: float
) -> Measurement:
    """Runs the command in the folder, and stops it after `limit` seconds.

    Its standard output is `output`; its standard error goes to the file `log`.
    """
    # Else a run would pay for what an earlier one has not yet written to disk.
    os.sync()
    output = log.with_suffix(".out")
    with output.open("w") as out, log.open("w") as err:
        started = time.perf_counter()
        child = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=err, start_new_session=True
        )
        tree = _Tree(child.pid)
        timer = threading.Timer(limit, os.killpg, (child.pid, signal.SIGKILL))
        timer.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
            wall = time.perf_counter() - started
        except BaseException:
            # Ctrl-C does not reach a session of its own.
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
            tree.stop()
    child.returncode = os.waitstatus_to_exitcode(status)
    return Measurement(
        wall=wall,
        # A process that nobody waited for is in the samples alone, a short one in the usage alone.
        cpu=max(usage.ru_utime + usage.ru_stime, tree.cpu),
        # ru_maxrss, in KiB on Linux, is exact, but of the largest process alone.
        peak=max(usage.ru_maxrss * 1024, tree.peak),
        exit_code=child.returncode,
        output=output.read_text(),
        stopped=child.returncode == -signal.SIGKILL and wall >= limit,
    )


class _Tree:
    """Samples a process and all below it, five times a second, in a thread."""

    def __init__(self, pid: int) -> None:
        self.peak = 0
        self._root = psutil.Process(pid)
        self._cpu: dict[psutil.Process, float] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    @property
    def cpu(self) -> float:
        """Seconds of CPU of all processes that were ever seen, up to when they were last seen."""
        return sum(self._cpu.values())

    def stop(self) -> None:
        """Ends the sampling, and whatever the command has left behind."""
        self._done.set()
        self._thread.join()
        for process in self._cpu:
            # psutil compares start times, so no stranger with a recycled id is hit.
            with suppress(psutil.NoSuchProcess):
                if process != self._root:
                    process.kill()

    def _watch(self) -> None:
        while not self._done.wait(_INTERVAL):
            try:
                processes = [self._root, *self._root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            private, shared = 0, 0
            for process in processes:
                try:
                    memory, cpu = process.memory_info(), process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                # Pages of files and of shared memory are in the figures of each process that maps
                # them (Ray's objects, the same libraries), so they are counted once.
                private += memory.rss - memory.shared
                shared = max(shared, memory.shared)
                self._cpu[process] = cpu.user + cpu.system
            self.peak = max(self.peak, private + shared)
