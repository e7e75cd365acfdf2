"""What people, customers and administrators do in Salesforce's own pages, as actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kernel import Imitation, action
from .salesforce_errors import Failure
from .salesforce_org import Org, Record, Writer


class People(Imitation):
    """The actions. `by` is a user's e-mail address or id, the first agent if it is left out."""

    org: Org

    @action
    def create_case(
        self,
        subject: str,
        description: str = "",
        status: str = "New",
        contact: str | None = None,
        owner: str | None = None,
        by: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> str:
        """Make a case in the pages, with a contact known or made by e-mail address; returns its id."""
        values: dict[str, Any] = {"Subject": subject, "Status": status}
        if description:
            values["Description"] = description
        if contact is not None:
            values["ContactId"] = self._contact(contact).id
        if owner is not None:
            values["OwnerId"] = self._owner(owner)
        return self._made("Case", {**values, **(fields or {})}, by).id

    @action
    def set_fields(self, case: str, fields: Mapping[str, Any], by: str | None = None) -> None:
        """Edit a case."""
        self._do(self.org.update, self._record("Case", case), dict(fields), self._person(by))

    @action
    def move(self, case: str, status: str, by: str | None = None) -> None:
        """Give a case another status."""
        self.set_fields(case, {"Status": status}, by)

    @action
    def give(self, case: str, owner: str, by: str | None = None) -> None:
        """Give a case to a user (e-mail address or id) or a queue (name or id)."""
        self.set_fields(case, {"OwnerId": self._owner(owner)}, by)

    @action
    def comment(self, case: str, text: str, public: bool = False, by: str | None = None) -> str:
        """Write a comment on a case, for colleagues or for the customer too; returns its id."""
        values = {"ParentId": self._record("Case", case).id, "CommentBody": text, "IsPublished": public}
        return self._made("CaseComment", values, by).id

    @action
    def publish(self, comment: str, public: bool = True, by: str | None = None) -> None:
        """Show a comment to the customer, or hide it again."""
        self._do(self.org.update, self._record("CaseComment", comment), {"IsPublished": public}, self._person(by))

    @action
    def email(
        self,
        case: str,
        text: str,
        incoming: bool = True,
        sender: str = "jo@customer.example",
        to: str = "support@acme.example",
        draft: bool = False,
        html: str = "",
        by: str | None = None,
    ) -> str:
        """A mail arrives at a case or leaves it, or is begun; returns its id."""
        values = {"ParentId": self._record("Case", case).id, "TextBody": text or None, "Incoming": incoming}
        values |= {"FromAddress": sender, "ToAddress": to, "Subject": "Re: your case", "HtmlBody": html or None}
        return self._made("EmailMessage", {**values, "Status": "5" if draft else "0" if incoming else "3"}, by).id

    @action
    def send_draft(self, email: str) -> None:
        """Send a mail that was begun."""
        record = self._record("EmailMessage", email)
        record.values["Status"] = "3"
        self.org.update(record, {}, self._person(None))

    @action
    def post(
        self,
        case: str,
        text: str,
        public: bool = False,
        rich: bool = False,
        status: str = "Published",
        by: str | None = None,
    ) -> str:
        """Write in the feed of a case, for colleagues or for everybody who sees it; returns the id."""
        values = {"ParentId": self._record("Case", case).id, "Body": text, "IsRichText": rich, "Status": status}
        return self._made("FeedItem", {**values, "Visibility": "AllUsers" if public else "InternalUsers"}, by).id

    @action
    def delete_post(self, post: str) -> None:
        """Take a post out of the feed, for good."""
        self.org.delete(self._record("FeedItem", post), self._person(None).user)

    @action
    def delete_case(self, case: str, by: str | None = None) -> None:
        """Put a case into the recycle bin."""
        self.org.delete(self._record("Case", case), self._person(by).user)

    @action
    def undelete_case(self, case: str, by: str | None = None) -> None:
        """Take a case out of the recycle bin."""
        self.org.undelete(self.org.records[case], self._person(by).user)

    @action
    def merge_cases(self, master: str, other: str, by: str | None = None) -> str:
        """Merge `other` into `master`; returns the id of what is left."""
        self.org.merge(self._record("Case", master), self._record("Case", other), self._person(by).user)
        return master

    @action
    def create_contact(self, email: str, first_name: str = "", last_name: str = "Customer") -> str:
        """Make a contact; returns its id."""
        values = {"Email": email, "FirstName": first_name or None, "LastName": last_name}
        return self._made("Contact", values, None).id

    @action
    def add_user(self, email: str, first_name: str, last_name: str, user_type: str = "Standard") -> str:
        """Make a user; `CspLitePortal` is a customer of a portal. Returns the id."""
        return self.org.hire({"FirstName": first_name, "LastName": last_name, "Email": email, "UserType": user_type})

    @action
    def deactivate(self, user: str) -> None:
        """Make a user inactive."""
        self.org.records[self._person(user).user].values["IsActive"] = False

    @action
    def install_fields(self) -> None:
        """The administrator deploys the connector's custom fields of Case."""
        self.org.schema.add_ours()
        for record in self.org.records.values():
            record.values |= {name: None for name in record.kind.fields if name not in record.values}

    def _made(self, kind: str, values: Mapping[str, Any], by: str | None) -> Record:
        made: Record = self._do(self.org.create, self.org.schema.object(kind), dict(values), self._person(by))
        return made

    @staticmethod
    def _do(act: Any, *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except Failure as failure:
            raise failure.refusal() from failure

    def _record(self, kind: str, record_id: str) -> Record:
        found: Record = self._do(self.org.find, self.org.schema.object(kind), record_id)
        return found

    def _person(self, by: str | None) -> Writer:
        users = [one for one in self.org.live("User") if one.id != self.org.user_id]
        found = next((one for one in users if by in (None, one.id, one.values["Email"])), None)
        if found is None:
            raise ValueError(f"no user {by!r}")
        return Writer(found.id)

    def _owner(self, told: str) -> str:
        for queue in self.org.live("Group"):
            if told in (queue.id, queue.values["Name"]):
                return queue.id
        return self._person(told).user

    def _contact(self, email: str) -> Record:
        for one in self.org.live("Contact"):
            if str(one.values["Email"]).casefold() == email.casefold():
                return one
        return self._made("Contact", {"Email": email, "LastName": "Customer"}, None)
