"""`driftloop up|down|status|demo`: a stack as a whole. Each command is imported when it is called."""
