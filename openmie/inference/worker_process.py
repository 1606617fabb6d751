"""A predictor in a process of its own: what ends that process, such as a file that crashes a decoder, ends no job.

    python -m openmie.inference.worker_process

The process reads a line of JSON that says how its predictor is made, and answers with what is to be told of it. Then it
reads batches: a line with the number of posts, and a line for each (`openmie.inference.post_lines`); it answers each
with the number of predicted documents and a line for each, or with the reason why there are none, and in either case
with what was used. It ends with its standard input, so that it outlives nobody.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import IO, Any, Protocol

from openmie.data.document import Document
from openmie.errors import ErrorRecord, ModelError, OpenMIEError
from openmie.inference.post_lines import decode, encode

_STARTS = 2  # times that a process may end while it makes its predictor


class Predictor(Protocol):
    """What a worker runs.

    Attributes:
        facts: JSON values that the command is to know of it.
    """

    facts: Mapping[str, Any]

    def __call__(self, items: Sequence[Document | ErrorRecord]) -> Iterable[Document]:
        """One document for each item, in order."""

    def take_usage(self) -> Mapping[str, Any]:
        """JSON values that the command is to know of what was used since the last call, such as tokens; {}: nothing."""


@dataclass(frozen=True)
class PredictorSpec:
    """How a predictor is made, as data that another process or machine reads.

    Args:
        function: MODULE:FUNCTION, which returns a `Predictor`.
        arguments: of the function, JSON values.
        folder: working folder, that relative paths are relative to; "": the one of the process that starts it.
        threads: of the numerical libraries; 0: as the environment says.
    """

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    folder: str = ""
    threads: int = 0

    def make(self) -> Predictor:
        """Import the function and call it."""
        module, _, name = self.function.partition(":")
        made: Predictor = getattr(import_module(module), name)(**self.arguments)
        return made


Used = Callable[[Mapping[str, Any]], None]  # is called with what `Predictor.take_usage` tells, batch by batch


def ignore_usage(used: Mapping[str, Any]) -> None:
    """For predictors that use nothing that is counted."""


class WorkerEnded(Exception):
    """The process ended before it answered."""


class PredictionFailed(Exception):
    """The predictor raised what is no error of openmie."""


class WorkerProcess:
    """A process that predicts, started when it is first needed, and again after it has ended.

    Args:
        spec: how it makes its predictor.
        used: is told what each batch used; what a process used for a batch that it ended in is not known.

    Attributes:
        facts: what its predictor tells, once it has been started.
    """

    def __init__(self, spec: PredictorSpec, used: Used = ignore_usage) -> None:
        self.spec, self.facts, self._used = spec, dict[str, Any](), used
        self._process: subprocess.Popen[bytes] | None = None

    def predict(self, lines: Sequence[bytes]) -> list[bytes]:
        """The predicted documents of posts, one line for each.

        Args:
            lines: posts, as `post_lines.encode` writes them.

        Raises:
            WorkerEnded: the process ended, the reason is the text.
            PredictionFailed: the predictor raised an error, which is the text.
            OpenMIEError: the predictor cannot be made, or cannot work.
        """
        process = self._process or self._start()
        try:
            _send(process.stdin, [b"%d" % len(lines), *lines])
            return self._answer(process)
        except (OSError, EOFError):
            raise WorkerEnded(self._reason()) from None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _start(self) -> subprocess.Popen[bytes]:
        reason = ""
        for _ in range(_STARTS):
            threads = {"OMP_NUM_THREADS": str(self.spec.threads)} if self.spec.threads else {}
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", __name__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **threads},
                cwd=self.spec.folder if os.path.isdir(self.spec.folder) else None,
            )
            try:
                _send(process.stdin, [json.dumps(asdict(self.spec)).encode()])
                (told,) = self._answer(process)
                self.facts = json.loads(told)
                return process
            except (OSError, EOFError):
                reason = self._reason()
            except BaseException:
                self.close()
                raise
        raise ModelError(
            f"the process that loads the model ended ({reason})",
            expected="a model that can be loaded",
            remedy="look whether the memory suffices for this number of workers (--workers)",
        )

    def _answer(self, process: subprocess.Popen[bytes]) -> list[bytes]:
        assert process.stdout is not None
        head = json.loads(_read_line(process.stdout))
        if used := head.get("used"):
            self._used(used)
        if "error" in head:
            raise OpenMIEError.of(ErrorRecord(**head["error"]))
        if "failed" in head:
            raise PredictionFailed(head["failed"])
        return [_read_line(process.stdout) for _ in range(head["lines"])]

    def _reason(self) -> str:
        """Why the process ended; it is forgotten."""
        process, self._process = self._process, None
        assert process is not None
        process.communicate()
        code = process.returncode
        names = {s.value: s.name for s in signal.Signals}
        return f"signal {names.get(-code, str(-code))}" if code < 0 else f"exit code {code}"


def _send(stream: IO[bytes] | None, lines: Sequence[bytes]) -> None:
    assert stream is not None
    stream.write(b"\n".join(lines) + b"\n")
    stream.flush()


def _read_line(stream: IO[bytes]) -> bytes:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    return line[:-1]


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Make the predictor that the first line names, and predict until the input ends."""

    made: list[Predictor] = []

    def answer(call: Callable[..., list[bytes]], *given: Any) -> bool:
        try:
            lines = call(*given)
        except OpenMIEError as error:
            head: dict[str, Any] = {"error": error.record.model_dump(mode="json")}
            lines = []
        except Exception as error:
            head, lines = {"failed": f"{type(error).__name__}: {str(error)[:300]}"}, []
        else:
            head = {"lines": len(lines)}
        if made:
            head["used"] = dict(made[0].take_usage())
        _send(answers, [json.dumps(head).encode(), *lines])
        return "lines" in head

    def make(line: bytes) -> list[bytes]:
        made.append(PredictorSpec(**json.loads(line)).make())
        return [json.dumps(dict(made[0].facts)).encode()]

    def predict(lines: list[bytes]) -> list[bytes]:
        return [encode(document) for document in made[0]([*map(decode, lines)])]

    if not answer(make, requests.readline()):
        return
    while count := requests.readline():
        answer(predict, [_read_line(requests) for _ in range(int(count))])


def main() -> None:
    """Serve on standard input and output; what libraries print goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the command ends its workers
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, answers)
    except (BrokenPipeError, EOFError):  # whoever asked is gone
        os._exit(1)


if __name__ == "__main__":
    main()
