"""Plans, loads, and experiments on a made-up host and on this one."""
