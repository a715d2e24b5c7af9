package command

import (
	"fmt"
	"runtime"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/gatehouse-auth/gatehouse/caddymodule/adminapi"
)

// versions are what this program is made of.
type versions struct {
	Gatehouse string `json:"gatehouse"`
	Caddy     string `json:"caddy"`
	Go        string `json:"go"`
	Platform  string `json:"platform"` // operating system and processor, as Go names them
}

func versionCommand() *cobra.Command {
	return command("version", "Prints the version of Gatehouse in this program; `stats` has that of a running server", cobra.NoArgs,
		func(cmd *cobra.Command, _ []string) error {
			ofCaddy, _ := caddy.Version()
			v := versions{adminapi.Version(), ofCaddy, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
			if asJSON(cmd) {
				return printJSON(cmd, v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (Caddy %s, %s, %s)\n", v.Gatehouse, v.Caddy, v.Go, v.Platform)
			return err
		})
}
