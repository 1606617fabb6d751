"""A trained model: a folder of JSON and safetensors in, predicted Documents out."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from huggingface_hub import HfApi, ModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from openmie import recipe as recipes
from openmie.data import replace_file as writing
from openmie.data.document import Document
from openmie.data.provenance import digest
from openmie.data.replace_set import replace_set, settle
from openmie.errors import ModelError, OpenMIEError, RecipeError
from openmie.model.backbones import TextBackbone, VisionBackbone, load_text, load_vision, restore
from openmie.model.extractor import Extractor
from openmie.model.features.batching import Featurizer, with_words
from openmie.model.features.encoded_document import Batch, EncodedDocument
from openmie.model.features.images import masked_modalities
from openmie.model.features.pairs import merge_pairs
from openmie.model.finite_weights import check_finite
from openmie.model.long_documents import way_of
from openmie.model.tasks.task import CandidateSource
from openmie.model.tensor_file import save_tensors
from openmie.nn.streams import Streams
from openmie.recipe import Recipe
from openmie.recipe.own_parts import lacking_part, own_parts_of

MIN_TEXT_TOKENS = 11  # that a context must leave: eight of the text, three special tokens
ENTRIES = ("recipe.json", "parts.json", "card.md", "config.json", "model.safetensors", "text", "vision")
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


class Model(ModelHubMixin, library_name="openmie", tags=["multimodal-information-extraction"]):
    """Recipe, weights, and what turns Documents into tensors and back.

    `save_pretrained(folder)` and `push_to_hub(repo_id)` write a model folder; `openmie.load` reads one.
    """

    def __init__(self, recipe: Recipe, text: TextBackbone, vision: VisionBackbone | None, card: str = "") -> None:
        self.recipe, self.text, self.vision, self.card = recipe, text, vision, card
        inputs = recipe.encode.inputs
        context = inputs.context_tokens if inputs.context else 0
        if text.max_length - context < MIN_TEXT_TOKENS:
            raise RecipeError(
                f"{context} tokens of context in a sequence of {text.max_length}",
                expected=f"room for the text beside it, at least {MIN_TEXT_TOKENS} tokens with the special ones",
                where="encode.context_tokens",
                remedy=f"set it to at most {text.max_length - MIN_TEXT_TOKENS}",
            )
        self.extractor = Extractor.build(recipe, text.model, vision.model if vision else None)
        self.featurizer = Featurizer(recipe, text, vision)
        self.tasks = self.featurizer.tasks

    @classmethod
    def new(cls, recipe: Recipe) -> Model:
        """Untrained heads on the recipe's backbones."""
        recipes.check(recipe)
        encode: Any = recipe.encode
        inputs = encode.inputs
        vision = load_vision(encode.vision, encode.text, inputs.image_size) if inputs.reads_images else None
        return cls(recipe, load_text(encode.text), vision)

    def predict(
        self, documents: Iterable[Document], batch_size: int = 32, candidates: CandidateSource = "predicted"
    ) -> list[Document]:
        """Predict the layers that the recipe's heads find.

        A relation recipe labels the pairs that a document lists, or all pairs of its mentions; of more than 4,096 pairs
        the nearest, as a note in the prediction's `errors` says. A long text is read in segments, so that memory does
        not grow with it, see `openmie.model.long_documents`. An image that cannot be read is masked, and `errors` say
        so.

        Args:
            documents: documents with text, and with images where the recipe reads them.
            batch_size: documents encoded together at most; a batch has fewer where they are long or have many frames.
                Predictions do not depend on it.
            candidates: between which mentions chains, relations and regions are found. `predicted`: the model's own, so
                that no gold layer is read. `gold_mentions`: the document's mentions, whose chains are found.
                `gold_chains`: the document's mentions and chains.

        Returns:
            One predicted Document per document, in order, with the same id.

        Raises:
            ModelError: an unknown `candidates`, or a batch size below 1.
            DocumentError: something that is no Document.
        """
        given = with_words(documents)
        ways = [way_of(self, document) for document in given]
        short = [document for document, way in zip(given, ways) if way is None]
        encoded = self.featurizer.featurize(short, candidates=candidates)
        found = iter(self.predict_encoded(encoded, (candidates,), batch_size)[candidates])
        return [
            next(found) if way is None else way(self, document, batch_size, candidates)
            for document, way in zip(given, ways)
        ]

    @torch.inference_mode()
    def predict_encoded(
        self,
        encoded: Sequence[EncodedDocument],
        candidates: Sequence[CandidateSource] = ("predicted",),
        batch_size: int = 32,
    ) -> dict[CandidateSource, list[Document]]:
        """`predict` for several candidate sources, in one pass of the encoders.

        Args:
            encoded: what `featurizer.featurize` made of the documents, with the richest of the candidate sources:
                those that read less are not shown what the others read.
            candidates: the sources to predict with.
            batch_size: as in `predict`.

        Returns:
            For each candidate source one predicted Document per document, in order.
        """
        if batch_size < 1:
            raise ModelError(f"batch_size={batch_size}", expected="at least 1", remedy="32 is usual")
        training = self.extractor.training
        self.extractor.eval()
        device = next(self.extractor.parameters()).device
        found: dict[CandidateSource, dict[int, Document]] = {source: {} for source in candidates}
        for chosen in self.featurizer.batches(encoded, batch_size):
            part = [encoded[i] for i in chosen]
            batch = self.featurizer.collate(part).to(device)
            fused = self.extractor.streams(batch.inputs).fused
            for source in candidates:
                found[source] |= zip(chosen, self.predict_streams(fused, part, batch, source))
        self.extractor.train(training)
        return {k: merge_pairs(encoded, [d[i] for i in range(len(encoded))]) for k, d in found.items()}

    def predict_streams(
        self,
        fused: Streams,
        encoded: Sequence[EncodedDocument],
        batch: Batch,
        candidates: CandidateSource = "predicted",
    ) -> list[Document]:
        """One Document per encoded document, from the fused streams of their batch."""
        visible = self.tasks.visible(batch.given, candidates)
        layers = self.tasks.decode(encoded, self.extractor.predict(fused, visible), candidates)
        objects = "objects" in self.recipe.encode.makes()
        masked = [masked_modalities(e, self.recipe.encode.inputs, objects) for e in encoded]
        return [e.predicted(found, missing) for e, found, missing in zip(encoded, layers, masked)]

    @property
    def reads_images(self) -> bool:
        """Whether the recipe reads images."""
        return bool(self.recipe.encode.inputs.reads_images)

    def identity(self) -> dict[str, str]:
        """The recipe's name, and hashes of recipe and weights: for `openmie.data.provenance`."""
        state = {name: value.detach().cpu().contiguous() for name, value in self.extractor.state_dict().items()}
        weights = {name: hashlib.sha256(save({"": value})).hexdigest() for name, value in state.items()}
        return {
            "name": self.recipe.name,
            "recipe": digest(recipes.dump(self.recipe)),
            "weights": digest(weights),
        }

    def losses(self, documents: Iterable[Document]) -> dict[str, Tensor]:
        """Named, unweighted losses of one batch of gold documents: for inspection."""
        return self.extractor(self.featurizer.collate(self.featurizer.featurize(documents, gold=True))).losses

    # -- folders

    def save_pretrained(  # type: ignore[override]
        self, save_directory: str | Path, *, repo_id: str = "", push_to_hub: bool = False, **options: Any
    ) -> str | None:
        """Write the model folder: all of it, or what was there stays.

        Args:
            save_directory: the folder; what else is in it stays.
            repo_id: with `push_to_hub`: where; "": the folder's name.
            push_to_hub: upload the folder, too.
            options: of `push_to_hub`.

        Returns:
            The address of the commit on the Hub; None without `push_to_hub`.
        """
        self._save_pretrained(Path(save_directory))
        return self.push_to_hub(repo_id or Path(save_directory).name, **options) if push_to_hub else None

    def push_to_hub(self, repo_id: str, **options: Any) -> str:  # type: ignore[override]
        """Upload the model folder, whose card the Hub shows as README.md.

        Args:
            repo_id: such as "someone/something".
            options: `token`, `private`, and those of huggingface_hub's `upload_folder`.

        Returns:
            The address of the commit.
        """
        api = HfApi(token=options.pop("token", None))
        repo_id = api.create_repo(repo_id, private=options.pop("private", None), exist_ok=True).repo_id
        with TemporaryDirectory() as folder:
            self._save_pretrained(Path(folder))
            shutil.copyfile(Path(folder) / "card.md", Path(folder) / "README.md")
            return str(api.upload_folder(repo_id=repo_id, repo_type="model", folder_path=Path(folder), **options))

    def _save_pretrained(self, save_directory: Path) -> None:
        with replace_set(Path(save_directory), ENTRIES) as folder:
            self.text.save(folder / "text")
            if self.vision:
                self.vision.save(folder / "vision")
            text = json.dumps(recipes.dump(self.recipe), indent=1, ensure_ascii=False)
            writing.replace_text(folder / "recipe.json", text)
            if own := own_parts_of(self.recipe):
                writing.replace_text(folder / "parts.json", json.dumps(own, indent=1, sort_keys=True))
            writing.replace_text(folder / "card.md", self.card or f"# {self.recipe.name}\n\nAn openmie model.\n")
            writing.replace_text(folder / "config.json", json.dumps({"library": "openmie"}))  # the Hub counts by it
            self.save_weights(folder / "model.safetensors")

    def save_weights(self, path: Path) -> None:
        """The state as safetensors, whole or not at all."""
        with writing.replace_path(path) as beside:
            save_tensors(self.extractor.state_dict(), beside)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None = None,
        cache_dir: Any = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: Any = None,
        parts: Iterable[type] = (),
        **_: Any,
    ) -> Model:
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    token=token,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    allow_patterns=["*.json", "*.md", "*.safetensors", "*.txt", "*.model"],
                )
            )
        return read_folder(folder, parts)


def load(folder: str | Path, parts: Iterable[type] = (), **hub: Any) -> Model:
    """A trained model from its folder or hub id; `parts` are config classes of the user's own that its recipe names."""
    path = Path(folder)
    if not path.is_dir() and (path.exists() or str(folder).count("/") > 1 or str(folder).startswith((".", "/", "~"))):
        raise ModelError(
            f"no folder {str(folder)!r}",
            expected="a folder that `openmie train` wrote, or a hub id",
            remedy="train one (`openmie demo` is the quickest way), or check the path",
        )
    if path.is_dir():
        return read_folder(path, parts)
    try:
        return Model.from_pretrained(str(folder), parts=tuple(parts), **hub)
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError) as error:
        raise ModelError(
            f"neither a folder {str(folder)!r} here nor a model of that id: {str(error).splitlines()[0][:200]}",
            expected="a folder that `openmie train` wrote, or a hub id",
            remedy="check the path; for a hub id, check the name, the token and the network",
        ) from error


def read_folder(folder: Path, parts: Iterable[type] = ()) -> Model:
    """Errors: files missing, a pickle among them, or weights that do not fit the recipe."""
    try:
        settle(folder, ENTRIES)
    except (OSError, ValueError) as error:
        raise _damaged(folder, f"a saving that was interrupted ({str(error)[:120]})", "a folder to end it in") from None
    pickles = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.suffix.lower() in PICKLES)
    if pickles:
        raise ModelError(
            f"{pickles} in {folder}",
            expected="safetensors and JSON only",
            remedy="a pickle can run code when it is read: remove it, and only use folders that you trust",
        )
    missing = [n for n in ("recipe.json", "model.safetensors", "text") if not (folder / n).exists()]
    if missing:
        raise ModelError(
            f"{folder} lacks {missing}",
            expected="a folder that `openmie train` wrote",
            remedy="pass the `--out` folder of a finished training",
        )
    try:
        model = _restored(folder, parts)
    except OpenMIEError:
        raise
    except Exception as error:  # tokenizers raise bare ones, and a damaged configuration may say anything
        raise _damaged(folder, f"{type(error).__name__}: {str(error)[:200]}", "readable files") from error
    try:
        state = load_file(folder / "model.safetensors")
        check_finite(state, folder / "model.safetensors")
        model.extractor.load_state_dict(state, strict=True)
    except (SafetensorError, RuntimeError, OSError, ValueError, TypeError) as error:
        found = f"weights do not fit: {str(error)[:300]}"
        raise _damaged(folder / "model.safetensors", found, "the weights of this recipe") from None
    model.extractor.eval()
    return model


def _restored(folder: Path, parts: Iterable[type]) -> Model:
    """Everything but the weights."""
    parts = tuple(parts)
    _check_parts(folder / "parts.json", parts)
    recipe = recipes.load((folder / "recipe.json").read_text(encoding="utf8"), parts)
    if not isinstance(recipe, Recipe):
        raise _damaged(folder / "recipe.json", f"a {type(recipe).__name__}", "a Recipe")
    if recipe.encode.inputs.reads_images and not (folder / "vision").is_dir():
        raise _damaged(folder, "no folder `vision`", "the vision encoder that recipe.json names")
    card = folder / "card.md"
    text = card.read_text(encoding="utf8", errors="replace") if card.exists() else ""
    return Model(recipe, *restore(folder), card=text)


def _check_parts(file: Path, parts: Iterable[type]) -> None:
    """All parts that are none of openmie's were given. A file that the folder names is never run for that."""
    own = json.loads(file.read_text(encoding="utf8")) if file.exists() else {}
    if not isinstance(own, dict) or not all(isinstance(x, str) for x in own.values()):
        raise _damaged(file, f"{str(own)[:80]!r}", "names of parts and of their files")
    if lacking := lacking_part(own, parts):
        name, module = (x[:80] for x in lacking)
        raise ModelError(
            f"the part {name!r} of the file {module!r}, which is none of openmie",
            expected="that file, or the class, from whoever loads the model: no code is run because a folder names it",
            where=str(file.parent),
            remedy=f"pass --parts {module}, if you trust it; in Python: load(..., parts=[{name}])",
        )


def _damaged(where: Path, found: str, expected: str) -> ModelError:
    return ModelError(found, expected=expected, where=str(where), remedy="the folder is damaged; copy or train it anew")
