"""The Salesforce adapter: `kind` for what builds it, `adapter` for the engine."""
