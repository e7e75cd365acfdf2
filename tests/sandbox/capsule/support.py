"""Short ways to say what tests of the Capsule imitation say often."""

from __future__ import annotations

from typing import Any

import httpx

from connector.sandbox.capsule import Capsule
from tests.sandbox import receiver

LONG_AGO = "2020-01-01T00:00:00Z"


def token_answer(capsule: Capsule, **form: str) -> httpx.Response:
    """What the token endpoint says to the application, which asks with this form."""
    known = capsule.credentials
    given = {"client_id": known.client_id, "client_secret": known.client_secret, **form}
    return httpx.post(f"{capsule.url}/oauth/token", data=given)


def refreshed(capsule: Capsule) -> dict[str, Any]:
    """The answer to a refresh with the token that is good now."""
    answer = token_answer(capsule, grant_type="refresh_token", refresh_token=capsule.tokens.refresh_token)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def stage_id(api: httpx.Client, name: str, board: str = "Support") -> int:
    stages = api.get("/stages").json()["stages"]
    return next(int(one["id"]) for one in stages if (one["name"], one["board"]["name"]) == (name, board))


def id_of(api: httpx.Client, things: str, name: str) -> int:
    """The id of a team, user, board, pipeline or kind of activity."""
    listed = next(iter(api.get(f"/{things}").json().values()))
    return next(int(one["id"]) for one in listed if name in (one["name"], one.get("username")))


def person(api: httpx.Client, **members: Any) -> int:
    """The id of a new person."""
    answer = api.post("/parties", json={"party": {"type": "person", "firstName": "Jo", **members}})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["party"]["id"])


def field(api: httpx.Client, name: str, type: str = "text", kind: str = "kases", **more: Any) -> int:
    """The id of a new custom field."""
    answer = api.post(f"/{kind}/fields/definitions", json={"definition": {"name": name, "type": type, **more}})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["definition"]["id"])


def project(api: httpx.Client, **members: Any) -> int:
    """The id of a new project."""
    answer = api.post("/kases", json={"kase": {"name": "Printer on fire", "party": person(api), **members}})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["kase"]["id"])


def put(api: httpx.Client, record: int, **members: Any) -> httpx.Response:
    return api.put(f"/kases/{record}", json={"kase": members})


def read(api: httpx.Client, record: int, embed: str = "fields,tags") -> dict[str, Any]:
    answer = api.get(f"/kases/{record}", params={"embed": embed})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["kase"]
    return found


def found(api: httpx.Client, field: str, value: Any, operator: str = "is", kind: str = "kases") -> list[int]:
    """The ids that a filter finds."""
    condition = {"field": field, "operator": operator, "value": value}
    answer = api.post(f"/{kind}/filters/results", json={"filter": {"conditions": [condition]}})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()[kind]]


def refused(answer: httpx.Response) -> tuple[str, str]:
    """Field and message of a 422."""
    assert answer.status_code == 422, answer.text
    body = answer.json()
    assert body["message"] == "Validation Failed"
    (error,) = body["errors"]
    return error["field"], error["message"]


class Receiver(receiver.Receiver):
    path = "/hook/secret"

    def events(self, capsule: Capsule) -> list[dict[str, Any]]:
        """All deliveries once nothing is under way any more."""
        return self.bodies(capsule)


def subscribe(app: httpx.Client, url: str, event: str, **more: Any) -> httpx.Response:
    return app.post("/resthooks", json={"restHook": {"event": event, "targetUrl": url, **more}})
