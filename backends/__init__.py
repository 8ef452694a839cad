"""Lease stores: each module or package here implements the contract of `ipam.store`."""
