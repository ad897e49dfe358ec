package loadtest

// parseHelm reads the arguments of helm, of which only version 3 and later exist by now.
func parseHelm(r *reader) job { return r.tool("helm") }
