"""Object detectors: pixels in, boxes with classes and scores out."""
