"""Labels → native ids, by the schema that a CRM account shows. Without a schema, words stay as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.domain.schema import FieldSchema, Option, Schema
from connector.mapping.problems import Report, Step, listed

DEFAULT_PIPELINE = "0"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The pipeline that the mapping's records lie in; both parts are empty where the CRM has none."""

    field: str = ""
    value: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Looks words up in a schema and reports those that it does not know."""

    schema: Schema | None
    report: Report

    def field(self, word: str, *path: Step) -> FieldSchema:
        """The CRM field of that native name, else of that label. An unknown one is reported."""
        unchecked = FieldSchema(word)
        if self.schema is None:
            return unchecked
        found = self.schema.field(word)
        if found is not None:
            return found
        same = [one for one in self.schema.fields if one.label.casefold() == word.casefold()]
        if len(same) == 1:
            return same[0]
        if same:
            names = listed([one.name for one in same])
            self.report.add("M204", f"'{word}' is the label of several CRM fields: {names}; use the name", *path)
            return unchecked
        known = [one.name for one in self.schema.fields] + [one.label for one in self.schema.fields]
        self.report.add("M202", f"the CRM has no field '{word}'", *path, suggestion=self.report.guess(word, known))
        return unchecked

    def pipeline(self, status: FieldSchema, word: str | None, stages: Iterable[str]) -> Pipeline:
        """The pipeline that the file names; else the option with the value 0; else the best fit for these stages."""
        parent = self.schema.field(status.parent) if self.schema is not None and status.parent else None
        if parent is None or not parent.options:
            if word is not None and self.schema is not None:
                self.report.add("M206", f"the CRM field '{status.name}' does not belong to pipelines", "pipeline")
            return Pipeline()
        default = next((one for one in parent.options if one.value == DEFAULT_PIPELINE), None)
        default = default or fitting(status, parent.options, stages)
        found = [default] if word is None else matching(parent.options, word)
        if len(found) != 1:
            labels = [one.label for one in parent.options]
            wrong = "the label of several pipelines; use the id" if found else "no pipeline"
            message = f"'{word}' is {wrong}; there are: {', '.join(labels)}"
            self.report.add("M206", message, "pipeline", suggestion=self.report.guess(str(word), labels))
            found = [default]
        return Pipeline(parent.name, found[0].value, found[0].label)

    def value(self, field: FieldSchema, word: str, *path: Step, group: str = "", at_key: bool = False) -> str:
        """The native value for a label or value. Unknown and ambiguous words are reported and stay as they are."""
        options = options_of(field, group)
        if not options:
            return word
        found = matching(options, word)
        if len(found) == 1:
            return found[0].value
        add = self.report.add_at_key if at_key else self.report.add
        if found:
            values = listed([one.value for one in found])
            add("M204", f"'{word}' stands for several values of {field.name}: {values}; use the value", *path)
        else:
            labels = [one.label for one in options]
            message = f"{field.name} has no value '{word}'; it has: {', '.join(labels[:20])}"
            add("M203", message, *path, suggestion=self.report.guess(word, [*labels, *(one.value for one in options)]))
        return word


def options_of(field: FieldSchema, group: str = "") -> Sequence[Option]:
    """The options of a field, of one group where a group is named."""
    return tuple(one for one in field.options if not group or one.group == group)


def fitting(field: FieldSchema, groups: Sequence[Option], words: Iterable[str]) -> Option:
    """The first of these groups in which the most of the words mean an option of the field: all, where one fits."""
    wanted = list(words)
    return max(groups, key=lambda one: sum(bool(matching(options_of(field, one.value), word)) for word in wanted))


def matching(options: Sequence[Option], word: str) -> list[Option]:
    """The options that a word means: by exact label, by label in any case, or by native value."""
    exact = [one for one in options if one.label == word]
    by_label = exact or [one for one in options if one.label.casefold() == word.casefold()]
    by_value = [one for one in options if one.value == word]
    return list(dict.fromkeys([*by_label, *by_value]))
