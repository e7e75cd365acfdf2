"""The layouts in which Next Cap may sign a webhook; which one it uses is not public."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime

STANDARD_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Profile:
    """One layout. `signed` and `form` are templates over {id}, {timestamp}, {body} and {signature}."""

    signature_header: str = "X-NextCap-Signature"
    timestamp_header: str = "X-NextCap-Timestamp"
    event_header: str = "X-NextCap-Event"
    id_header: str = "X-NextCap-Delivery"
    algorithm: str = "sha256"
    encoding: str = "hex"
    signed: str = "{body}"
    form: str = "{signature}"

    def headers(self, *, secret: str, body: bytes, event: str, delivery_id: str, moment: datetime) -> dict[str, str]:
        """The headers of one attempt."""
        timestamp = str(int(moment.timestamp()))
        before = self.signed.removesuffix("{body}").format(id=delivery_id, timestamp=timestamp)
        mac = hmac.new(signing_key(secret), before.encode() + body, self.algorithm).digest()
        signature = mac.hex() if self.encoding == "hex" else base64.b64encode(mac).decode()
        headers = {
            self.signature_header: self.form.format(signature=signature, timestamp=timestamp),
            self.timestamp_header: timestamp,
            self.event_header: event,
            self.id_header: delivery_id,
        }
        return {name: value for name, value in headers.items() if name}


def signing_key(secret: str) -> bytes:
    """The UTF-8 bytes of the secret; after `whsec_`, the bytes that its base64 stands for."""
    if secret.startswith(STANDARD_PREFIX):
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX))
    return secret.encode()


def secret_for(profile: str, seed: bytes) -> str:
    """A secret in the form that goes with a profile, made from random bytes."""
    if profile == "standard":
        return STANDARD_PREFIX + base64.b64encode(seed).decode()
    return "nxc" + base64.urlsafe_b64encode(hashlib.sha384(seed).digest()).decode()


PRIMARY = Profile()
GENERIC = Profile("X-Webhook-Signature", "X-Webhook-Timestamp", "X-Webhook-Event", "X-Webhook-Id")

PROFILES: dict[str, Profile] = {
    "nextcap": PRIMARY,
    "prefixed": replace(PRIMARY, form="sha256={signature}"),
    "timestamped": replace(PRIMARY, signed="{timestamp}.{body}"),
    "id_timestamped": replace(PRIMARY, signed="{id}.{timestamp}.{body}"),
    "base64": replace(PRIMARY, encoding="base64"),
    "sha512": replace(PRIMARY, algorithm="sha512"),
    "versioned": replace(PRIMARY, form="v1={signature}", signed="{timestamp}.{body}"),
    "inline_time": replace(
        PRIMARY, timestamp_header="", form="t={timestamp},v1={signature}", signed="{timestamp}.{body}"
    ),
    "generic": GENERIC,
    "generic_timestamped": replace(GENERIC, form="sha256={signature}", signed="{timestamp}.{body}"),
    "hub": Profile("X-Hub-Signature-256", "", "X-Webhook-Event", "X-Webhook-Delivery", form="sha256={signature}"),
    "standard": Profile(
        "Webhook-Signature",
        "Webhook-Timestamp",
        "",
        "Webhook-Id",
        encoding="base64",
        signed="{id}.{timestamp}.{body}",
        form="v1,{signature}",
    ),
    "unsigned": replace(PRIMARY, signature_header=""),
}
"""`nextcap` is the likeliest; `unsigned` is for proving that it is refused."""
