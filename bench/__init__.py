"""How fast, how cheap and how small the connector is, beside what a good developer would write in a day."""
