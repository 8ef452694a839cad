"""A store of somebody else's: a package of its own, which knows the contract and nothing else of ours."""
