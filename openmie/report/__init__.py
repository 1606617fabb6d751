"""What was extracted, to look at: one self-contained HTML page (`write`), or one post as a picture (`picture`)."""

from openmie.report.charts import Bars, Curves, Table
from openmie.report.page import write
from openmie.report.picture import picture

__all__ = ["Bars", "Curves", "Table", "picture", "write"]
