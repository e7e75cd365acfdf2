"""The control API of an imitation, for the demo, for operators' trials and for tests from another process."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, jsonify, request

from .kernel_gate import Refusal

if TYPE_CHECKING:
    from .kernel import Imitation
    from .kernel_deliveries import Deliveries


def control_app(imitation: Imitation) -> Flask:
    """A Flask app that serves `/_control/` for one imitation; wrong input is answered 400 with the reason.

    GET    state, settings, calls, faults, deliveries, actions
    POST   settings {name: value}, faults {kind, method, path, …}, deliveries/faults {name: argument},
           actions/<name> {argument: value}, clock/advance {seconds}, reset
    DELETE faults, calls
    """
    app = Flask(f"{imitation.name}-control", static_folder=None)
    app.register_error_handler(Refusal, lambda refusal: refusal.response())
    app.register_error_handler(ValueError, _bad_input)
    _add_views(app, imitation)
    _add_faults(app, imitation)
    _add_commands(app, imitation)
    return app


def _bad_input(error: ValueError) -> tuple[Response, int]:
    return jsonify({"error": str(error)}), 400


def _body() -> dict[str, Any]:
    body = request.get_json(force=True) if request.get_data() else {}
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body


def _done() -> Response:
    return jsonify({"ok": True})


def _add_views(app: Flask, imitation: Imitation) -> None:
    def state() -> Any:
        with imitation.lock:
            return imitation.state()

    views: Mapping[str, Callable[[], Any]] = {
        "state": state,
        "settings": imitation.settings_view,
        "calls": imitation.calls.view,
        "faults": imitation.faults.view,
        "deliveries": imitation.deliveries.view,
        "actions": lambda: sorted(imitation.actions()),
    }

    @app.get("/_control/<name>")
    def view(name: str) -> Response:
        if name not in views:
            raise Refusal(404, {"error": f"no view {name!r}; there are {', '.join(views)}"})
        return jsonify(views[name]())


def _add_faults(app: Flask, imitation: Imitation) -> None:
    @app.post("/_control/faults")
    def add_fault() -> Response:
        return jsonify({"id": imitation.faults.add(**_body()).id})

    @app.delete("/_control/faults")
    def clear_faults() -> Response:
        imitation.faults.clear()
        return _done()

    @app.post("/_control/deliveries/faults")
    def delivery_faults() -> Response:
        commands = delivery_commands(imitation.deliveries)
        wanted = _body()
        for name in wanted:
            if name not in commands:
                raise ValueError(f"no delivery fault {name!r}; there are {', '.join(commands)}")
        return jsonify({name: commands[name](argument) for name, argument in wanted.items()})


def delivery_commands(deliveries: Deliveries) -> Mapping[str, Callable[[Any], Any]]:
    """What POST deliveries/faults understands: a name and its argument."""
    return {
        "drop": deliveries.drop,
        "duplicate": deliveries.duplicate,
        "reorder": deliveries.reorder,
        "delay": deliveries.delay,
        "release": lambda _: deliveries.release(),
        "pause": lambda _: deliveries.pause(),
        "resume": lambda _: deliveries.resume(),
        "redeliver": lambda ids: deliveries.redeliver(ids if isinstance(ids, list) else None),
        "wait_idle": lambda seconds: deliveries.wait_idle(float(seconds)),
    }


def _add_commands(app: Flask, imitation: Imitation) -> None:
    @app.post("/_control/settings")
    def configure() -> Response:
        with imitation.lock:
            imitation.configure(**_body())
        return jsonify(imitation.settings_view())

    @app.post("/_control/actions/<name>")
    def act(name: str) -> Response:
        actions = imitation.actions()
        if name not in actions:
            raise Refusal(404, {"error": f"no action {name!r}; there are {', '.join(actions)}"})
        arguments = _body()
        try:
            inspect.signature(actions[name]).bind(**arguments)
        except TypeError as wrong:
            raise ValueError(f"{name}: {wrong}") from wrong
        return jsonify({"result": actions[name](**arguments)})

    @app.post("/_control/clock/advance")
    def advance() -> Response:
        imitation.clock.advance(float(_body().get("seconds", "no seconds given")))
        return _done()

    @app.post("/_control/reset")
    def reset() -> Response:
        imitation.reset()
        return _done()

    @app.delete("/_control/calls")
    def clear_calls() -> Response:
        imitation.calls.reset()
        return _done()
