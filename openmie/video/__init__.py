"""From a video to documents: clips, their transcript and frames, annotation by people, and splits by video.

    build        a video and its subtitles -> Documents with timed text and frames, written with the frames
    transcribe   subtitles by a Whisper model, where a video has none
    annotate     out to brat, LabelImg and Label Studio, and back
    split        8 : 1 : 1 by video, so that the clips of one never straddle

After M3D (Liu et al., section III). Needs `pip install 'openmie[video]'`.
"""

from openmie.video.clips import Clip, cut_clips
from openmie.video.dataset import BuildSettings, build_documents, build_folder
from openmie.video.splits import split_by_video
from openmie.video.subtitles import Cue, Subtitles, read_subtitles

__all__ = [
    "BuildSettings",
    "Clip",
    "Cue",
    "Subtitles",
    "build_documents",
    "build_folder",
    "cut_clips",
    "read_subtitles",
    "split_by_video",
]
