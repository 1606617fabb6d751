"""What answers cost: tokens, seconds and, with a price, money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from openmie.errors import ErrorRecord
from openmie.vlm.generate import Answer


@dataclass
class TokenUsage:
    """The cost of answers."""

    answers: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    seconds: float = 0.0  # of generation, summed over calls that may have run in parallel

    def add(self, answer: Answer) -> None:
        """Count one more answer."""
        self.answers += 1
        self.prompt_tokens += answer.prompt_tokens
        self.tokens += answer.tokens
        self.seconds += answer.seconds

    def merge(self, other: TokenUsage) -> None:
        """Count the answers of another count, too."""
        self.answers += other.answers
        self.prompt_tokens += other.prompt_tokens
        self.tokens += other.tokens
        self.seconds += other.seconds

    def price(self, prompt: float, answer: float) -> float:
        """The price, from the prices of a million prompt tokens and of a million generated tokens."""
        return (self.prompt_tokens * prompt + self.tokens * answer) / 1e6


@dataclass
class JobUsage:
    """What a job has asked so far.

    Args:
        sent: requests that the model answered.
        stored: answers that were there.
        failed: requests without an answer.
    """

    sent: TokenUsage = field(default_factory=TokenUsage)
    stored: TokenUsage = field(default_factory=TokenUsage)
    failed: int = 0

    def add(self, answer: Answer | ErrorRecord) -> None:
        """Count one more answer or failure."""
        if isinstance(answer, ErrorRecord):
            self.failed += 1
        else:
            (self.stored if answer.cached else self.sent).add(answer)

    def merge(self, other: JobUsage) -> None:
        """Count what another process asked, too."""
        self.sent.merge(other.sent)
        self.stored.merge(other.stored)
        self.failed += other.failed

    def take(self) -> dict[str, Any]:
        """The counts as JSON values, which `of_counts` reads; they begin at nothing again."""
        taken = {"sent": asdict(self.sent), "stored": asdict(self.stored), "failed": self.failed}
        self.sent, self.stored, self.failed = TokenUsage(), TokenUsage(), 0
        return taken

    @classmethod
    def of_counts(cls, counts: Mapping[str, Any]) -> JobUsage:
        """The counts that `take` told."""
        return cls(TokenUsage(**counts["sent"]), TokenUsage(**counts["stored"]), counts["failed"])

    def line(self, price: tuple[float, float] | None = None) -> str:
        """What stands beside the bar, and at the end: requests, tokens, cost.

        Args:
            price: of a million prompt tokens and of a million generated tokens.
        """
        sent = self.sent
        parts = [f"{sent.answers:,} asked", f"{self.stored.answers:,} known", f"{self.failed:,} without answer"]
        parts = [parts[0], *(p for p in parts[1:] if not p.startswith("0 "))]
        parts.append(f"{sent.prompt_tokens + sent.tokens:,} tokens")
        return ", ".join([*parts, *([f"cost {sent.price(*price):.4f}"] if price else [])])

    def facts(self, price: tuple[float, float] | None = None) -> dict[str, Any]:
        """The counts as JSON values."""
        sent = self.sent
        cost = {"cost": round(sent.price(*price), 6), "price": list(price)} if price else {}
        return {
            "requests": sent.answers, "known": self.stored.answers, "without_answer": self.failed,
            "prompt_tokens": sent.prompt_tokens, "answer_tokens": sent.tokens,
            "seconds": round(sent.seconds, 3), **cost,
        }  # fmt: skip
