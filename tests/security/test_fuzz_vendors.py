"""Bad requests at the doors of Zendesk, Salesforce, Capsule and a declared CRM: no error of ours, and none is lost."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from connector.store import tables

from .door import Knock
from .hostile import VALUES, Sender, encoded, mutation, spoilt
from .test_fuzz import HONEST, light
from .vendors import VendorsDoor, template

MUTATIONS, DRAWN = 1_500, 200


def knocked(door: VendorsDoor, knock: Knock) -> bool:
    """Whether a request was answered as received; a SOAP message is with 200."""
    status = door.knock(knock)
    assert status in HONEST, (status, knock)
    return status == 202 or (status == 200 and knock.method == "POST" and knock.path.startswith("/webhooks/"))


def test_the_doors_of_every_crm_refuse_or_keep(tmp_path: Path) -> None:
    door = VendorsDoor(tmp_path)
    senders = door.senders()
    kept = [knocked(door, mutation(seed, senders)) for seed in range(MUTATIONS)]

    @light(DRAWN)
    @given(st.sampled_from(senders), st.data())
    def every(sender: Sender, data: st.DataObject) -> None:
        good = template(sender)
        body = spoilt(data.draw, good) if good and data.draw(st.booleans()) else data.draw(VALUES)
        kept.append(knocked(door, sender.sign(encoded(body))))

    every()
    assert door.taken_in() == sum(kept)
    assert "defect" not in {row["code"] for row in door.rows(tables.parked)}
    assert min(door.answers[202], door.answers[401], door.answers[404]) > 50
    door.close()
