"""What `openmie extract` predicts with, made of the parameters of the command: in its own process, or in a worker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openmie.cli import console, extract_tasks, options, progress
from openmie.cli.costs import JobCosts
from openmie.cli.garbage import collector_paused
from openmie.data.document import Document
from openmie.data.object_stores import local_images
from openmie.inference.worker_process import PredictorSpec


class ExtractPredictor:
    """Predictions by the vision-language model that is requested, or by models in turn.

    Args:
        given: the parameters of the command.

    Attributes:
        request: an ExtractionRequest, or None.
        facts: what is to be said of the models, once they are loaded.
        costs: of the vision-language model, whether this process asks it or workers do.
    """

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given, self.facts = given, dict[str, Any]()
        self.request = options.extraction_request(
            given["system"],
            given["model"],
            endpoint=given["endpoint"],
            tasks=given["task"],
            cache=given["cache"],
            settings=given["vlm_option"],
            record_schema=given["schema"],
            attribute=given["attribute"],
            examples=given["examples"],
            instructions=given["instructions"],
            passes=given["passes"],
            max_side=given["max_side"],
            **(self._named() if given["system"] else {}),
        )
        self._tasks = () if given["system"] else extract_tasks.read_tasks(given["task"])
        self.costs = JobCosts(options.prices(given["price"]))
        self._models: list[Any] = []
        self._backend: Any = None

    def _named(self) -> dict[str, Any]:
        return {name: self.given[name] for name in ("label", "relation", "labels")}

    def load(self) -> None:
        """Load the models; what is to be told of them is in `facts` then."""
        if self._models:
            return
        self._models = [self.request] if self.request else self._trained()
        said = next((model.facts.sentences() for model in self._models if hasattr(model, "facts")), "")
        self.facts = {"says": said, "reads_images": any(getattr(m, "reads_images", True) for m in self._models)}

    def _trained(self) -> list[Any]:
        given = self.given
        with collector_paused():
            from openmie.cli import base_options

            return base_options.load_models(
                given["model"], **self._named(), threshold=given["threshold"], parts=given["parts"]
            )

    def __call__(self, items: Iterable[Any], when: str) -> Iterator[Any]:
        """The documents of a job that began `when`."""
        from openmie import __version__
        from openmie.data import provenance
        from openmie.inference import pipeline

        self.load()
        request = self.request
        if request:
            if self._backend is None:
                self._backend = self.costs.of(request.backend())
            found = request.predict(items, request.schema(), self._backend)
        else:
            found = extract_tasks.select_layers(pipeline.predict_each(self._models, items), self._tasks)
        origin = provenance.provenance([m.identity() for m in self._models], __version__, when)
        return provenance.stamp(found, origin)

    def tell(self, facts: Mapping[str, Any] | None = None) -> None:
        """Say what the model is, on stderr; None: the one that was loaded here."""
        self.facts = dict(self.facts if facts is None else facts)
        if said := self.facts.get("says"):
            console.say_line(said)

    def tell_of_images(self, pictured: int) -> None:
        """Say that posts with images were given to models that read none."""
        if pictured and not self.facts.get("reads_images", True):
            posts = progress.number(pictured, "post")
            console.say_line(f"{posts} with images, which this model does not read; base and others do (--model base)")


def worker_spec(given: Mapping[str, Any], when: str, folder: str) -> PredictorSpec:
    """How a worker makes the predictor of these parameters.

    Args:
        given: the parameters of the command.
        when: the job began.
        folder: working folder of the command.
    """
    asked = {name: value for name, value in given.items() if name not in ("source", "text", "image")}
    paths = [name for name, value in asked.items() if _is_path(value)]
    arguments = {"given": {name: _plain(value) for name, value in asked.items()}, "paths": paths, "when": when}
    return PredictorSpec("openmie.cli.extract_predictor:make_worker_predictor", arguments, folder)


def _is_path(value: Any) -> bool:
    return isinstance(value, Path) or (isinstance(value, list | tuple) and any(map(_is_path, value)))


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def _as_path(value: Any) -> Any:
    return [Path(part) for part in value] if isinstance(value, list) else Path(value)


def make_worker_predictor(given: Mapping[str, Any], paths: Sequence[str], when: str) -> _WorkerPredictor:
    """The predictor of a worker, its models loaded; see `worker_spec`."""
    from openmie.cli.terminal import quiet_libraries

    quiet_libraries()
    made = ExtractPredictor({**given, **{name: _as_path(given[name]) for name in paths}})
    made.load()
    return _WorkerPredictor(made, when)


class _WorkerPredictor:
    def __init__(self, made: ExtractPredictor, when: str) -> None:
        self._made, self._when, self.facts = made, when, made.facts

    def __call__(self, items: Sequence[Any]) -> Iterable[Any]:
        with local_images([item for item in items if isinstance(item, Document)]) as (documents, led_back):
            local = iter(documents)
            here = [next(local) if isinstance(item, Document) else item for item in items]
            return [led_back(document) for document in self._made(here, self._when)]

    def take_usage(self) -> dict[str, Any]:
        """What the model was asked since the last call, and what of it was known."""
        return self._made.costs.take()
