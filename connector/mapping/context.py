"""What the parts of a mapping need while they are compiled."""

from __future__ import annotations

from dataclasses import dataclass

from connector.domain.schema import FieldSchema
from connector.mapping.labels import Labels, Pipeline
from connector.mapping.load import Document
from connector.mapping.model import MappingFile
from connector.mapping.problems import Report


@dataclass(frozen=True, slots=True)
class Context:
    """The file, the account that it is bound to, and where mistakes are noted."""

    document: Document
    labels: Labels
    status_field: FieldSchema
    pipeline: Pipeline

    @property
    def file(self) -> MappingFile:
        """The mapping file."""
        return self.document.file

    @property
    def report(self) -> Report:
        """Where mistakes are noted."""
        return self.labels.report

    @property
    def is_bound(self) -> bool:
        """Whether an account's schema is known."""
        return self.labels.schema is not None

    def stage(self, word: str, *path: str | int, at_key: bool = False) -> str:
        """The native CRM status that a word of the file means."""
        return self.labels.value(self.status_field, word, *path, group=self.pipeline.value, at_key=at_key)
