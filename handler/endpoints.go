package handler

// EndpointNames returns the names of the endpoints that Config.Paths can move.
func EndpointNames() []string { return nil }

// CheckPaths reports an unknown endpoint name or a path that cannot serve it.
func CheckPaths(paths map[string]string) error { return nil }
