"""Orders of the shop: taken once by key, kept before they are acknowledged, then worked off."""
