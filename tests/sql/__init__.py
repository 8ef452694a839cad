"""The SQL stores: what the contract does not say of them."""
