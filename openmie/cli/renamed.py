"""Names that commands and options had before 0.2, and the new ones. The old ones work, and say the new one."""

COMMANDS = {"captions": "caption-review", "prompt": "zero-shot"}

_PROMPTED = {"--images": "--image-dir", "--set": "--vlm-option"}
OPTIONS: dict[str, dict[str, str]] = {  # command -> old -> new
    "extract": _PROMPTED,
    "zero-shot": {**_PROMPTED, "--first": "--max-documents"},
    "score": {"--as-json": "--format=json"},
    "doctor": {"--set": "--vlm-option"},
    "bench": {"--posts": "--max-documents"},
    "show": {"--most": "--max-entities"},
    "objects": {
        "--images": "--image-dir",
        "--most": "--max-candidates",
        "--queries": "--max-queries",
        "--batch": "--batch-size",
    },
    "caption": {
        "--images": "--image-dir",
        "--batch": "--batch-size",
        "--pictures": "--image-format",
        "--key-env": "--api-key-env",
    },
    "caption-review": {"--source": "--generator"},
    "video": {"--shortest": "--min-seconds", "--longest": "--max-seconds", "--image": "--image-format"},
}
