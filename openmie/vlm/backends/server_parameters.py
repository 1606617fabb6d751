"""Request parameters that follow the server: what it refuses by name is written in another way, or left out.

Servers with OpenAI's protocol differ in the fields that they accept (docs/reference/endpoints.md, with sources). A
request begins with all of them; a refusal that names one takes the next step, and the request is sent again:

    max_tokens -> max_completion_tokens -> no limit
    temperature -> not sent
    system message -> at the head of the prompt
    no stream -> stream
    schema: as the dialect sends it -> the same with enumerations as text and without lengths of lists
            -> response_format json_object -> not sent (the prompt describes the form of the answer)

A step is remembered for the server once a request that took it was answered, and said in one line. A refusal that says
nothing at all ("Bad Request") takes the steps too, for the first few requests and until the server has answered once.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openmie.vlm.backends.portable_schema import portable_schema
from openmie.vlm.generate import Grammar, Request

REFUSED_STATUSES = frozenset({400, 404, 405, 415, 422, 500, 501})  # of a server that names what it does not know
MAX_UNEXPLAINED = 8  # requests that follow a refusal without a reason
_FORMS = ("schema", "portable", "json_object", "plain")  # the ladder of a schema
_UNSUPPORTED = re.compile(
    r"unsupported|not[ _](?:be[ _])?(?:support|allow|permit|implement|available|recogni|accept)"
    r"|un(?:recogni[sz]ed|known|expected|available)|(?:does not|doesn't|do not) (?:support|allow|accept)"
    r"|extra[ _](?:fields?|inputs?|forbidden|parameters?)|forbidden|deprecated|instead of|instead\b"
    r"|only [^.]{0,30}(?:is|are) (?:allowed|supported)|only (?:the )?default|invalid parameter",
    re.IGNORECASE,
)
_SCHEMA_WORDS = re.compile(
    r"response[ _-]?format|json[ _-]?(?:schema|object|mode)|structured|guided|grammar|sampler|schema|\benum\b"
    r"|(?:min|max)Items|additionalProperties|must contain the word .?json"
    r"|no endpoints found that can handle the requested param",
    re.IGNORECASE,
)
_OWN_LIMITS = re.compile(r"too (?:large|long|many)|context (?:length|window)|maximum|exceed", re.IGNORECASE)
_STREAM = re.compile(
    r"(?:only|must|requires?|enable|please)[^.]{0,40}\bstream|\bstream\w*[^.]{0,20}\brequired", re.IGNORECASE
)
_SYSTEM = re.compile(r"system (?:role|message|prompt)|role[^.]{0,20}system|developer instruction", re.IGNORECASE)
_UNEXPLAINED = re.compile(
    r"(?:bad[ _]?request|invalid[ _]?(?:request|argument)|unprocessable[ _]?(?:entity|content)|provider returned"
    r"|request contains an invalid argument|(?:not[ _]found|internal|server|client)?[ _]?errors?|[\W\d_])*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class RequestForm:
    """How the fields of a request are written for one server.

    Args:
        limit: name of the field that limits generated tokens; "": none is sent.
        temperature: whether the temperature is sent.
        system: whether a system message is a message of its own.
        stream: whether the answer is asked for as a stream.
        schema: "schema", "portable", "json_object" or "plain": how far the ladder was descended.
    """

    limit: str = "max_tokens"
    temperature: bool = True
    system: bool = True
    stream: bool = False
    schema: str = "schema"

    def description(self) -> str:
        """The steps that were taken, in words; "" for none."""
        words = (
            ("max_completion_tokens in place of max_tokens", self.limit == "max_completion_tokens"),
            ("no limit of tokens", not self.limit),
            ("no temperature", not self.temperature),
            ("the system message in the prompt", not self.system),
            ("answers as a stream", self.stream),
            ("schemas with enumerations as text", self.schema == "portable"),
            ("JSON mode in place of the schema", self.schema == "json_object"),
            ("no schema, the prompt alone describes the answer's form", self.schema == "plain"),
        )
        return ", ".join(word for word, taken in words if taken)


@dataclass
class ServerParameters:
    """What is known of the requests that one server accepts; shared by the requests of one `Endpoint`.

    Args:
        name: of model and server, for the line that says what was learned.
    """

    name: str
    form: RequestForm = field(default_factory=RequestForm)
    answered: bool = False  # at least once
    unexplained: int = 0  # requests that followed a refusal without a reason

    def accept(self, form: RequestForm) -> None:
        """Remember the form of a request that was answered, and say what is new in it."""
        self.answered = True
        merged = _further(self.form, form)
        if merged != self.form:
            self.form = merged
            warnings.warn(f"{self.name} refuses some fields; requests go out with {merged.description()}", stacklevel=2)

    def next_form(
        self, form: RequestForm, sent: Mapping[str, Any], request: Request, status: int, message: str
    ) -> RequestForm | None:
        """The form in which a refused request is sent again.

        Args:
            form: the form that was refused.
            sent: fields of the refused body, in which steps can be taken.
            request: the request.
            status: of the refusal.
            message: of the refusal, with the names of its fields.

        Returns:
            None where the refusal is about something else, or no step is left.
        """
        if status not in REFUSED_STATUSES:
            return None
        if self.form != form and (known := _further(self.form, form)) != form:
            return known  # another request has learned more meanwhile
        steps = _steps(form, sent, request)
        for name, further in steps.items():
            if _names(name, message):
                return further
        if self.answered or status not in (400, 422) or not _UNEXPLAINED.fullmatch(message):
            return None
        if form == self.form:
            self.unexplained += 1
        left = [further for name, further in reversed(steps.items()) if name not in ("stream", "system")]
        return left[0] if left and self.unexplained <= MAX_UNEXPLAINED else None


def _names(field_name: str, message: str) -> bool:
    """Whether a refusal is about a field."""
    if field_name == "schema":
        return _SCHEMA_WORDS.search(message) is not None
    if field_name == "stream":
        return _STREAM.search(message) is not None
    if field_name == "system":
        return _SYSTEM.search(message) is not None
    known = re.search(rf"\b{field_name}\b", message) is not None and _UNSUPPORTED.search(message) is not None
    return known and not (_OWN_LIMITS.search(message) and "instead" not in message.lower())


def _steps(form: RequestForm, sent: Mapping[str, Any], request: Request) -> dict[str, RequestForm]:
    """Name of a field -> the form with the next step of it, for the fields that a body has; a schema comes last."""
    steps: dict[str, RequestForm] = {}
    if form.limit and form.limit in sent:
        steps[form.limit] = replace(form, limit="max_completion_tokens" if form.limit == "max_tokens" else "")
    if "temperature" in sent:
        steps["temperature"] = replace(form, temperature=False)
    if request.system and form.system:
        steps["system"] = replace(form, system=False)
    if not form.stream:
        steps["stream"] = replace(form, stream=True)
    if request.schema is not None and form.schema != "plain" and _constrains(sent):
        steps["schema"] = replace(form, schema=_lower(form.schema, request.schema))
    return steps


def _constrains(sent: Mapping[str, Any]) -> bool:
    extra = sent.get("extra_body") or {}
    return "response_format" in sent or bool({"structured_outputs", "guided_json", "guided_grammar"} & set(extra))


def _lower(schema: str, asked: Mapping[str, Any] | Grammar) -> str:
    """The next step of the ladder; one that would change nothing is left out."""
    if isinstance(asked, Grammar):
        return "plain"
    if schema == "schema" and portable_schema(asked) == asked:
        schema = "portable"
    return _FORMS[_FORMS.index(schema) + 1]


def _further(one: RequestForm, other: RequestForm) -> RequestForm:
    """All the steps that either form took."""
    limits = ("max_tokens", "max_completion_tokens", "")
    return RequestForm(
        limit=max(one.limit, other.limit, key=limits.index),
        temperature=one.temperature and other.temperature,
        system=one.system and other.system,
        stream=one.stream or other.stream,
        schema=max(one.schema, other.schema, key=_FORMS.index),
    )


def refusal_text(body: Any) -> str:
    """What a refusal says, without what it repeats of the request.

    Args:
        body: the parsed body of a response other than 200, in any of the shapes that servers use.

    Returns:
        All texts of it, separated by blanks; at most 4,000 characters.
    """
    found: list[str] = []
    _collect(body, found, 0)
    return " ".join(found)[:4000]


def _collect(value: Any, found: list[str], depth: int) -> None:
    if isinstance(value, str):
        found.append(value[:2000])
    elif depth < 8 and isinstance(value, Mapping):
        for name, part in value.items():
            if name not in ("input", "ctx", "url", "request", "body", "object", "request_id", "provider_name"):
                _collect(part, found, depth + 1)
    elif depth < 8 and isinstance(value, list):
        for part in value[:50]:
            _collect(part, found, depth + 1)
