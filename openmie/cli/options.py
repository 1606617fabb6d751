"""Options that several commands have: spelled and explained alike everywhere, because they stand here once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from openmie.bench import system as systems
from openmie.cli.exit_codes import PARTIAL as PARTIAL

if TYPE_CHECKING:
    from openmie.formats.post_columns import PostColumns

PAPERS = systems.names()

Source = Annotated[
    str, typer.Argument(help="FORMAT:PATH, or a file as `openmie extract` and `convert` read it; - is stdin.")
]
Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCE...",
        help="FORMAT:PATH, or files, folders and patterns as `openmie extract` and `convert` read them; - is stdin.",
    ),
]
From = Annotated[str, typer.Option("--from", help="Format of the source; default: as its name or its content tells.")]
TextColumn = Annotated[str, typer.Option(help="Column or key of the text; default: text.")]
ImageColumn = Annotated[
    str, typer.Option(help="Column or key of the image, or of a list of images; several, with commas; default: image.")
]
IdColumn = Annotated[str, typer.Option(help="Column or key of the id; default: id. Posts without one are numbered.")]
ImageDir = Annotated[
    str | None,
    typer.Option("--image-dir", help="Folder of the images that the source names; absolute paths may lead into it."),
]
Splits = Annotated[list[str] | None, typer.Option(help="A split; repeatable. Default: all of the corpus.")]
SplitsFolder = Annotated[Path, typer.Option(help="Folder to write: one file of JSON lines a split.")]
Restart = Annotated[
    bool, typer.Option("--restart", help="Remove the rows that are in the folder --out, and begin anew.")
]
Revision = Annotated[str, typer.Option(help="Commit, branch or tag of a hub id; default: its main branch.")]
Seed = Annotated[int, typer.Option(help="Seed of the random numbers.")]
Bootstrap = Annotated[int, typer.Option(help="Resamples for the confidence interval; 0: none.")]
MaxDocuments = Annotated[int, typer.Option(help="Take only the first so many documents; 0: all.")]
SpanEdges = Annotated[
    str, typer.Option(help="Where gold spans that cut words are compared: expand (to whole words), shrink or drop.")
]
Symmetric = Annotated[list[str] | None, typer.Option(help="Relation label without direction; repeatable.")]

# -- systems and their recipes
Paper = Annotated[str, typer.Argument(help="System, such as baseline or shap_ca; a wrong name lists them all.")]
Ablate = Annotated[str, typer.Option(help="Ablation of the system; `openmie show PAPER` lists them.")]
Flavour = Annotated[
    str, typer.Option(help="Flavour of the system: small (default), paper, ...; `openmie show SYSTEM` lists them.")
]
Task = Annotated[str, typer.Option(help="ner, re or joint; default: what the corpus holds.")]
Precision = Annotated[str, typer.Option(help="no, bf16 or fp16.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change one field of the recipe, such as fuse.heads=8 or training.epochs=3; repeatable.",
    ),
]
Option = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="Argument of the system's recipe(), such as text=minilm."),
]

Parts = Annotated[
    list[Path] | None,
    typer.Option(
        "--parts",
        metavar="FILE.py",
        help="Python file with parts of your own, which is run: only one that you trust; repeatable.",
    ),
]

# -- vision-language models
VLM = Annotated[str, typer.Option(help="Vision-language model: a hub id, a folder, or the server's name for it.")]
System = Annotated[
    str,
    typer.Option(help="Prompt a vision-language model: schema (every task, as JSON), or pfa (that paper's format)."),
]
Endpoint = Annotated[
    str, typer.Option(help="Server with OpenAI's protocol, such as http://localhost:8000/v1; default: run it here.")
]
Endpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="Server with OpenAI's protocol, such as http://localhost:8000/v1; repeatable: servers of one model share "
        "the job. Limits of one stand behind it: URL#concurrency=4,key_env=NAME. Default: run it here.",
    ),
]
Tasks = Annotated[
    str,
    typer.Option(
        help="ner, chains, re, boxes, joint, grounded; of a vision-language model also summary, records; with commas."
    ),
]
Label = Annotated[
    list[str] | None, typer.Option(metavar="LABEL=MEANING", help='A label to find, such as PER="a person"; repeatable.')
]
RelationLabel = Annotated[
    list[str] | None, typer.Option("--relation", metavar="LABEL=MEANING", help="The same for relations; repeatable.")
]
LabelsFile = Annotated[
    Path | None, typer.Option(help='JSON: {"PER": "a person"}, or such an object for mentions, relations, ...')
]
Examples = Annotated[
    Path | None,
    typer.Option(
        help="Annotated documents that prompts of a vision-language model show: those nearest to the post "
        "(--vlm-option nearest=false: always the first; shown_examples=3). Their labels count where none are given."
    ),
]
Instructions = Annotated[
    str, typer.Option(help="What a vision-language model is told beside the task: a text, or a text file.")
]
RecordSchemaFile = Annotated[
    Path | None,
    typer.Option("--schema", help="JSON Schema of records to extract, with descriptions; with --system schema."),
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=MEANING",
        help='What is asked of each mention beside its label, such as role="what they do", or PER.role=...; '
        "repeatable; with --system schema.",
    ),
]
Passes = Annotated[
    int, typer.Option(help="Times that a vision-language model reads each text; what they find is united. Default: 1.")
]
Threshold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER", help="Least score with base, 0 to 1, or LABEL=NUMBER; repeatable. Default: calibrated."
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="File that keeps all answers, or none; default: yours, as `openmie answers stats` tells."
    ),
]
MaxSide = Annotated[
    int | None,
    typer.Option(metavar="PIXELS", help="Longest side of a picture as a server gets it; 0: any. Default: 2016."),
]
CaptionPrompt = Annotated[str, typer.Option(help="camim (that paper's), summary (ours), or the text of one.")]
CaptionName = Annotated[str, typer.Option(help="Generator of the captions; default: the model's name.")]
ReplaceCaptions = Annotated[
    bool, typer.Option("--replace", help="Caption again where a document has a caption of this name.")
]
CaptionTokens = Annotated[int, typer.Option(help="Longest caption, in tokens.")]
Temperature = Annotated[float, typer.Option(help="Of sampling; 0: greedy decoding.")]
Price = Annotated[
    str, typer.Option(metavar="IN,OUT", help="Price of a million tokens of prompts and of answers: 0.15,0.6")
]
Estimate = Annotated[
    bool, typer.Option("--estimate", help="Print requests, tokens, bytes and cost of the job, and send nothing.")
]
VLMOption = Annotated[
    list[str] | None,
    typer.Option(
        "--vlm-option",
        metavar="FIELD=VALUE",
        help="Of the prompt (window, images, family, ...) or the model (max_tokens, dialect, timeout, ...); "
        "repeatable.",
    ),
]


def load_parts(files: Sequence[Path] | None) -> tuple[str, ...]:
    """Run the files of `--parts`: their parts are known to recipes and model folders from then on.

    Returns:
        How records name the files.
    """
    if not files:
        return ()
    from openmie.recipe import own_parts

    own_parts.load_parts(*files)
    return own_parts.part_marks()


def post_columns(text: str, image: str, id: str) -> PostColumns:
    """The columns that hold a post, as `--text-column`, `--image-column` and `--id-column` name them."""
    from openmie.formats.post_columns import PostColumns

    return PostColumns.of({"text_column": text, "image_column": image, "id_column": id})


def load_corpus(spec: str, image_dir: str | None) -> Any:
    """The corpus of a name, its images in the folder of `--image-dir` where one is given."""
    from openmie import corpora

    return corpora.load(spec, **({"images": image_dir} if image_dir else {}))


def reader_options(image_dir: str | None, text: str, image: str, id: str) -> dict[str, str]:
    """Options of a reader: the folder of images, and the names of columns, where they were given."""
    return post_columns(text, image, id).options() | ({"images": image_dir} if image_dir else {})


def key_values(flag: str, typed: Sequence[str] | None) -> dict[str, str]:
    """Options of a reader or writer, as typed: KEY=VALUE.

    Raises:
        OpenMIEError: one without an equals sign.
    """
    from openmie.errors import OpenMIEError

    given: dict[str, str] = {}
    for option in typed or ():
        key, equals, value = option.partition("=")
        if not equals:
            raise OpenMIEError(
                f"{flag} {option!r}", expected="KEY=VALUE", remedy="write it so, such as layer=predictions"
            )
        given[key] = value
    return given


def prices(text: str) -> tuple[float, float] | None:
    """The two prices of `--price`; None: none were given. OpenMIEError: something else."""
    from openmie.errors import OpenMIEError

    if not text:
        return None
    try:
        prompt, answer = (float(part) for part in text.split(","))
        if not (0 <= prompt < float("inf") and 0 <= answer < float("inf")):
            raise ValueError
    except ValueError:
        raise OpenMIEError(
            f"--price {text} is not two prices",
            expected="two numbers, the prices of a million tokens, such as 0.15,0.6",
            remedy="write --price PROMPT,ANSWER",
        ) from None
    return prompt, answer


def extraction_request(system: str, model: Sequence[str] | None, **options: Any) -> Any:
    """What a vision-language model is asked for, or None where no system is named.

    Raises:
        OpenMIEError: options that need `--system` without it, or several models.
    """
    from openmie.errors import OpenMIEError

    side = options.pop("max_side", None)
    if side is not None:
        options["settings"] = [*(options.get("settings") or ()), f"max_side={side}"]
    given = {name: value for name, value in options.items() if value}
    if not system and set(given) - {"tasks"}:
        name = next(name for name in given if name != "tasks")
        flag = {"settings": "vlm-option", "record_schema": "schema"}.get(name, name)
        raise OpenMIEError(
            f"--{flag} without --system",
            expected="--system schema or --system pfa",
            remedy=f"name one of them, or leave --{flag} out for a trained model",
        )
    if not system:
        return None
    from openmie.vlm.prompting.request import ExtractionRequest

    if model and len(model) > 1:
        raise OpenMIEError(
            f"{len(model)} times --model", expected="one model with --system", remedy="run them one after the other"
        )
    return ExtractionRequest(system=system, model=model[0] if model else "", **given)
