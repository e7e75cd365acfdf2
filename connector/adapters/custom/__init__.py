"""A REST CRM that is declared in the `adapter:` block of its mapping file: see `mapping/grammar.py`."""
