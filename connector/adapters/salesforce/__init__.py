"""The Salesforce adapter: `Salesforce` for the engine, `refusals` for transport hooks, `kind` for what builds it."""

from connector.adapters.salesforce.adapter import Salesforce
from connector.adapters.salesforce.refusals import rate, sort
from connector.adapters.salesforce.wire import SalesforceWire

__all__ = ["Salesforce", "SalesforceWire", "rate", "sort"]
