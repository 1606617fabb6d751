"""A mistyped name of a model is told at once, with the names that are near, before anything heavy is imported.

The hub's own client tries an unknown name again and again, for most of a minute where there is no network. Here a name
that is no folder is first compared with what is there, then asked for once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from openmie.errors import ModelError, RecipeError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}(/[A-Za-z0-9][\w.\-]{0,95})?")
SECONDS = 3.0  # that the hub has for one answer
NEAR = 0.75  # of 1, from which a name counts as mistyped
TEXT_ENCODERS = ("tiny", "characters", "minilm", "e5")  # built in, see `openmie.model.backbones`
VISION_ENCODERS = ("tiny", "tiny-clip", "lite0")


def check_model_name(name: str, known: Iterable[str] = (), expected: str = "a model folder, or a hub id") -> None:
    """Check a name before its model is loaded.

    Args:
        name: folder or hub id.
        known: names that mean a model without being either, such as "base".
        expected: what would do, for the error.

    Raises:
        ModelError: no such folder, and no such hub id; a name that is nearly a known one, or a folder beside which such
            a folder lies.
    """
    known = tuple(known)
    if name in known or (name and Path(name).expanduser().is_dir()) or is_cached(name):
        return
    near = get_close_matches(name, [*known, *_folders_beside(name)], n=3, cutoff=NEAR)
    reason = ""
    if not near:
        reason = _no_hub_id(name) or query_hub(name)
        if not reason:
            return
        near = get_close_matches(name, [*known, *_folders_beside(name), *_cached_names()], n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(map(repr, near))}?" if near else "check the path; for a hub id, check its name"
    found = f"neither a folder {name!r} here nor a model of that id: {reason}" if reason else f"no folder {name!r} here"
    raise ModelError(found, expected=expected, remedy=meant)


def check_backbones(text: str, vision: str = "") -> None:
    """Check the names of a recipe's encoders before anything is read or loaded.

    Args:
        text: name of the text encoder.
        vision: of the vision encoder; "": none.

    Raises:
        RecipeError: as `check_model_name`, of a name that is no built-in encoder.
    """
    for name, known in ((text, TEXT_ENCODERS), (vision, VISION_ENCODERS)):
        try:
            if name:
                check_model_name(name, known, f"{', '.join(known)}, a hub id, or a folder with safetensors weights")
        except ModelError as error:
            raise RecipeError.of(error.record) from None


def is_cached(name: str) -> bool:
    """Whether the hub's client has files of this id on the disk."""
    return bool(HUB_ID.fullmatch(name)) and (_cache() / f"models--{name.replace('/', '--')}").is_dir()


@cache
def query_hub(name: str) -> str:
    """Why a hub id cannot be loaded, asked once; "" where it can, or where only the client can tell."""
    if os.environ.get("HF_HUB_OFFLINE", "0").upper() in ("1", "TRUE", "YES", "ON"):
        return "no hub is asked (HF_HUB_OFFLINE)"
    import urllib.error
    import urllib.request

    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    request = urllib.request.Request(f"{host}/api/models/{name}", method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        private = error.code in (401, 403) and _has_token()
        return f"{host} has no model of that id" if error.code in (401, 403, 404) and not private else ""
    except (OSError, ValueError) as error:
        return f"{host} cannot be reached ({getattr(error, 'reason', error)})"


def _no_hub_id(name: str) -> str:
    return "" if HUB_ID.fullmatch(name) else "it is no hub id (ORGANISATION/NAME)"


def _folders_beside(name: str) -> list[str]:
    """Folders where the named one would lie, as they would have been typed."""
    parent = Path(name).expanduser().parent
    typed = name.rpartition("/")[0]
    try:
        return [f"{typed}/{f.name}" if typed else f.name for f in parent.iterdir() if f.is_dir()] if name else []
    except (OSError, ValueError):
        return []


def _cache() -> Path:
    home = Path(os.environ.get("HF_HOME", "") or Path("~/.cache/huggingface").expanduser())
    return Path(os.environ.get("HF_HUB_CACHE", "") or home / "hub")


def _cached_names() -> list[str]:
    return [f.name.removeprefix("models--").replace("--", "/", 1) for f in _cache().glob("models--*")]


def _has_token() -> bool:
    """Whether the client might know a private model that we do not see; the token is not read."""
    home = Path(os.environ.get("HF_HOME", "") or Path("~/.cache/huggingface").expanduser())
    return bool(os.environ.get("HF_TOKEN")) or (home / "token").is_file()
