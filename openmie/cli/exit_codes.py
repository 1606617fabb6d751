"""Exit codes of the commands beside 0, done, and 2, an error."""

PARTIAL = 3  # some records could not be read, or some runs failed; the output holds the rest and the reasons
INTERRUPTED = 130
READER_GONE = 141  # who reads our output has closed the pipe
