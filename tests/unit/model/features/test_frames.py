"""Which frames of a long document are read, and at which second each word is spoken."""

import numpy as np
import pytest

from openmie.data.document import Document, Image, TimeSpan
from openmie.model.features.images import select_images, skipped_frames, word_timestamps
from openmie.nn.encode.inputs import EncoderInputs


def video(n):
    return Document(id="v", images=tuple(Image(kind="frame", id=f"f{i}", time=float(i)) for i in range(n)))


@pytest.mark.parametrize(
    ("n", "most", "read"), [(7, 3, [0, 2, 4]), (8, 4, [0, 2, 4, 6]), (3, 2, [0, 1]), (5, 1, [0]), (4, 4, [0, 1, 2, 3])]
)
def test_the_frames_read_are_evenly_spaced_from_the_first(n, most, read):
    inputs = EncoderInputs(max_frames=most, reads_images=True)
    assert [(slot, image.id) for slot, image in select_images(video(n), inputs)] == [
        (slot, f"f{i}") for slot, i in enumerate(read)
    ]
    assert (skipped_frames(video(n), inputs) is None) == (n <= most)


def test_a_word_that_begins_where_a_span_ends_is_of_the_next_one():
    document = Document.from_words("d", ["one", "two", "six"])  # at 0, 4 and 8
    document = document.replace(times=(TimeSpan(0, 4, 0.0, 2.0), TimeSpan(4, 8, 2.0, 6.0)))
    assert word_timestamps(document)[:2].tolist() == [1.0, 4.0]
    assert np.isnan(word_timestamps(document)[2])  # no span holds it
    early = document.replace(times=(TimeSpan(0, 8, 0.0, 2.0), TimeSpan(4, 8, 2.0, 6.0)))
    assert word_timestamps(early)[:2].tolist() == [1.0, 1.0]  # of two spans the first
