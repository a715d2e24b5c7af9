package caddymodule

// Check finds what the text of the configuration shows to be wrong.
func (a *App) Check() error { return checkSecrets(a.Secrets) }

func (a *App) resolveHashes() error { return nil }
