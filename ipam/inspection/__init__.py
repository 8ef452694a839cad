"""What an operator asks of leases, configs and history: decisions apart from how they are asked and shown."""
