"""What an encoder reads of a document, as one value: whoever prepares inputs reads it here, whichever encoder it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EncoderInputs:
    """What an encoder reads of a document; every encoder config has it as its property `inputs`.

    The words of the text are always read. An encoder that reads frames reads no other images but, in a document without
    frames, the main image in their place.

    Args:
        text_tokens: maximum number of tokens of the text, both marks included; 0: all of it.
        context: captioning model whose caption is read as the stream `context`; `*`: the one that
            stands first in most training documents; empty: none.
        context_tokens: maximum number of context tokens.
        separate_context_pass: the context is encoded by itself, not joined to the text.
        phrases: read the noun phrases by which object crops were found.
        reads_images: whether images are read at all.
        objects: maximum number of object crops, and as many of the generated image.
        main_image_with_objects: False: the main image is read only where a document has no object crop.
        generated: read the image generated from the text, too.
        max_frames: maximum number of video frames, evenly spaced; 0: frames are not read.
        default_picture: a document without a readable image has a picture of one colour in each of its object crops.
        image_size: side in pixels that images are resized to; 0: as the backbone's preprocessing says.
    """

    text_tokens: int = 0
    context: str = ""
    context_tokens: int = 0
    separate_context_pass: bool = False
    phrases: bool = False
    reads_images: bool = False
    objects: int = 0
    main_image_with_objects: bool = True
    generated: bool = False
    max_frames: int = 0
    default_picture: bool = False
    image_size: int = 0
