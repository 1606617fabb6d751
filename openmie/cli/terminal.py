"""What reaches the terminal: letters. Texts of posts, names of files and labels hold no power over it.

A terminal acts on control characters: ESC begins sequences that clear the screen, set the title or answer in the
user's name, C1 characters are the same in one byte, overrides of the direction of writing show a text as another. So
both streams are wrapped for as long as a command runs: whatever prints, a library too, its control characters come out
as their codes (`openmie.characters.printable`). rich writes escapes of its own and goes around the wrapper; its texts
pass `openmie.cli.terminal_console`. What goes into a pipe or a file is data, and stays as it is.
"""

from __future__ import annotations

import codecs
import os
import sys
import warnings
from collections.abc import Iterable
from typing import Any

from openmie.characters import printable

QUIET = {  # transformers, huggingface_hub, datasets and tokenizers read these where they are imported
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


class PrintableStream:
    """A text stream whose control characters come out as codes.

    Args:
        stream: where the text goes.
    """

    def __init__(self, stream: Any) -> None:
        self.rich_proxied_file = stream  # where rich writes, which knows this name

    def write(self, text: str) -> int:
        """Write a text; how many characters it has."""
        self.rich_proxied_file.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        """The stream of bytes, guarded where it is a terminal."""
        raw = self.rich_proxied_file.buffer
        return PrintableBytes(raw) if self.rich_proxied_file.isatty() else raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


class PrintableBytes:
    """The same of UTF-8: of JSON lines that are printed, say, in whose texts `\\u009b` is what it stands for.

    Args:
        stream: where the bytes go.
    """

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> int:
        """Write bytes; how many they are."""
        self.stream.write(printable(self.decoder.decode(data)).encode())
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def guard_terminal() -> None:
    """Wrap standard error, and standard output where it is a terminal, until the process ends."""
    if sys.stderr is not None and not isinstance(sys.stderr, PrintableStream):
        sys.stderr = PrintableStream(sys.stderr)
    if sys.stdout is not None and not isinstance(sys.stdout, PrintableStream) and sys.stdout.isatty():
        sys.stdout = PrintableStream(sys.stdout)


def quiet_libraries() -> None:
    """Keep load reports, bars and warnings of libraries off the screen; what a user has set stays.

    Call it before they are imported. Warnings of openmie itself are shown.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", module=r"openmie(\.|$)")
