"""Outgoing events: what happened to tickets, told to whoever only wants to listen, as signed Standard Webhooks.

`catalogue` says what there is to tell, `payload` in which words, `announcer` writes it down in the transaction of the
change itself, and `courier` sends what was written.
"""
