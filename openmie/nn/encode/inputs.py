"""What an encoder reads of a document, as one value: whoever prepares inputs reads it here, whichever encoder it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class EncoderInputs:
    """What an encoder reads of a document. Every encoder config has it as its property `inputs`.

    The words of the text are always read. An encoder that reads frames reads no other images but, in a document without
    frames, the main image in their place.
    """

    context: str = ""  # caption generator whose text is read as context; `*` takes the first caption; empty: none
    context_tokens: int = 0  # at most so many tokens of the context
    separate_context_pass: bool = False  # the context is encoded in a pass of its own, not joined to the text
    phrases: bool = False  # the words by which object images were found, in a pass of their own
    reads_images: bool = False
    objects: int = 0  # at most so many object images (of the generated image: as many again)
    main_image_with_objects: bool = True  # False: the main image only where a document has no object image
    generated: bool = False  # the image generated from the text, too
    max_frames: int = 0  # at most so many video frames, evenly spaced; 0: the encoder reads no frames
    image_size: int = 0  # pixels that an image is resized to, both sides; 0: as the backbone's preprocessing says
