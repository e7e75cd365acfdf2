"""Working imitations of Next Cap and of the CRMs over real HTTP, for the demo, for tests and for trials."""
