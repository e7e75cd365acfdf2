"""The smallest vendor, for the tests of the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from flask import Flask, jsonify, request

from connector.sandbox.kernel import Deliveries, Imitation, Refusal, action


class Counter(Imitation):
    """One number that can be counted up."""

    name: ClassVar[str] = "counter"

    def __init__(self) -> None:
        super().__init__()
        self.forget()

    def make_deliveries(self) -> Deliveries:
        return Deliveries(self.clock, lambda one: {"X-Try": str(one.tries)}, schedule=(0.01, 0.01))

    def forget(self) -> None:
        self.number = 0
        self.step = 1

    def state(self) -> Any:
        return {"number": self.number}

    def settings_view(self) -> Mapping[str, Any]:
        return {"step": self.step}

    def configure(self, **changes: Any) -> None:
        if set(changes) != {"step"}:
            raise ValueError("only step can be set")
        self.step = changes["step"]

    def routes(self, app: Flask) -> None:
        @app.post("/numbers/<name>")
        def count(name: str) -> Any:
            self.number += self.step
            return jsonify(name=name, body=request.get_data(as_text=True))

        @app.get("/numbers")
        def show() -> Any:
            return jsonify(self.number)

    @action
    def set_number(self, to: int) -> int:
        if to < 0:
            raise Refusal(409, {"error": "negative"})
        self.number = to
        return self.number
