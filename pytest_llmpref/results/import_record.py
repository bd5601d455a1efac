"""Where the replies of an imported model come from, as results.json says it."""

import msgspec

from pytest_llmpref.results.diagnostics import Count


class SourceRecord(msgspec.Struct, frozen=True):
    """A file that was imported.

    Attributes
    ----------
    file
        Its name.
    sha256
        SHA-256 of its content.
    rows
        Number of its rows or samples.
    """

    file: str
    sha256: str
    rows: Count


class ImportRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was imported for a model that this tool never asked.

    Attributes
    ----------
    sources
        The files.
    kept
        Number of replies imported.
    excluded
        Reason for leaving out replies -> number of them.
    read_by
        Source of the outcomes: ``given``, the data if they state one; ``rules``, our reader for every reply with a
        text.
    """

    sources: list[SourceRecord]
    kept: Count
    excluded: dict[str, Count] = {}
    read_by: str = "given"

    @property
    def said(self) -> str:
        """The same in words.

        Examples
        --------
        >>> ImportRecord(sources=[SourceRecord("votes.csv", "", 12)], kept=10, excluded={"no answer": 2}).said
        'imported from votes.csv: 10 of 12 rows; left out: 2 no answer'
        """
        files = ", ".join(source.file for source in self.sources)
        text = f"imported from {files}: {self.kept:,} of {sum(source.rows for source in self.sources):,} rows"
        left_out = ", ".join(f"{count:,} {why}" for why, count in self.excluded.items())
        return f"{text}; left out: {left_out}" if left_out else text
