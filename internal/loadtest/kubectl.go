package loadtest

// parseKubectl reads the arguments of kubectl.
func parseKubectl(r *reader) job { return r.tool("kubectl") }
