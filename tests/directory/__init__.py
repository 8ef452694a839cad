"""The directory store on its own: damage, other programs in the directory, kills, reboots, history."""
