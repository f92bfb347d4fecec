"""`StandaloneCluster`: Spark's own master and workers, on the loopback interface."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

JAVA = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
"""For Java programs that do little themselves: they start with half the work."""
PATIENCE = 300.0
"""Seconds in which a process must be there; a busy machine takes minutes."""


class StandaloneCluster:
    """A master and workers of one core each, as processes of this machine; a context.

    Args:
        folder: For logs and what the workers need.
        workers: How many.

    Attributes:
        master: Its address.
        workers: Their processes; each leads the group of its executors.
        environment: For the driver.
    """

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "SPARK_LOCAL_IP": "127.0.0.1",
            "PYSPARK_SUBMIT_ARGS": " ".join(
                [
                    *("--conf", "spark.driver.memory=512m"),
                    *("--conf", "spark.driver.host=127.0.0.1"),
                    *("--conf", "spark.executor.memory=512m"),
                    *("--conf", f"spark.driver.extraJavaOptions='{JAVA}'"),
                    *("--conf", f"spark.executor.extraJavaOptions='{JAVA}'"),
                    *("--conf", "spark.ui.enabled=false", "pyspark-shell"),
                ]
            ),
        }
        self.workers: list[subprocess.Popen[bytes]] = []
        port = free_port()
        self.master = f"spark://127.0.0.1:{port}"
        options = ["--host", "127.0.0.1", "--port", str(port), "--webui-port"]
        self._master = self._start("master.Master", "master", [*options, "0"])
        try:
            self._wait(self._master, "master", "I have been elected leader")
            for number in range(workers):
                self.add_worker(number)
        except BaseException:
            self.close()
            raise

    @property
    def pids(self) -> list[int]:
        """Numbers of the master's and the workers' processes."""
        return [self._master.pid, *(worker.pid for worker in self.workers)]

    def add_worker(self, number: int) -> None:
        """Starts a further worker, and waits until the master knows it."""
        name = f"worker-{number}"
        options = ["--host", "127.0.0.1", "--cores", "1", "--memory", "1g"]
        options += ["--webui-port", "0", "--work-dir", str(self.folder / name)]
        worker = self._start("worker.Worker", name, [*options, self.master])
        self.workers.append(worker)
        self._wait(worker, name, "Successfully registered with master")

    def kill_worker(self, number: int) -> None:
        """Ends a worker and its executors at once, as if its machine lost power."""
        os.killpg(self.workers[number].pid, signal.SIGKILL)
        self.workers[number].wait()

    def close(self) -> None:
        """Ends all processes."""
        for process in (*self.workers, self._master):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in (*self.workers, self._master):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def __enter__(self) -> StandaloneCluster:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _start(
        self, kind: str, name: str, options: list[str]
    ) -> subprocess.Popen[bytes]:
        spec = importlib.util.find_spec("pyspark")
        if spec is None or spec.origin is None:
            raise SystemExit("PySpark is not installed: pip install '.[spark]'")
        home = Path(spec.origin).parent
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [home / "bin" / "spark-class", f"org.apache.spark.deploy.{kind}"]
                + options,
                env={
                    **self.environment,
                    "SPARK_HOME": str(home),
                    "SPARK_DAEMON_MEMORY": "256m",
                    "SPARK_DAEMON_JAVA_OPTS": JAVA,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait(self, process: subprocess.Popen[bytes], name: str, text: str) -> None:
        log = self.folder / f"{name}.log"
        end = time.monotonic() + PATIENCE
        while text not in log.read_text(errors="replace"):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{name}: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)


def free_port() -> int:
    """A port of the loopback interface that nobody uses."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
