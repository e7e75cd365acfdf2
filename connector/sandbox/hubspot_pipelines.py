"""Ticket pipelines and their stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from .hubspot_body import Body, child, optional_text, required_text
from .hubspot_errors import CONFLICT, Refusal, bad_request, not_found
from .kernel_clock import iso

STAGE_LIMIT = 100
STATES = ("OPEN", "CLOSED")


@dataclass(frozen=True, slots=True)
class Stage:
    """`state` is None where the portal's metadata leaves ticketState out; HubSpot then treats it as open."""

    id: str
    label: str
    order: int
    state: str | None
    made_at: datetime

    @property
    def is_closed(self) -> bool:
        return self.state == "CLOSED"

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.order,
            "metadata": {} if self.state is None else {"ticketState": self.state},
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "createdAt": iso(self.made_at),
            "updatedAt": iso(self.made_at),
            "archived": False,
        }


@dataclass(slots=True)
class Pipeline:
    id: str
    label: str
    order: int
    made_at: datetime
    stages: dict[str, Stage] = field(default_factory=dict)

    def stage(self, label_or_id: str) -> Stage:
        for stage in self.stages.values():
            if label_or_id in {stage.id, stage.label}:
                return stage
        raise not_found(f"Pipeline {self.id} has no stage {label_or_id}")

    def put(self, stage: Stage) -> Stage:
        """Add or replace a stage: labels are unique in a pipeline, which holds at most 100."""
        others = [other for other in self.stages.values() if other.id != stage.id]
        if any(other.label == stage.label for other in others):
            raise Refusal(409, CONFLICT, f"A stage with the label '{stage.label}' already exists.")
        if len(others) >= STAGE_LIMIT:
            raise bad_request(f"A pipeline can have at most {STAGE_LIMIT} stages")
        self.stages[stage.id] = stage
        return stage

    def rename(self, label_or_id: str, label: str) -> Stage:
        return self.put(replace(self.stage(label_or_id), label=label))

    def as_json(self) -> dict[str, Any]:
        ordered = sorted(self.stages.values(), key=lambda stage: stage.order)
        return {
            "id": self.id,
            "label": self.label,
            "displayOrder": self.order,
            "stages": [stage.as_json() for stage in ordered],
            "createdAt": iso(self.made_at),
            "updatedAt": iso(self.made_at),
            "archived": False,
        }


class Pipelines:
    """All ticket pipelines of the portal; the first one is the default."""

    def __init__(self, new_id: Callable[[], str], now: Callable[[], datetime]) -> None:
        self._new_id = new_id
        self._now = now
        stock = Pipeline("0", "Support Pipeline", 0, now())
        labels = ("New", "Waiting on contact", "Waiting on us", "Closed")
        for place, label in enumerate(labels):
            state = "CLOSED" if label == "Closed" else "OPEN"
            stock.put(Stage(str(place + 1), label, place, state, now()))
        self.by_id = {stock.id: stock}

    @property
    def default(self) -> Pipeline:
        return next(iter(self.by_id.values()))

    def get(self, pipeline_id: str) -> Pipeline:
        if pipeline_id not in self.by_id:
            raise not_found(f"Pipeline {pipeline_id} does not exist")
        return self.by_id[pipeline_id]

    def named(self, label_or_id: str) -> Pipeline:
        """The pipeline as a person calls it."""
        for pipeline in self.by_id.values():
            if label_or_id in {pipeline.id, pipeline.label}:
                return pipeline
        raise not_found(f"Pipeline {label_or_id} does not exist")

    def stage(self, stage_id: str) -> Stage | None:
        for pipeline in self.by_id.values():
            if stage_id in pipeline.stages:
                return pipeline.stages[stage_id]
        return None

    def add(self, label: str, stages: Mapping[str, str | None]) -> Pipeline:
        """A further pipeline; `stages` gives the ticketState of each label."""
        if any(other.label == label for other in self.by_id.values()):
            raise Refusal(409, CONFLICT, f"A pipeline with the label '{label}' already exists.")
        made = Pipeline(self._new_id(), label, len(self.by_id), self._now())
        for place, (name, state) in enumerate(stages.items()):
            made.put(Stage(self._new_id(), name, place, state, self._now()))
        self.by_id[made.id] = made
        return made

    def add_stage(self, pipeline_id: str, body: Body, *, may_choose_id: bool) -> Stage:
        """Add a stage as the API asks for it; only the newest version lets the caller choose its id."""
        pipeline = self.get(pipeline_id)
        order = body.get("displayOrder")
        if type(order) is not int:
            raise bad_request("Invalid input JSON: field 'displayOrder' must be a number")
        if "metadata" not in body:
            raise bad_request("Invalid input JSON: field 'metadata' is required")
        state = optional_text(child(body, "metadata"), "ticketState")
        if state is not None and state not in STATES:
            raise bad_request(f"ticketState must be one of [{', '.join(STATES)}]")
        chosen = optional_text(body, "stageId") if may_choose_id else None
        if chosen is not None and self.stage(chosen) is not None:
            raise Refusal(409, CONFLICT, f"A stage with the id '{chosen}' already exists.")
        stage_id = chosen or self._new_id()
        return pipeline.put(Stage(stage_id, required_text(body, "label"), order, state, self._now()))
